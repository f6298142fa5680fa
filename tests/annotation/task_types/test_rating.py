from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types import rating
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidDefinition, InvalidValue

DIMENSIONS = [{"id": "helpful", "name": "Helpful"}, {"id": "honest", "name": "Honest"}]
FIELD: dict[str, Any] = {"name": "quality", "type": "rating", "points": 5, "dimensions": DIMENSIONS}
points = st.integers(1, 5)
answers = st.fixed_dictionaries({"helpful": points, "honest": points})


def test_it_keeps_the_points_in_the_order_of_the_dimensions() -> None:
    kept = rating.validate_answer(FIELD, {"honest": 2, "helpful": 5})
    assert list(kept.items()) == [("helpful", 5), ("honest", 2)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3, "expected a point by dimension"),
        ({"helpful": 3}, "dimension 'honest' has no rating: rate helpful, honest"),
        ({"helpful": 3, "honest": 1, "kind": 2}, "dimension 'kind' is not in the schema"),
        ({"helpful": 6, "honest": 1}, "'helpful' is rated 6, the scale goes from 1 to 5"),
        ({"helpful": "3", "honest": 1}, "'helpful' is rated '3'"),
        ({"helpful": True, "honest": 1}, "'helpful' is rated True"),
        ({"helpful": 2.5, "honest": 1}, "'helpful' is rated 2.5"),
    ],
)
def test_it_says_what_is_wrong_with_an_answer(answer: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        rating.validate_answer(FIELD, answer)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"points": 1}, "has a scale of 1 points: use 2 to 11"),
        ({"points": 12}, "has a scale of 12 points"),
        ({"lowest": 0.5}, "the scale of 'quality' begins at 0.5: use -10 to 10"),
        ({"dimensions": []}, "has no list of 1 to 30 dimensions"),
        ({"anchors": ["bad", "good"]}, "needs one anchor for each of its 5 points"),
        ({"anchors": [1, 2, 3, 4, 5]}, "an anchor of 'quality' is not text"),
        ({"dimensions": [{"id": "a", "name": "A", "colour": "red"}]}, "unknown key 'colour'"),
        ({"dimensions": [{"id": "a", "name": "A", "anchors": ["x"]}]}, "'a' needs one anchor"),
    ],
)
def test_it_says_what_is_wrong_with_a_field(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        rating.validate_field({**FIELD, **options})
    assert words in str(caught.value)


def test_a_scale_may_begin_at_zero_or_below() -> None:
    negative = {**FIELD, "lowest": -2}
    rating.validate_field(negative)
    assert list(rating.scale(negative)) == [-2, -1, 0, 1, 2]
    assert rating.validate_answer(negative, {"helpful": -2, "honest": 0}) == {"helpful": -2, "honest": 0}
    with pytest.raises(InvalidValue, match="the scale goes from -2 to 2"):
        rating.validate_answer(negative, {"helpful": 3, "honest": 0})


@given(answers, answers)
def test_the_distance_is_symmetric_and_zero_for_equal_points_alone(a: dict, b: dict) -> None:
    between = rating.distance(FIELD, a, b)
    assert 0.0 <= between <= 1.0
    assert between == rating.distance(FIELD, b, a)
    assert (between == 0.0) == (a == b)


def test_the_distance_grows_with_the_square_of_the_gap() -> None:
    one = {"helpful": 1, "honest": 1}
    assert rating.distance(FIELD, one, {"helpful": 5, "honest": 5}) == 1.0
    assert rating.distance(FIELD, one, {"helpful": 3, "honest": 1}) == pytest.approx(0.25 / 2)


def test_it_combines_to_the_median_of_each_dimension() -> None:
    given_answers = [{"helpful": 4, "honest": 2}, {"helpful": 5, "honest": 2}, {"helpful": 5, "honest": 2}]
    combined = rating.combine(FIELD, given_answers)
    assert combined.answer == {"helpful": 5, "honest": 2}
    assert combined.posterior == {"helpful=4": 1 / 3, "helpful=5": 2 / 3, "honest=2": 1.0}


def test_points_that_lie_far_apart_wait_for_a_person() -> None:
    assert rating.combine(FIELD, [{"helpful": 1, "honest": 2}, {"helpful": 5, "honest": 2}]).answer is None
    near = rating.combine(FIELD, [{"helpful": 4, "honest": 2}, {"helpful": 5, "honest": 3}])
    assert near.answer == {"helpful": 4, "honest": 2}


def test_a_part_of_a_suggestion_is_a_draft_too() -> None:
    content = content_of("text")
    assert rating.draft(FIELD, {"helpful": 4, "gone": 2, "honest": 9}, content) == {"helpful": 4}
    assert rating.draft(FIELD, {"gone": 2}, content) is None


def test_it_reads_negative_points_of_a_form_without_scripts() -> None:
    sent = {"quality.helpful": ["-2"], "quality.honest": ["x"]}
    assert rating.from_form(FIELD, lambda name: sent.get(name, [])) == {"helpful": -2, "honest": "x"}


def test_it_gives_ratings_to_learn_from_and_a_column_a_dimension() -> None:
    answer = {"helpful": 4, "honest": 2}
    assert rating.training_examples(FIELD, content_of("text"), answer) == [
        {"text": "text", "quality_helpful": 4, "quality_honest": 2}
    ]
    assert rating.export(FIELD, answer) == {"quality_helpful": 4, "quality_honest": 2}
    assert set(rating.columns(FIELD)) == {"quality_helpful", "quality_honest"}
