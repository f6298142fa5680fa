"""Training examples of each type, in the form that training libraries read; and frozen datasets of each type."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest

from annotation.errors import ExportRefused, SchemaMissing
from annotation.models import Item, Project, Resolution
from annotation.selectors import datasets as dataset_reads
from annotation.selectors import schemas as schema_reads
from annotation.selectors.training_rows import Choice
from annotation.services import datasets, exports, imports, projects, schemas
from annotation.services.items import Record, add_items
from tests import typed
from tests.factories import make_import, run_import

pytestmark = pytest.mark.django_db


def answered(name: str, count: int = 3, *, split: str = "train") -> Project:
    """A project with items 0, 1, 2 ... and their answers, by the import's door."""
    project = typed.make_project(name)
    records = [
        replace(typed.record(name, number, split=split), value=typed.answer(name, number))
        for number in range(count)
    ]
    added = add_items(project, records, source="answers")
    assert not added.refused, added.refused
    return project


def lines(project: Project, **choice: Any) -> list[dict[str, Any]]:
    stream = exports.stream(project, "training", "jsonl", choice=Choice(**choice))
    return [json.loads(line) for line in b"".join(stream).decode().splitlines()]


def table(project: Project, **choice: Any) -> pa.Table:
    stream = exports.stream(project, "training", "parquet", choice=Choice(**choice))
    return pq.read_table(io.BytesIO(b"".join(stream)))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


TEXT = "Ana waits in Berlin, number 0"
SPANS = [{"start": 0, "end": 3, "label": "person"}, {"start": 13, "end": 19, "label": "place"}]
FIRST: dict[str, dict[str, Any]] = {
    "classification": {"text": TEXT, "label": "refund"},
    "tree": {"text": TEXT, "label": "fee"},
    "multilabel": {"text": TEXT, "labels": ["refund", "fee"]},
    "spans": {
        "text": TEXT,
        "spans": SPANS,
        "relations": [{"from": 0, "to": 1, "label": "in"}],
        "unit": "unicode code points",
    },
    "rating": {"text": TEXT, "quality_helpful": 3, "quality_honest": 2},
    "preference": {"prompt": TEXT, "chosen": "We are on it, 0.", "rejected": "Please wait, 0."},
    "response": {"messages": [user(TEXT), assistant("You get it back, 0.")]},
    "combined": {"text": TEXT, "label": "refund"},
}


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_exports_training_examples_of_each_type(name: str) -> None:
    project = answered(name, 2)
    rest = {"row": 0, "external_id": "", "split": "train"}
    found = lines(project)
    assert found[0] == FIRST[name] | rest
    assert len(found) == 2
    assert table(project).to_pylist() == found
    # the reader that load_dataset("json") uses finds one type for each column
    read = pj.read_json(io.BytesIO(b"".join(exports.stream(project, "training", "jsonl"))))
    assert read.to_pylist() == found


def test_a_preference_is_written_as_dialogues_where_one_item_is_one() -> None:
    project = answered("preference", 3)
    found = lines(project)
    assert found[0] == {
        "prompt": [user(TEXT)],
        "chosen": [assistant("We are on it, 0.")],
        "rejected": [assistant("Please wait, 0.")],
        "row": 0,
        "external_id": "",
        "split": "train",
    }
    assert found[2]["prompt"] == typed.DIALOGUE
    assert found[2]["prompt"][-1]["role"] == "user"
    assert table(project).to_pylist() == found
    plain = answered("preference", 1)
    assert isinstance(lines(plain)[0]["prompt"], str)
    assert lines(plain, dialogue=True)[0]["prompt"] == [user(TEXT)]


def test_ties_teach_nothing_and_rankings_give_each_strict_pair() -> None:
    project = projects.create("Rank", definition={"fields": [{"name": "preferred", "type": "preference"}]})
    values = [[["r1", "r2"]], [["r3"], ["r1", "r2"]]]
    records = [
        Record(
            text=f"Question {n}",
            data={"responses": ["One", "Two", "Three"][: 2 + n]},
            value={"preferred": {"ranking": ranking}},
        )
        for n, ranking in enumerate(values)
    ]
    add_items(project, records, source="a")
    found = [(row["prompt"], row["chosen"], row["rejected"]) for row in lines(project)]
    assert found == [("Question 1", "Three", "One"), ("Question 1", "Three", "Two")]


