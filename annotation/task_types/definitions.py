"""Whether people can label with a schema: what is wrong with its definition, field by field.

The types are an argument, since the list of them is the registry's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.task_types.task_type import Field, TaskType
from annotation.task_types.values import InvalidDefinition, shown

FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
COMMON = frozenset({"name", "type", "title", "title_zh", "help", "help_zh", "when", "required"})
MAXIMUM_FIELDS = 20

Types = Mapping[str, TaskType]


class Complaint(NamedTuple):
    """Why a schema cannot be used. `field`: the position of the field that it is about, None for the whole."""

    field: int | None
    sentence: Sentence


def type_of(field: Field, types: Types) -> TaskType:
    """The type of a field; `InvalidDefinition` when there is none of that name."""
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in types:
        known = ", ".join(types)
        raise InvalidDefinition(
            _("field %(field)s has type %(kind)s: expected one of %(known)s"),
            field=shown(field.get("name")),
            kind=shown(kind),
            known=known,
        )
    return types[kind]


def complaints(definition: Any, types: Types) -> list[Complaint]:
    """All that keeps people from labelling with this schema, at most one sentence a field; empty for a good
    one."""
    fields = definition.get("fields") if isinstance(definition, Mapping) else None
    if not isinstance(fields, list) or not fields:
        sentence = Sentence(_('the schema has no fields: give {"fields": [{"name": ..., "type": ...}]}'))
        return [Complaint(None, sentence)]
    if len(fields) > MAXIMUM_FIELDS:
        return [
            Complaint(
                None,
                Sentence(
                    _("the schema has %(count)s fields, the limit is %(most)s"),
                    count=len(fields),
                    most=MAXIMUM_FIELDS,
                ),
            )
        ]
    if unknown := sorted(set(definition) - {"fields", "show"}):
        return [
            Complaint(
                None,
                Sentence(
                    _("the schema has the unknown key %(unknown)s: use fields and show"),
                    unknown=shown(unknown[0]),
                ),
            )
        ]
    found: list[Complaint] = []
    before: dict[str, Field] = {}
    broken: set[Any] = set()
    for position, field in enumerate(fields):
        try:
            _validate_field(field, before, broken, types)
            before[field["name"]] = field
        except InvalidDefinition as error:
            found.append(Complaint(position, error.sentence))
            name = field.get("name") if isinstance(field, Mapping) else None
            broken |= {name} if isinstance(name, str) else set()
    try:
        _validate_show(definition.get("show"))
    except InvalidDefinition as error:
        found.append(Complaint(None, error.sentence))
    return found


def _validate_field(field: Any, before: Mapping[str, Field], broken: Collection[str], types: Types) -> None:
    """`before`: the good fields above it by name; `broken`: names of the others, which have a complaint of their
    own."""
    if not isinstance(field, Mapping):
        raise InvalidDefinition(
            _("found %(field)s among the fields, expected an object with name and type"), field=shown(field)
        )
    name = field.get("name")
    if not isinstance(name, str) or not FIELD_NAME.fullmatch(name):
        raise InvalidDefinition(
            _("field name %(name)s is not valid: begin with a-z, then up to 39 of a-z, 0-9 and '_'"),
            name=shown(name),
        )
    if name in before or name in broken:
        raise InvalidDefinition(
            _("two fields are called %(name)s: give each a name of its own"), name=shown(name)
        )
    kind = type_of(field, types)
    if unknown := sorted(set(field) - COMMON - kind.options):
        raise InvalidDefinition(
            _("field %(name)s has the unknown key %(unknown)s: remove it"),
            name=shown(name),
            unknown=shown(unknown[0]),
        )
    for key in ("title", "title_zh", "help", "help_zh"):
        if not isinstance(field.get(key, ""), str):
            raise InvalidDefinition(
                _("%(key)s of field %(name)s is not text: write it in quotes"), key=key, name=shown(name)
            )
    if not isinstance(field.get("required", True), bool):
        raise InvalidDefinition(_("required of field %(name)s is not true or false"), name=shown(name))
    kind.validate_field(field)
    when = field.get("when")
    if when is not None and not (isinstance(when, Mapping) and str(when.get("field")) in broken):
        _validate_when(field, before)


def _validate_when(field: Field, before: Mapping[str, Field]) -> None:
    when, name = field["when"], field["name"]
    on = when.get("field") if isinstance(when, Mapping) else None
    if not isinstance(when, Mapping) or set(when) != {"field", "in"} or not isinstance(on, str):
        raise InvalidDefinition(
            _('when of field %(name)s is not {"field": ..., "in": [label ids]}'), name=shown(name)
        )
    if on not in before or before[on]["type"] not in ("classification", "multilabel"):
        raise InvalidDefinition(
            _("field %(name)s depends on %(on)s: name an earlier field with labels"),
            name=shown(name),
            on=shown(on),
        )
    known = {label["id"] for label in before[on]["labels"]}
    wanted = when["in"]
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
        raise InvalidDefinition(
            _("when of field %(name)s names no labels: list one or more ids"), name=shown(name)
        )
    if unknown := sorted(set(wanted) - known):
        raise InvalidDefinition(
            _("field %(name)s waits for the label %(unknown)s, which %(on)s lacks"),
            name=shown(name),
            unknown=shown(unknown[0]),
            on=shown(on),
        )


def _validate_show(show: Any) -> None:
    if show is None:
        return
    columns = show.get("meta") if isinstance(show, Mapping) and set(show) <= {"meta"} else None
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise InvalidDefinition(_('show is not {"meta": [names of columns]}'))
