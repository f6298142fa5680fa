"""The batch of a round as its page shows it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from jobs.services import artifacts
from selection.models import Round
from selection.selectors import rounds as reads
from tests import factories

pytestmark = pytest.mark.django_db
BOUNDARY = {"name": "boundary", "found": 0.05, "bound": 0.2, "labels": ["refund", "card-lost"]}
FAR = {"name": "domain_shift", "found": 0.31, "bound": 0.4, "labels": []}


def round_with(settings: Any, tags: list[list[dict[str, Any]]] | None) -> Round:
    """A round that has picked three items, "one" to "three"."""
    project = factories.make_project()
    items = factories.make_items(project, ["one", "two", "three"], split="train")
    made = factories.make_round(project)
    folder = settings.DATA_DIR / "work" / "picks"
    with program.result_folder(folder) as target:
        table = {
            "row": [item.row for item in items], "rank": [0, 1, 2], "arm": ["strategy"] * 3,
            "inclusion_probability": [None] * 3, "score": [0.9, 0.8, 0.7],
        }  # fmt: skip
        pq.write_table(pa.table(table), target / "picks.parquet")
        if tags is not None:
            (target / "tags.json").write_text(json.dumps(tags))
    Round.objects.filter(pk=made.pk).update(picks=artifacts.store(folder, "picks"))
    return Round.objects.get(pk=made.pk)


def test_the_batch_says_what_makes_items_hard_and_is_filtered_by_it(settings) -> None:
    made = round_with(settings, [[BOUNDARY], [], [BOUNDARY, FAR]])
    batch = reads.batch_page(made, 1)
    assert [[tag.key for tag in row.tags] for row in batch.rows] == [
        ["boundary"],
        [],
        ["boundary", "domain_shift"],
    ]
    assert batch.rows[0].tags[0].rule == "“Refund” and “Card lost” are 5.0 % apart, less than 20.0 %."
    assert [(one.key, one.count) for one in batch.tags] == [("boundary", 2), ("domain_shift", 1)]
    alone = reads.batch_page(made, 1, "domain_shift")
    assert [row.text for row in alone.rows] == ["three"]
    assert (alone.tag, alone.total, alone.shown) == ("domain_shift", 3, 1)


@pytest.mark.parametrize("tags", [None, [[], [], []]])
def test_a_batch_without_tags_shows_all_whatever_is_asked_for(settings, tags) -> None:
    batch = reads.batch_page(round_with(settings, tags), 1, "boundary")
    assert (batch.tags, batch.tag, batch.shown) == ([], "", 3)