def test_it_leaves_out_duplicates_held_back_items_and_answers_the_schema_no_longer_takes() -> None:
    project = answered("multilabel", 3)
    add_items(project, [Record(text="ana WAITS in Berlin, number 0")], source="again")
    Item.objects.filter(row=1).update(held_back="copyright")
    field = schema_reads.label_field(schema_reads.require(project))
    schemas.publish(project, {"fields": [{**field, "maximum": 1}]})
    assert [(row["row"], row["labels"]) for row in lines(project)] == []
    schemas.publish(project, {"fields": [{**field, "maximum": 2}]})
    assert [(row["row"], row["labels"]) for row in lines(project)] == [
        (0, ["refund", "fee"]),
        (2, ["refund", "fee"]),
    ]


def test_it_takes_another_field_and_one_split() -> None:
    project = answered("combined", 4)
    assert [row["urgency_urgent"] for row in lines(project, field="urgency")] == [3, 3]
    assert [row["labels"] for row in lines(project, field="topics")] == [["fee"], ["fee"]]
    Item.objects.filter(row=2).update(split="test")
    assert [row["row"] for row in lines(project, split="test")] == [2]
    assert [row["row"] for row in lines(project, split="train", field="topics")] == [0]


@pytest.mark.parametrize(
    ("format", "choice", "words"),
    [
        ("jsonl", {"field": "nonsense"}, "the schema has no field 'nonsense'"),
        ("jsonl", {"split": "dev"}, "There is no split “dev”"),
        ("csv", {}, "hold lists, which CSV has no place for"),
    ],
)
def test_it_refuses_what_cannot_be_written(format: str, choice: dict[str, str], words: str) -> None:
    project = answered("response", 1)
    with pytest.raises(ExportRefused, match=words):
        exports.stream(project, "training", format, choice=Choice(**choice))
    with pytest.raises(SchemaMissing):
        exports.stream(projects.create("Later"), "training")


def test_flat_examples_go_into_csv() -> None:
    text = b"".join(exports.stream(answered("rating", 1), "training", "csv")).decode("utf-8-sig")
    assert text == (
        "text,quality_helpful,quality_honest,row,external_id,split\r\n"
        '"Ana waits in Berlin, number 0",3,2,0,,train\r\n'
    )


def test_it_streams_in_blocks(monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any) -> None:
    from annotation.selectors import exports as reads

    project = answered("response", 7)
    monkeypatch.setattr(reads, "BLOCK", 3)
    with django_assert_max_num_queries(9):
        assert [row["row"] for row in lines(project)] == list(range(7))


@pytest.mark.parametrize("name", typed.FIELDS)
def test_what_is_exported_can_come_in_again(name: str) -> None:
    project = answered(name, 2)
    exported = b"".join(exports.stream(project, "resolutions", "jsonl")).decode().splitlines()
    rows = [json.loads(line) for line in exported]
    for row in rows:
        row |= {"responses": [one["text"] for one in (row["data"] or {}).get("responses", [])]}
    again = typed.make_project(name)
    import_run = make_import(again, lines=[json.dumps(row) for row in rows], name="again.jsonl")
    responses = {"responses": ["responses"]} if name == "preference" else {}
    imports.start(import_run, {"text": "text", "value": "value", **responses})
    assert run_import(import_run).labelled == 2
    values = {
        one.slug: list(
            Resolution.objects.filter(project=one).order_by("item__row").values_list("value", flat=True)
        )
        for one in (project, again)
    }
    assert values[project.slug] == values[again.slug]


@pytest.mark.parametrize("name", typed.FIELDS)
def test_a_frozen_dataset_holds_what_its_type_learns_from(name: str) -> None:
    project = answered(name, 2)
    frozen = datasets.freeze(project)
    rows = pq.read_table(dataset_reads.folder(frozen) / "train.parquet").to_pylist()
    assert [row["row"] for row in rows] == [0, 1]
    assert frozen.manifest["type"] == typed.FIELDS[name][0]["type"]
    if frozen.manifest["type"] == "classification":
        assert (rows[0]["examples"], rows[0]["label"]) == (None, FIRST[name]["label"])
        return
    expected = FIRST[name]
    assert json.loads(rows[0]["examples"]) == [expected]
    assert rows[0]["label"] != rows[1]["label"]
    again = datasets.freeze(project)
    assert (again.manifest["relabelled"], again.manifest["removed"]) == (0, 0)
    assert again.manifest["content"] == frozen.manifest["content"]
