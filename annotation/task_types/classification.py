"""Single-label classification: one of the field's labels, or none of this is valid.

A field of this type:
    {"name": "label", "type": "classification",
     "labels": [{"id": "refund", "name": "Refund request", "name_zh": "退款", "colour": "blue"}]}
Its answer is a label id: "refund". Names may change from one schema version to the next, ids may not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from annotation.task_types.values import ID_PATTERN, InvalidDefinition, InvalidValue, shown

MINIMUM_LABELS = 2
MAXIMUM_LABELS = 1000
MAXIMUM_NAME = 200
TEXT_KEYS = ("name", "name_zh", "description", "description_zh", "colour", "shortcut")


def validate_field(field: Mapping[str, Any]) -> None:
    """Raise `InvalidDefinition` unless `field` can be labelled with.

    Ids are unique; names too, compared without case, and no name is another label's id: an import may then
    give either and never means two labels.
    """
    labels = field.get("labels")
    if not isinstance(labels, Sequence) or isinstance(labels, (str, bytes)):
        raise InvalidDefinition(f'field {shown(field.get("name"))} has no list of labels: add "labels"')
    if not MINIMUM_LABELS <= len(labels) <= MAXIMUM_LABELS:
        raise InvalidDefinition(
            f"field {shown(field.get('name'))} has {len(labels)} labels, "
            f"a classification needs {MINIMUM_LABELS} to {MAXIMUM_LABELS}: add or remove labels"
        )
    owner: dict[str, str] = {}
    for label in labels:
        _validate_label(label)
        for key in {label["id"], *(_folded(label[key]) for key in ("name", "name_zh") if label.get(key))}:
            if owner.setdefault(key, label["id"]) != label["id"]:
                raise InvalidDefinition(
                    f"{shown(key)} stands for two labels: give each label a name of its own"
                )
    if len({label["id"] for label in labels}) < len(labels):
        raise InvalidDefinition("two labels have the same id: give each label an id of its own")


def _validate_label(label: Any) -> None:
    if not isinstance(label, Mapping):
        raise InvalidDefinition(f"found {shown(label)} among the labels, expected an object with id and name")
    if not isinstance(label.get("id"), str) or not ID_PATTERN.fullmatch(label["id"]):
        raise InvalidDefinition(
            f"label id {shown(label.get('id'))} is not valid: use 1 to 64 of a-z, 0-9, '-' and '_'"
        )
    unknown = sorted(set(label) - {"id", *TEXT_KEYS})
    if unknown:
        raise InvalidDefinition(
            f"label {shown(label['id'])} has the unknown key {shown(unknown[0])}: remove it"
        )
    for key in TEXT_KEYS:
        if not isinstance(label.get(key, ""), str):
            raise InvalidDefinition(f"{key} of label {shown(label['id'])} is not text: write it in quotes")
    name = label.get("name", "").strip()
    if not name or len(name) > MAXIMUM_NAME:
        raise InvalidDefinition(
            f"label {shown(label['id'])} has a name of {len(name)} characters: use 1 to {MAXIMUM_NAME}"
        )


def validate_answer(field: Mapping[str, Any], answer: Any) -> str:
    """The answer itself, or `InvalidValue` when it is not the id of one of the field's labels."""
    if not isinstance(answer, str):
        raise InvalidValue(f"found {shown(answer)} for {shown(field['name'])}, expected one label id")
    if not any(label["id"] == answer for label in field["labels"]):
        raise InvalidValue(
            f"label {shown(answer)} is not in the schema: use one of {listed(field)}, or add it to the schema"
        )
    return answer


def distance(a: str, b: str) -> float:
    """How far two answers are apart for agreement: nominal, 0.0 when equal and 1.0 when not (a metric)."""
    return 0.0 if a == b else 1.0


def training_example(text: str, answer: str) -> dict[str, str]:
    """What the classification objective learns from: the text and its label id."""
    return {"text": text, "label": answer}


def export(field: Mapping[str, Any], answer: str) -> dict[str, str]:
    """Flat columns for a table: `label` and `label_name` for a field called "label".

    An id that the field no longer has (an older schema version had it) is its own name, so that nothing is
    lost.
    """
    names = {label["id"]: label["name"] for label in field["labels"]}
    return {field["name"]: answer, f"{field['name']}_name": names.get(answer, answer)}


def label_ids(field: Mapping[str, Any]) -> list[str]:
    """The ids of the field's labels in schema order: the order of columns in every probability array."""
    return [label["id"] for label in field["labels"]]


def lookup(field: Mapping[str, Any]) -> dict[str, str]:
    """Label id by everything an import may call it: its id, and its names without case. For `resolve`."""
    found = {}
    for label in field["labels"]:
        for key in ("name", "name_zh"):
            if label.get(key):
                found[_folded(label[key])] = label["id"]
    found.update({label["id"]: label["id"] for label in field["labels"]})
    return found


def resolve(labels: Mapping[str, str], given: str) -> str | None:
    """The label id that `given` (an id or a name, in any case) stands for in `lookup(field)`; None for no
    label."""
    if len(given) > MAXIMUM_NAME:
        return None
    return labels.get(given) or labels.get(_folded(given))


def listed(field: Mapping[str, Any], limit: int = 5) -> str:
    """The first label ids as a phrase for an error sentence."""
    ids = label_ids(field)
    return ", ".join(ids[:limit]) + (f" … ({len(ids)} labels)" if len(ids) > limit else "")


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
