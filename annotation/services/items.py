"""Items that do not come from a file: sent over the API, made by a generator."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.sentences import Sentence, gettext_noop
from accounts.services import audit
from annotation.intake.answers import Answers
from annotation.intake.records import as_json
from annotation.intake.validate import BadRow, Candidate, Mapping, Row, candidate
from annotation.models import Labeller, Project, Source
from annotation.selectors import schemas
from annotation.services import item_blocks
from annotation.services.archive import guard_writable
from annotation.services.item_blocks import Intake
from annotation.task_types.content import KEYS
from annotation.task_types.registry import needs

_MAPPING = Mapping(
    text="text",
    label="label",
    external_id="external_id",
    split="split",
    messages="messages",
    responses=("responses",),
    draft="draft",
)
_TEXT_ALONE = replace(_MAPPING, messages=None, responses=(), draft=None)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One text to add. `label` answers the schema's first field (an id or name of a label, JSON of other types:
    see intake.answers), `value` all of it by field; `split` None lets the project draw it."""

    text: str
    external_id: str = ""
    label: Any = None
    value: dict[str, Any] | None = None
    split: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)  # messages, responses, draft


@dataclass(frozen=True, kw_only=True)
class Added:
    """What came of `add_items`. `item_ids` has an entry a record, None where it was refused; `refused` says
    why,
    its `line` counts records from 1.
    """

    item_ids: list[int | None]
    refused: list[BadRow]
    added: int
    duplicates: int
    unchanged: int
    labelled: int


@transaction.atomic
def add_items(
    project: Project,
    records: Iterable[Record],
    *,
    source: str,
    by: User | None = None,
    kind: str = Source.Kind.API,
) -> Added:
    """Add texts to the project under a named source; the good ones are stored whatever the others are.

    Sending a record again (same source, same external id, same text) changes nothing and gives the same item.

    Raises:
        ProjectArchived: nothing may be added any more.
    """
    guard_writable(project)
    origin, _made = Source.objects.get_or_create(project=project, name=source[:200], defaults={"kind": kind})
    intake, answers = _intake(project, origin)
    wanted = needs(intake.schema.definition) if intake.schema else frozenset()
    found: list[Candidate] = []
    refused: list[BadRow] = []
    positions: list[int] = []
    count = 0
    for count, record in enumerate(records, 1):
        checked = _checked(count, record, answers, wanted)
        if isinstance(checked, BadRow):
            refused.append(checked)
        else:
            found.append(checked)
            positions.append(count - 1)
    item_ids: list[int | None] = [None] * count
    totals = {"added": 0, "duplicates": 0, "unchanged": 0, "labelled": 0}
    for start in range(0, len(found), item_blocks.BLOCK_ROWS):
        stored = item_blocks.store(intake, found[start : start + item_blocks.BLOCK_ROWS])
        refused += stored.refused
        for position, item_id in zip(positions[start:], stored.item_ids, strict=False):
            item_ids[position] = item_id
        for name in totals:
            totals[name] += getattr(stored, name)
    refused.sort(key=lambda bad: bad.line)
    audit.record("items.added", actor=by, scope=project.uuid, target=origin, refused=len(refused), **totals)
    return Added(item_ids=item_ids, refused=refused, **totals)


def _intake(project: Project, origin: Source) -> tuple[Intake, Answers | None]:
    schema = schemas.current(project)
    if schema is None:
        return Intake(project=project, source=origin, is_repeatable=True), None
    labeller, _made = Labeller.objects.get_or_create(
        project=project, kind=Labeller.Kind.IMPORT, key=f"source-{origin.pk}", defaults={"name": origin.name}
    )
    intake = Intake(project=project, source=origin, schema=schema, labeller=labeller, is_repeatable=True)
    return intake, Answers(schema.definition)


def _checked(
    number: int, record: Record, answers: Answers | None, wanted: Collection[str]
) -> Candidate | BadRow:
    fields = {
        "text": record.text,
        "label": record.label,
        "value": record.value,
        "external_id": record.external_id,
        "split": record.split,
    }
    unknown = sorted(set(record.data) - set(KEYS))
    if unknown:
        message = Sentence(
            gettext_noop("line %(line)s has the unknown key %(key)s in data: use %(known)s"),
            line=number,
            key=repr(unknown[0]),
            known=", ".join(KEYS),
        )
        return BadRow(number, as_json(record.data)[:10_000], "content", message)
    mapping = _MAPPING if record.data else _TEXT_ALONE
    if record.value is not None:
        mapping = replace(mapping, label=None, value="value")
    checked = candidate(Row(number, {**record.data, **fields}, ""), mapping, answers, needs=wanted)
    return checked if isinstance(checked, BadRow) else checked._replace(meta=record.meta)
