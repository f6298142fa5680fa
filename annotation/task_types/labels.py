"""Lists of labels, flat or as a tree: shared by every task type that lets people choose from one.

A label: {"id": "refund", "name": "Refund request", "name_zh": "退款", "colour": "blue", "parent": "money"}.
A label with a parent is chosen after it; only leaves are answers, unless the field says "any_node".
Names may change from one schema version to the next, ids may not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types.values import ID_PATTERN, InvalidDefinition, InvalidValue, shown

MAXIMUM_LABELS = 1000
MAXIMUM_NAME = 200
MODES = ("manual", "assisted", "hybrid")
TEXT_KEYS = (*("name", "name_zh", "description", "description_zh", "colour", "shortcut", "parent", "mode"),)

Label = Mapping[str, Any]


def validate_labels(field: Mapping[str, Any], *, key: str = "labels", minimum: int = 2) -> None:
    """Raise `InvalidDefinition` unless `field[key]` is a list of labels that can be chosen from.

    Ids are unique; names too, compared without case, and no name is another label's id: an import may then
    give either and never means two labels. Parents exist and no label is its own ancestor.
    """
    labels = field.get(key)
    if not isinstance(labels, Sequence) or isinstance(labels, (str, bytes)):
        raise InvalidDefinition(
            _('field %(field)s has no list of %(key)s: add "%(key)s"'),
            field=shown(field.get("name")),
            key=key,
        )
    if not minimum <= len(labels) <= MAXIMUM_LABELS:
        raise InvalidDefinition(
            _(
                "field %(field)s has %(count)s %(key)s, it needs %(minimum)s to %(most)s: add or remove "
                "%(key)s"
            ),
            field=shown(field.get("name")),
            count=len(labels),
            key=key,
            minimum=minimum,
            most=MAXIMUM_LABELS,
        )
    owner: dict[str, str] = {}
    for label in labels:
        _validate_label(label)
        for name in {label["id"], *(folded(label[part]) for part in ("name", "name_zh") if label.get(part))}:
            if owner.setdefault(name, label["id"]) != label["id"]:
                raise InvalidDefinition(
                    _("%(name)s stands for two labels: give each label a name of its own"), name=shown(name)
                )
    if len({label["id"] for label in labels}) < len(labels):
        raise InvalidDefinition(_("two labels have the same id: give each label an id of its own"))
    _validate_tree(labels)


def _validate_label(label: Any) -> None:
    if not isinstance(label, Mapping):
        raise InvalidDefinition(
            _("found %(label)s among the labels, expected an object with id and name"), label=shown(label)
        )
    if not isinstance(label.get("id"), str) or not ID_PATTERN.fullmatch(label["id"]):
        raise InvalidDefinition(
            _("label id %(label)s is not valid: use 1 to 64 of a-z, 0-9, '-' and '_'"),
            label=shown(label.get("id")),
        )
    unknown = sorted(set(label) - {"id", *TEXT_KEYS})
    if unknown:
        raise InvalidDefinition(
            _("label %(label)s has the unknown key %(unknown)s: remove it"),
            label=shown(label["id"]),
            unknown=shown(unknown[0]),
        )
    for key in TEXT_KEYS:
        if not isinstance(label.get(key, ""), str):
            raise InvalidDefinition(
                _("%(key)s of label %(label)s is not text: write it in quotes"),
                key=key,
                label=shown(label["id"]),
            )
    name = label.get("name", "").strip()
    if not name or len(name) > MAXIMUM_NAME:
        raise InvalidDefinition(
            _("label %(label)s has a name of %(count)s characters: use 1 to %(most)s"),
            label=shown(label["id"]),
            count=len(name),
            most=MAXIMUM_NAME,
        )
    if label.get("mode") and label["mode"] not in MODES:
        raise InvalidDefinition(
            _("label %(label)s has the mode %(mode)s: use one of %(known)s"),
            label=shown(label["id"]),
            mode=shown(label["mode"]),
            known=", ".join(MODES),
        )


def _validate_tree(labels: Sequence[Label]) -> None:
    parents = {label["id"]: label.get("parent") or None for label in labels}
    for identity, parent in parents.items():
        if parent is not None and parent not in parents:
            raise InvalidDefinition(
                _("label %(label)s has the parent %(parent)s, which is not a label: add it, or mend the id"),
                label=shown(identity),
                parent=shown(parent),
            )
        seen, above = {identity}, parent
        while above is not None:
            if above in seen:
                raise InvalidDefinition(
                    _("label %(label)s is its own ancestor: give one label of the circle another parent"),
                    label=shown(identity),
                )
            seen.add(above)
            above = parents[above]


def label_ids(field: Mapping[str, Any]) -> list[str]:
    """The ids of the field's labels in schema order: the order of columns in every probability array."""
    return [label["id"] for label in field["labels"]]


