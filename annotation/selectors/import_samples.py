"""What an import's first item will look like, under columns that are being chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from annotation.intake.answers import Answers
from annotation.intake.content import response_ids
from annotation.intake.read import rows
from annotation.intake.records import BadRow, IntakeError
from annotation.intake.validate import Candidate, Mapping, candidate
from annotation.models import Import
from annotation.selectors import imports as reads
from annotation.selectors import schema_samples, schemas
from annotation.selectors.value_text import value_text
from annotation.task_types.registry import needs

LOOKED_AT = 50  # rows until one becomes an item


@dataclass(frozen=True, kw_only=True)
class FirstItem:
    """`page`: what the templates of the labelling page need, None where no row becomes an item; `complaint`: why
    the first row was turned away, or the columns as a whole.
    """

    page: dict[str, Any] | None = None
    complaint: str = ""
    answer: str = ""
    split: str = ""
    external_id: str = ""
    meta: list[tuple[str, str]] = field(default_factory=list)


def first_item(import_run: Import, mapping: Mapping, *, labels_from_file: bool = False) -> FirstItem:
    """Reads the head of the file. Labels that the file is to bring are not known yet: they are left out."""
    info, schema = reads.info(import_run), schemas.current(import_run.project)
    if info is None:
        return FirstItem()
    try:
        mapping.check(info)
    except IntakeError as error:
        return FirstItem(complaint=error.sentence)
    if labels_from_file or schema is None:
        mapping = replace(mapping, label=None, value=None, best=None)
    definition = schema.definition if schema is not None else {"fields": []}
    answers = Answers(definition, response_ids(mapping)) if schema is not None else None
    complaint = ""
    for found in _candidates(import_run, mapping, answers, needs(definition)):
        if isinstance(found, BadRow):
            complaint = complaint or found.message
            continue
        return FirstItem(
            page=schema_samples.around(definition, found.text, found.data, found.meta, found.value),
            complaint=complaint,
            answer=value_text(definition, found.value, longest=300),
            split=found.split or "",
            external_id=found.external_id or "",
            meta=[(column, str(cell)) for column, cell in found.meta.items() if cell not in (None, "")],
        )
    return FirstItem(complaint=complaint)


def _candidates(
    import_run: Import, mapping: Mapping, answers: Answers | None, wanted: Any
) -> Iterator[Candidate | BadRow]:
    info = reads.info(import_run)
    assert info is not None
    for row in islice(rows(reads.path(import_run), info), LOOKED_AT):
        yield row if isinstance(row, BadRow) else candidate(row, mapping, answers, needs=wanted)
