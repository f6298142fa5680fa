"""What a cell of a file answers, for each type of the first field."""

from __future__ import annotations

from typing import Any

import pytest

from annotation.intake.answers import Answers, BadAnswer
from annotation.task_types.content import Content, Response, content_of
from tests import typed

ITEM = content_of(
    "Ana waits in Berlin",
    {"responses": [{"id": "r1", "text": "Soon."}, {"id": "r2", "text": "Wait."}]},
)
SPANS = [{"start": 0, "end": 3, "label": "person"}, {"start": 13, "end": 19, "label": "place"}]


def answers(name: str) -> Answers:
    return Answers(typed.definition(name), {"chosen": "r1", "rejected": "r2"})


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("classification", " refund ", {"label": "refund"}),
        ("classification", "卡丢失", {"label": "card"}),
        ("tree", "Fee", {"label": "fee"}),
        ("multilabel", "fee; Refund", {"topics": ["refund", "fee"]}),
        ("multilabel", '["退款"]', {"topics": ["refund"]}),
        ("multilabel", ["card", "FEE"], {"topics": ["card", "fee"]}),
        ("multilabel", "[]", {"topics": []}),
        ("spans", SPANS, {"entities": {"spans": SPANS, "relations": []}}),
        ("spans", '[[13, 19, "Place"], [0, 3, "PERSON"]]', {"entities": {"spans": SPANS, "relations": []}}),
        (
            "spans",
            {"spans": SPANS, "relations": [{"from": 0, "to": 1, "label": "in"}]},
            {"entities": {"spans": SPANS, "relations": [{"from": 0, "to": 1, "label": "in"}]}},
        ),
        ("rating", '{"Helpful": 3, "honest": "1"}', {"quality": {"helpful": 3, "honest": 1}}),
        ("rating", {"有用": 2.0, "honest": 1}, {"quality": {"helpful": 2, "honest": 1}}),
        ("response", "  You get it back. ", {"reply": {"text": "You get it back."}}),
        ("response", {"text": "Yes"}, {"reply": {"text": "Yes"}}),
    ],
)
def test_it_reads_a_label_column(name: str, cell: Any, value: dict[str, Any]) -> None:
    assert answers(name).of_label(cell, ITEM) == value


@pytest.mark.parametrize(
    ("cell", "ranking"),
    [
        ("r2", [["r2"], ["r1"]]),
        ("chosen", [["r1"], ["r2"]]),
        ("REJECTED", [["r2"], ["r1"]]),
        ("B", [["r2"], ["r1"]]),
        ("a", [["r1"], ["r2"]]),
        ("tie", [["r1", "r2"]]),
        ("r2>r1", [["r2"], ["r1"]]),
        ("B = A > C", [["r1", "r2"], ["r3"]]),
        ([["r2"], ["r1"]], [["r2"], ["r1"]]),
        ('{"ranking": [["r1"], ["r2"]]}', [["r1"], ["r2"]]),
    ],
)
def test_it_reads_preferences_as_files_write_them(cell: Any, ranking: list[list[str]]) -> None:
    plain = Answers(
        {"fields": [{"name": "preferred", "type": "preference"}]}, {"chosen": "r1", "rejected": "r2"}
    )
    three = Content(text="x", responses=(*ITEM.responses, Response(id="r3", text="No.")))
    item = three if "> C" in str(cell) else ITEM
    assert plain.of_label(cell, item) == {"preferred": {"ranking": ranking}}
    assert plain.of_best("r2", ITEM) == {"preferred": {"ranking": [["r2"], ["r1"]]}}


@pytest.mark.parametrize("name", typed.FIELDS)
def test_an_empty_cell_is_no_answer(name: str) -> None:
    for cell in (None, "", "  "):
        assert answers(name).of_label(cell, ITEM) is None
        assert answers(name).of_value(cell, ITEM) is None


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_reads_whole_values(name: str) -> None:
    import json

    given = typed.answer(name, 0)
    assert answers(name).of_value(json.dumps(given), ITEM) == given
    assert answers(name).of_value(given, ITEM) == given


@pytest.mark.parametrize(
    ("name", "cell", "words"),
    [
        ("classification", "Refnd", "'Refnd', which is not in the schema (refund, card, fee)"),
        ("multilabel", "fee; nonsense", "label 'nonsense' is not in the schema"),
        ("multilabel", "[oops", "expected JSON"),
        ("spans", "0-3", "expected JSON"),
        ("spans", "7", "has an answer that cannot be taken"),
        ("spans", '[{"start": 0, "end": 99, "label": "person"}]', "the text has 19 characters"),
        ("spans", '[{"start": 0, "end": 3, "label": "dog"}]', "label 'dog' is not in the schema"),
        ("spans", "[3]", "found 3 among the spans"),
        ("rating", "4", "expected a point by dimension"),
        ("rating", '{"helpful": 9, "honest": 1}', "'helpful' is rated 9, the scale goes from 1 to 3"),
        ("rating", '{"helpful": "very"}', "'helpful' is rated 'very'"),
        ("preference", "r1", "strength None of 'preferred'"),
        ("preference", "r9", "rank each of r1, r2 once"),
        ("preference", "{", "expected JSON"),
        ("response", "x" * 30_000, "the response has 30,000 characters"),
        ("spans", "[" * 100_000, "expected JSON"),
    ],
)
def test_it_says_why_a_cell_is_no_answer(name: str, cell: Any, words: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        answers(name).of_label(cell, ITEM)
    assert words in caught.value.sentence
    assert caught.value.code == ("unknown_label" if name == "classification" else "answer")


@pytest.mark.parametrize("cell", ["[]", "5", '{"label": "nonsense"}', "{", {"other": 1}])
def test_it_says_why_a_cell_is_no_value(cell: Any) -> None:
    with pytest.raises(BadAnswer, match="has a value that cannot be taken"):
        answers("classification").of_value(cell, ITEM)


def test_spans_move_with_the_white_space_that_the_text_lost() -> None:
    given = [{"start": 2, "end": 5, "label": "person"}]
    moved = {"spans": [{"start": 0, "end": 3, "label": "person"}], "relations": []}
    assert answers("spans").of_label(given, ITEM, shift=2) == {"entities": moved}
    assert answers("spans").of_value({"entities": {"spans": given}}, ITEM, shift=2) == {"entities": moved}


def test_it_takes_a_bare_point_where_there_is_one_dimension() -> None:
    field = {"name": "stars", "type": "rating", "dimensions": [{"id": "stars", "name": "Stars"}]}
    found = Answers({"fields": [field]})
    assert [found.of_label(cell, ITEM) for cell in ("4", 4, 4.0, "4.0")] == [{"stars": {"stars": 4}}] * 4


def test_it_names_the_labels_of_a_cell_known_or_not() -> None:
    assert list(answers("multilabel").named("New; fee")) == ["New", "fee"]
    assert list(answers("spans").named('[[0, 3, "Dog"]]')) == ["Dog"]
    assert list(answers("spans").named("oops")) == []
    assert list(answers("classification").named(" New ")) == ["New"]
    assert list(answers("classification").named(None)) == []
