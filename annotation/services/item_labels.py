"""The labels that come with items: an annotation each, and a final label where nobody has looked yet."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accounts.sentences import Sentence, gettext_noop
from annotation.intake.validate import BadRow, Candidate, refuse
from annotation.models import Annotation, Resolution, Slot
from annotation.services.bulk_rows import insert, uuids
from annotation.task_types.registry import task_type

SHORT, KEPT = 200, 10_000  # characters of a value, and how many posteriors are kept at hand

if TYPE_CHECKING:
    from annotation.models import SchemaVersion
    from annotation.services.item_blocks import Intake


def given(intake: Intake, candidates: Sequence[Candidate], in_already: Mapping[str, int]) -> dict[str, Any]:
    """The values that this labeller gave earlier to texts of this block, by content hash. `in_already`: the
    first item of each text that the project holds.
    """
    labelled = {c.content_hash for c in candidates if c.value is not None} & in_already.keys()
    if intake.labeller is None or not labelled:
        return {}
    hashes = {in_already[content_hash]: content_hash for content_hash in labelled}
    earlier = Annotation.objects.filter(labeller=intake.labeller, item_id__in=list(hashes)).order_by("pk")
    return {hashes[item_id]: value for item_id, value in earlier.values_list("item_id", "value")}


def without_conflicts(
    candidates: Sequence[Candidate], before: Mapping[str, Any]
) -> tuple[list[Candidate], list[BadRow]]:
    """The candidates that do not give a text a second, different label; and those that do, as bad rows."""
    said, kept, refused = dict(before), [], []
    for candidate in candidates:
        if candidate.value is not None:
            earlier = said.setdefault(candidate.content_hash, candidate.value)
            if earlier != candidate.value:
                message = Sentence(
                    gettext_noop(
                        "line %(line)s gives the label “%(label)s” to a text that an earlier line gives "
                        "“%(earlier)s”: decide for one of them"
                    ),
                    line=candidate.line,
                    label=_told(candidate.value),
                    earlier=_told(earlier),
                )
                refused.append(refuse(candidate, "label_conflict", message))
                continue
        kept.append(candidate)
    return kept, refused


def store(intake: Intake, fresh: Mapping[int, Candidate], in_already: Collection[int], now: Any) -> int:
    """Write the labels of `fresh` (by item), and say how many.

    `in_already`: items that people may have looked at already.
    """
    assert intake.labeller is not None and intake.schema is not None
    looked_at = _looked_at([item_id for item_id in fresh if item_id in in_already])
    prefix = "line" if intake.import_run else f"item-{time.time_ns():x}"
    project, labeller, schema = intake.project.pk, intake.labeller.pk, intake.schema.pk
    values = {pk: json.dumps(c.value, ensure_ascii=False) for pk, c in fresh.items()}
    posteriors = _Posteriors(intake.schema)
    insert(
        Annotation,
        ("uuid", "item", "value", "client_key"),
        [
            (uuid, pk, values[pk], f"{prefix}-{candidate.line}")
            for uuid, (pk, candidate) in zip(uuids(len(fresh)), fresh.items(), strict=True)
        ],
        project=project,
        labeller=labeller,
        schema_version=schema,
        created_at=now,
    )
    insert(
        Resolution,
        ("item", "value", "posterior"),
        [
            (pk, values[pk], posteriors.of(c.value or {}, values[pk]))
            for pk, c in fresh.items()
            if pk not in looked_at
        ],
        project=project,
        method=Resolution.Method.IMPORT.value,
        schema_version=schema,
        decided_by=labeller,
        created_at=now,
    )
    return len(fresh)


class _Posteriors:
    """What one answer says of each field, as JSON; that of a short value is worked out once."""

    def __init__(self, schema: SchemaVersion) -> None:
        self._fields = {one["name"]: one for one in schema.definition["fields"]}
        self._made: dict[str, str] = {}

    def of(self, value: Mapping[str, Any], written: str) -> str:
        known = self._made.get(written)
        if known is None:
            known = json.dumps(
                {
                    name: task_type(self._fields[name]).combine(self._fields[name], [answer]).posterior
                    for name, answer in value.items()
                },
                ensure_ascii=False,
            )
            if len(written) < SHORT and len(self._made) < KEPT:
                self._made[written] = known
        return known


def _told(value: Mapping[str, Any]) -> str:
    """A value in a sentence: the label of a single field, else the JSON, cut where it is long."""
    answers = list(value.values())
    if len(answers) == 1 and isinstance(answers[0], str):
        return answers[0]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"


def _looked_at(item_ids: Sequence[int]) -> set[int]:
    """Those of the items that have a label or a person's look already: there a person's word stands."""
    if not item_ids:
        return set()
    resolved = Resolution.objects.filter(item_id__in=item_ids, is_current=True).values_list(
        "item_id", flat=True
    )
    looks = Annotation.objects.filter(item_id__in=item_ids, slot__isnull=False)
    seen = looks.exclude(slot__purpose__in=Slot.MEASURING).values_list("item_id", flat=True)
    return {*resolved, *seen}
