from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types import multilabel
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidDefinition, InvalidValue

LABELS = [{"id": identity, "name": identity.upper()} for identity in "abcd"]
FIELD: dict[str, Any] = {"name": "topics", "type": "multilabel", "labels": LABELS}
sets = st.sets(st.sampled_from("abcd")).map(sorted)


def test_it_keeps_the_labels_in_schema_order_and_each_once() -> None:
    assert multilabel.validate_answer(FIELD, ["c", "a", "c"]) == ["a", "c"]
    assert multilabel.validate_answer(FIELD, []) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("a", "expected a list of label ids"),
        (["a", "z"], "label 'z' is not in the schema: use one of a, b, c, d"),
        ([["a"]], "expected one label id"),
        (["a"], "field 'topics' has 1 labels, expected 2 to 3: choose more"),
        (["a", "b", "c", "d"], "field 'topics' has 4 labels, expected 2 to 3: take some away"),
    ],
)
def test_it_says_what_is_wrong_with_an_answer(answer: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        multilabel.validate_answer({**FIELD, "minimum": 2, "maximum": 3}, answer)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"minimum": 5}, "asks for 5 to 4 of 4 labels"),
        ({"maximum": 9}, "give 0 <= minimum <= maximum <= the number of labels"),
        ({"minimum": "1"}, "minimum of field 'topics' is '1', expected a number"),
    ],
)
def test_it_says_what_is_wrong_with_a_field(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        multilabel.validate_field({**FIELD, **options})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("ab", "ab", 0.0),
        ("", "", 0.0),
        ("ab", "abcd", 1 - 2 / 4 * 2 / 3),  # a part: with M rounded to 0.67 the 0.665 of NLTK's manual
        ("ab", "bc", 1 - 1 / 3 * 1 / 3),  # they overlap
        ("abc", "ab", 1 - 2 / 3 * 2 / 3),
        ("ab", "cd", 1.0),
        ("a", "", 1.0),
    ],
)
def test_the_distance_is_masi(a: str, b: str, expected: float) -> None:
    """M is 1, 2/3, 1/3, 0 for equal, contained, overlapping and disjoint sets (Passonneau, 2006)."""
    assert multilabel.distance(FIELD, list(a), list(b)) == pytest.approx(expected)


@given(sets, sets)
def test_the_distance_is_symmetric_and_zero_for_equal_sets_alone(a: list[str], b: list[str]) -> None:
    between = multilabel.distance(FIELD, a, b)
    assert 0.0 <= between <= 1.0
    assert between == pytest.approx(multilabel.distance(FIELD, b, a))
    assert (between == 0.0) == (a == b)


def test_each_label_has_a_majority_of_its_own() -> None:
    combined = multilabel.combine(FIELD, [["a", "b"], ["a"], ["a", "c"]])
    assert combined.answer == ["a"]
    assert combined.posterior == {"a": 1.0, "b": 1 / 3, "c": 1 / 3}


def test_a_label_that_half_gave_waits_for_a_person() -> None:
    assert multilabel.combine(FIELD, [["a", "b"], ["a"]]).answer is None
    assert multilabel.combine(FIELD, [[], []]).answer == []


def test_a_majority_that_breaks_the_bounds_waits_for_a_person() -> None:
    field = {**FIELD, "minimum": 1}
    assert multilabel.combine(field, [["a"], ["b"], ["c"]]).answer is None


def test_a_suggestion_is_the_draft_while_the_schema_has_its_labels() -> None:
    content = content_of("text")
    assert multilabel.draft(FIELD, ["z", "c", "a"], content) == ["a", "c"]
    assert multilabel.draft(FIELD, "a", content) is None


def test_it_exports_ids_and_names() -> None:
    assert multilabel.export(FIELD, ["a", "c"]) == {"topics": ["a", "c"], "topics_names": "A; C"}
    assert multilabel.training_examples(FIELD, content_of("text"), ["a"]) == [
        {"text": "text", "labels": ["a"]}
    ]
    assert multilabel.from_form(FIELD, lambda name: ["c"]) == ["c"]
