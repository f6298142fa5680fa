"""Files of every task type come in with their answers; one prompt is never divided between training and test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.errors import ImportRefused, LeakError, SchemaMissing
from annotation.models import Annotation, Import, Item, Project, Resolution
from annotation.selectors import imports as import_reads
from annotation.selectors import schemas
from annotation.services import datasets, imports, projects
from annotation.services.items import Record, add_items
from tests import typed
from tests.factories import make_import, run_import

pytestmark = pytest.mark.django_db


def bring(
    project: Project, rows: list[dict[str, Any]], *, labels_from_file: bool = False, **mapping: Any
) -> Import:
    import_run = make_import(project, lines=[json.dumps(row) for row in rows], name="rows.jsonl")
    imports.start(import_run, {"text": "text", **mapping}, labels_from_file=labels_from_file)
    return run_import(import_run)


def jobs_error(import_run: Import) -> str:
    job = import_reads.job(import_run)
    assert job is not None
    return job.error


LABEL_CELLS: dict[str, tuple[Any, Any]] = {
    "classification": ("Refund", "nonsense"),
    "tree": ("fee", "money"),
    "multilabel": ("Refund; Fee", "Refund; nonsense"),
    "spans": ([[0, 3, "Person"]], [[0, 99, "Person"]]),
    "rating": ({"helpful": 3, "honest": 2}, {"helpful": 3}),
    "preference": ({"ranking": [["r1"], ["r2"]], "strength": "much"}, "r1"),
    "response": ("You get it back.", {"txt": "no"}),
    "combined": ("Card lost", "nonsense"),
}


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_takes_answers_of_each_type_and_keeps_the_bad_rows(name: str) -> None:
    project = typed.make_project(name)
    good, bad = LABEL_CELLS[name]
    rows = [
        {"text": f"Ana waits in Berlin {n}", "label": cell, "a": "Soon.", "b": "Wait."}
        for n, cell in enumerate((good, bad, None))
    ]
    responses = {"responses": ["a", "b"]} if name == "preference" else {}
    done = bring(project, rows, label="label", **responses)
    assert (done.state, done.added, done.labelled, done.rejected) == ("done", 2, 1, 1)
    refused = done.rejected_rows.get()
    assert (refused.line, refused.code) == (
        2,
        "unknown_label" if name in ("classification", "tree", "combined") else "answer",
    )
    assert refused.message.startswith("line 2 has")
    resolution = Resolution.objects.get()
    first = schemas.label_field(schemas.require(project))["name"]
    assert list(resolution.value) == [first] == list(Annotation.objects.get().value)
    assert first in resolution.posterior


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_takes_whole_values(name: str) -> None:
    project = typed.make_project(name)
    rows = [
        {"text": f"Ana waits in Berlin {n}", "answers": typed.answer(name, n), "r": ["Soon.", "Wait."]}
        for n in range(2)
    ]
    responses = {"responses": ["r"]} if name == "preference" else {}
    done = bring(project, rows, value="answers", **responses)
    assert (done.added, done.labelled, done.rejected) == (2, 2, 0)
    found = list(Resolution.objects.order_by("item__row").values_list("value", flat=True))
    assert found == [typed.answer(name, 0), typed.answer(name, 1)]
    frozen = datasets.freeze(project)
    assert frozen.train_count + frozen.validation_count + frozen.test_count == 2


def test_chosen_and_rejected_become_responses_with_a_preference_where_it_is_asked_for() -> None:
    project = projects.create("Pairs", definition={"fields": [{"name": "preferred", "type": "preference"}]})
    rows = [{"text": f"Question {n}?", "rejected": "No.", "chosen": "Yes."} for n in range(2)]
    done = bring(project, rows, responses=["rejected", "chosen"], best="chosen")
    assert (done.added, done.labelled) == (2, 2)
    assert Resolution.objects.first().value == {"preferred": {"ranking": [["r2"], ["r1"]]}}
    plain = projects.create("Plain", definition={"fields": [{"name": "preferred", "type": "preference"}]})
    assert bring(plain, rows, responses=["rejected", "chosen"]).labelled == 0
    with pytest.raises(ImportRefused, match="is no preference"):
        bring(typed.make_project("rating"), rows, responses=["rejected", "chosen"], best="chosen")
    with pytest.raises(ImportRefused, match="take the strengths out of the schema"):
        bring(typed.make_project("preference"), rows, responses=["rejected", "chosen"], best="chosen")
    with pytest.raises(ImportRefused, match="is not one of the response columns"):
        bring(plain, rows, responses=["chosen"], best="chosen")
    with pytest.raises(ImportRefused, match="labels are asked for in two ways"):
        bring(plain, rows, responses=["rejected", "chosen"], best="chosen", label="text")
    with pytest.raises(SchemaMissing, match="“chosen” cannot be read"):
        bring(projects.create("Later"), rows, responses=["rejected", "chosen"], best="chosen")


def test_a_preference_needs_its_responses_and_says_so_by_row() -> None:
    done = bring(typed.make_project("preference"), [{"text": "Question?"}])
    assert (done.added, done.rejected_rows.get().code) == (0, "content")
    assert "has no responses" in done.rejected_rows.get().message


@pytest.mark.parametrize(
    ("name", "cell", "names"),
    [
        ("multilabel", "New; Fee", ["Refund", "Card lost", "Fee", "New"]),
        ("spans", [[0, 3, "Dog"]], ["Person", "Place", "Dog"]),
    ],
)
def test_it_adds_labels_of_the_file_to_a_field_of_its_type(name: str, cell: Any, names: list[str]) -> None:
    project = typed.make_project(name)
    before = schemas.require(project).definition["fields"][0]
    done = bring(project, [{"text": "Ana", "label": cell}], label="label", labels_from_file=True)
    assert (done.labelled, done.rejected) == (1, 0)
    field = schemas.require(project).definition["fields"][0]
    assert [label["name"] for label in field["labels"]] == names
    assert {**field, "labels": 0} == {**before, "labels": 0}
    rating = typed.make_project("rating")
    refused = bring(rating, [{"text": "Ana", "label": 1}], label="label", labels_from_file=True)
    assert refused.added == 0
    assert "has no labels that a file could bring" in jobs_error(refused)


def test_it_refuses_another_answer_for_the_same_text() -> None:
    project = typed.make_project("multilabel")
    rows = [
        {"text": "Twice", "label": "Fee"},
        {"text": "twice", "label": "Refund; Fee"},
        {"text": "TWICE", "label": "Fee"},
    ]
    done = bring(project, rows, label="label")
    assert (done.labelled, done.duplicates, done.rejected) == (1, 1, 1)
    assert done.rejected_rows.get().code == "label_conflict"


def test_items_sent_over_the_api_may_bring_whole_values() -> None:
    project = typed.make_project("combined")
    added = add_items(
        project,
        [
            Record(text="one", value=typed.answer("combined", 0)),
            Record(text="two", label="Card lost"),
            Record(text="three", value={"intent": "refund"}),
            Record(text="four", value={"intent": "card", "urgency": {"urgent": 1}}),
        ],
        source="api",
    )
    assert (added.added, added.labelled, len(added.refused)) == (2, 2, 2)
    assert "field 'urgency' is missing" in added.refused[0].message
    assert "'urgency' is not asked for" in added.refused[1].message


# one prompt, many responses


def pair(prompt: str, good: str, split: str | None = None) -> Record:
    return Record(text=prompt, data={"responses": [good, "No."]}, split=split)


def test_one_prompt_with_other_responses_gets_the_same_drawn_split() -> None:
    project = projects.create(
        "Pairs", definition=typed.definition("preference"), test_share=0.4, validation_share=0.3
    )
    records = [pair(f"Question {n}?", f"Answer {k}") for n in range(30) for k in range(3)]
    add_items(project, records, source="a")
    add_items(project, [pair(f"question {n}? ", "Another") for n in range(30)], source="b")
    splits: dict[str, set[str]] = {}
    for item in Item.objects.all():
        splits.setdefault(item.normalised, set()).add(item.split)
    assert {len(found) for found in splits.values()} == {1}
    assert {split for found in splits.values() for split in found} == {"train", "validation", "test"}


@pytest.mark.parametrize("together", [True, False])
def test_a_split_of_the_file_that_would_divide_a_prompt_holds_the_row_back(together: bool) -> None:
    project = typed.make_project("preference")
    first, second = pair("Where?", "Here", "test"), pair("where?", "There", "train")
    if together:
        add_items(project, [first, second], source="a")
    else:
        add_items(project, [first], source="a")
        add_items(project, [second], source="b")
    one, two = Item.objects.order_by("row")
    assert (one.split, one.held_back) == ("test", "")
    assert two.split == "test"
    assert two.held_back == "the file puts it in train, the same prompt is in test already"
    assert one.cluster != two.cluster  # other content: both may be labelled


def test_a_prompt_alone_and_with_responses_share_their_split() -> None:
    project = typed.make_project("response")
    add_items(project, [Record(text="Where?", split="test")], source="a")
    add_items(project, [Record(text="where?", data={"messages": typed.DIALOGUE}, split="train")], source="a")
    add_items(project, [pair("Where?", "Here", "train")], source="a")
    held = dict(Item.objects.order_by("row").values_list("row", "held_back"))
    assert [bool(held[row]) for row in range(3)] == [False, False, True]


def test_the_freeze_finds_a_prompt_that_was_divided_all_the_same() -> None:
    project = typed.make_project("preference")
    ids = add_items(project, [pair("Where?", "Here"), pair("Where?", "There")], source="a").item_ids
    Item.objects.filter(pk=ids[0]).update(split="test")
    Item.objects.filter(pk=ids[1]).update(split="train")
    schema = schemas.require(project)
    value = {"preferred": {"ranking": [["r1"], ["r2"]], "strength": "much", "reasons": []}}
    Resolution.objects.create(
        project=project, item_id=ids[1], value=value, schema_version=schema, method="single"
    )
    with pytest.raises(LeakError, match="ask the same as one"):
        datasets.freeze(project)
    Item.objects.filter(pk=ids[1]).update(held_back="by hand")
    assert datasets.freeze(project).train_count == 0