def parents_of(labels: Sequence[Label]) -> dict[str, str]:
    """Child id -> parent id; empty for a flat list."""
    return {label["id"]: label["parent"] for label in labels if label.get("parent")}


def path(labels: Sequence[Label], identity: str) -> list[str]:
    """The ids from the root down to a label, itself last."""
    parents = parents_of(labels)
    found = [identity]
    while found[0] in parents:
        found.insert(0, parents[found[0]])
    return found


def answers_of(field: Mapping[str, Any]) -> list[str]:
    """The ids that may be answered, in schema order: leaves of a tree, or all with "any_node"."""
    if field.get("any_node"):
        return label_ids(field)
    inner = set(parents_of(field["labels"]).values())
    return [identity for identity in label_ids(field) if identity not in inner]


def check_label(field: Mapping[str, Any], given: Any) -> str:
    """`given`, or `InvalidValue` when it is not the id of a label that may be answered."""
    if not isinstance(given, str):
        raise InvalidValue(
            _("found %(given)s for %(field)s, expected one label id"),
            given=shown(given),
            field=shown(field["name"]),
        )
    if given in answers_of(field):
        return given
    if given in label_ids(field):
        raise InvalidValue(_("label %(label)s has labels below it: choose one of those"), label=shown(given))
    raise InvalidValue(
        _("label %(label)s is not in the schema: use one of %(known)s, or add it to the schema"),
        label=shown(given),
        known=listed(field),
    )


def name_of(field: Mapping[str, Any], identity: str, *, key: str = "labels") -> str:
    """The label's name; an id that the field no longer has is its own name, so that nothing is lost."""
    return next((one["name"] for one in field.get(key, ()) if one["id"] == identity), identity)


def named_or_id(options: Sequence[Label], identity: str, named: Callable[[Label], str]) -> str:
    """What `named` calls an option; its id where the list no longer has it."""
    return next((named(one) for one in options if one["id"] == identity), identity)


def lookup(field: Mapping[str, Any]) -> dict[str, str]:
    """Label id by everything an import may call it: its id, and its names without case. For `resolve`."""
    found: dict[str, str] = {}
    answers = set(answers_of(field))
    for label in field["labels"]:
        if label["id"] in answers:
            found |= {folded(label[key]): label["id"] for key in ("name", "name_zh") if label.get(key)}
    found.update({identity: identity for identity in answers})
    return found


def resolve(labels: Mapping[str, str], given: str) -> str | None:
    """The label id that `given` (an id or a name, in any case) stands for in `lookup(field)`; None for no
    label."""
    if len(given) > MAXIMUM_NAME:
        return None
    return labels.get(given) or labels.get(folded(given))


def listed(field: Mapping[str, Any], limit: int = 5) -> str:
    """The first label ids as a phrase for an error sentence."""
    ids = answers_of(field)
    return ", ".join(ids[:limit]) + (f" … ({len(ids)} labels)" if len(ids) > limit else "")


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
