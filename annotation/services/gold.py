"""Setting the items whose answer is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from accounts.wording import said
from annotation.errors import GoldRefused
from annotation.models import GoldItem, Item, Project, SchemaVersion
from annotation.selectors import schemas
from annotation.services.archive import guard_writable
from annotation.task_types.content import content_of
from annotation.task_types.labels import resolve
from annotation.task_types.registry import InvalidValue, validate_part

MOST = 5000  # rows at once


@dataclass(frozen=True, kw_only=True)
class GoldRow:
    """One item, named by its uuid, its row or the id that it came with, and its answer: `value`, or `label`
    for the first field (id or name). With `is_active` False the item is gold no more, and needs no answer.
    """

    item: UUID | None = None
    row: int | None = None
    external_id: str = ""
    value: Mapping[str, Any] | None = None
    label: str = ""
    kind: str = GoldItem.Kind.GOLD
    note: str = ""
    is_active: bool = True


@dataclass(frozen=True)
class Refused:
    index: int  # place among the rows, from 0
    message: str


@dataclass
class Outcome:
    set: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    refused: list[Refused] = field(default_factory=list)


@transaction.atomic
def set_items(project: Project, rows: Iterable[GoldRow], *, by: User | None = None) -> Outcome:
    """Make items gold, change their answers, or withdraw them. Good rows are stored whatever the others are.

    Saying the same again changes nothing. A changed answer is a new row: the old one is kept, not active.

    Raises:
        GoldRefused: there are more than `MOST` rows.
        SchemaMissing: the project has no labels yet.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    given = list(rows)
    if len(given) > MOST:
        raise GoldRefused(
            _("Found %(count)s rows, the limit is %(most)s: send them in several parts.")
            % {"count": len(given), "most": MOST}
        )
    schema = schemas.require(project)
    items = _items(project, given)
    active = {
        one.item_id: one
        for one in GoldItem.objects.select_for_update(of=("self",), no_key=True).filter(
            project=project, is_active=True, item__in={item.pk for item in items if item is not None}
        )
    }
    outcome = Outcome()
    wanted: dict[int, GoldItem | None] = {}  # of several rows for one item the last one counts
    for index, (row, item) in enumerate(zip(given, items, strict=True)):
        try:
            wanted[item.pk if item else 0] = _wanted(project, schema, row, item, by)
        except InvalidValue as error:
            outcome.refused.append(Refused(index, said(error)))
    stale = [active[pk].pk for pk, one in wanted.items() if pk in active and not _same(active[pk], one)]
    fresh = [one for pk, one in wanted.items() if one is not None and not _same(active.get(pk), one)]
    GoldItem.objects.filter(pk__in=stale).update(is_active=False)
    GoldItem.objects.bulk_create(fresh, batch_size=500)
    outcome.set = len(fresh)
    outcome.withdrawn = sum(one is None and pk in active for pk, one in wanted.items())
    outcome.unchanged = sum(one is not None for one in wanted.values()) - len(fresh)
    counts = {name: getattr(outcome, name) for name in ("set", "unchanged", "withdrawn")}
    audit.record("gold.set", actor=by, scope=project.uuid, target=project, **counts)
    return outcome


def _items(project: Project, rows: Sequence[GoldRow]) -> list[Item | None]:
    """The item of each row; None where the project has none of that name, or several."""
    wanted = Item.objects.filter(project=project)
    by_uuid = {item.uuid: item for item in wanted.filter(uuid__in=[row.item for row in rows if row.item])}
    numbers = [row.row for row in rows if row.item is None and row.row is not None]
    by_row = {item.row: item for item in wanted.filter(row__in=numbers)}
    names = [row.external_id for row in rows if row.item is None and row.row is None and row.external_id]
    by_name: dict[str, Item | None] = {}
    for item in wanted.filter(external_id__in=names):
        by_name[item.external_id] = None if item.external_id in by_name else item

    def of(row: GoldRow) -> Item | None:
        if row.item is not None:
            return by_uuid.get(row.item)
        return by_row.get(row.row) if row.row is not None else by_name.get(row.external_id)

    return [of(row) for row in rows]


def _wanted(
    project: Project, schema: SchemaVersion, row: GoldRow, item: Item | None, by: User | None
) -> GoldItem | None:
    """What the row asks for; None to withdraw. `InvalidValue` where it cannot be."""
    if item is None:
        raise InvalidValue(
            _("Found no item, or several, for this row: name one of the project by item, row or external_id.")
        )
    if not row.is_active:
        return None
    if row.kind not in GoldItem.Kind.values:
        raise InvalidValue(
            _("The kind “%(kind)s” is not known: use gold or qualification.") % {"kind": row.kind}
        )
    value = row.value or _labelled(schema, row.label)
    answer = validate_part(schema.definition, value, content_of(item.text, item.data))
    note = " ".join(row.note.split())[:500]
    return GoldItem(project=project, item=item, value=answer, kind=row.kind, note=note, created_by=by)


def _labelled(schema: SchemaVersion, label: str) -> dict[str, Any]:
    """The value that a label by id or name stands for."""
    if not label:
        raise InvalidValue(_("Found no answer: give a value, or a label for the first field."))
    found = resolve(schemas.importable(schema), label)
    if found is None:
        raise InvalidValue(
            _("The label “%(label)s” is not in the schema: use an id or a name of it.") % {"label": label}
        )
    return {schemas.label_field(schema)["name"]: found}


def _same(one: GoldItem | None, other: GoldItem | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.value, one.kind, one.note) == (other.value, other.kind, other.note)
