from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types.registry import validate_value
from training.learning import calibration, guesses, label_words

LABELS = [
    {"id": "money", "name": "Money"},
    {"id": "refund", "name": "Refund", "parent": "money", "description": "Money back."},
    {"id": "fee", "name": "Fee", "parent": "money"},
    {"id": "card", "name": "Card", "description": " A card. "},
]
ONE: dict[str, Any] = {"name": "label", "type": "classification", "labels": LABELS}
MANY: dict[str, Any] = {"name": "topics", "type": "multilabel", "labels": LABELS, "minimum": 1, "maximum": 2}
RATED: dict[str, Any] = {
    "name": "quality",
    "type": "rating",
    "lowest": 1,
    "points": 3,
    "anchors": ["bad", "", "good"],
    "dimensions": [{"id": "helpful", "name": "Helpful"}, {"id": "safe", "name": "Safe"}],
}


def test_it_reads_a_label_with_the_path_that_leads_to_it() -> None:
    assert [one.text for one in label_words.label_words(ONE)] == [
        "Money, Refund. Money back.",
        "Money, Fee",
        "Card. A card.",
    ]
    assert label_words.undescribed(ONE) == ["Money, Fee"]
    assert label_words.columns(ONE) == ["refund", "fee", "card"]


def test_it_has_a_column_a_point_of_each_dimension() -> None:
    assert label_words.columns(RATED) == [
        *("helpful=1", "helpful=2", "helpful=3"),
        *("safe=1", "safe=2", "safe=3"),
    ]
    assert label_words.point_words(RATED, RATED["dimensions"][0]) == {1: "bad", 2: "", 3: "good"}
    assert label_words.columns({"name": "reply", "type": "response"}) == []


def test_it_suggests_the_likeliest_label_and_the_first_among_equals() -> None:
    found = guesses.guess(ONE, np.array([0.25, 0.5, 0.25]))
    assert found == guesses.Guess(
        answer="fee", confidence=0.5, scores={"fee": 0.5, "refund": 0.25, "card": 0.25}
    )
    assert guesses.guess(ONE, np.array([0.4, 0.4, 0.2])).answer == "refund"


def test_it_suggests_further_labels_that_are_at_least_half_as_likely() -> None:
    found = guesses.guess(MANY, np.array([0.2, 0.5, 0.3]))
    assert found.answer == ["fee", "card"] and found.confidence == pytest.approx(0.8)
    assert guesses.guess(MANY, np.array([0.2, 0.6, 0.2])).answer == ["fee"]
    assert guesses.guess(MANY, np.array([0.3, 0.4, 0.3])).answer == ["refund", "fee"]  # two at most
    two = {**MANY, "minimum": 2}
    assert guesses.guess(two, np.array([0.0, 1.0, 0.0])).answer == ["refund", "fee"]


def test_it_suggests_a_point_for_each_dimension() -> None:
    found = guesses.guess(RATED, np.array([0.1, 0.2, 0.7, 0.5, 0.25, 0.25]))
    assert found.answer == {"helpful": 3, "safe": 1} and found.confidence == pytest.approx(0.35)
    assert found.scores["helpful=3"] == 0.7


def test_its_probabilities_sum_to_one_in_each_group() -> None:
    probs = guesses.probabilities(RATED, np.array([[0.0, 0.0, np.log(2), 5.0, 5.0, 5.0]]), 1.0)
    assert probs[0].tolist() == pytest.approx([0.25, 0.25, 0.5, 1 / 3, 1 / 3, 1 / 3])
    cold = guesses.probabilities(ONE, np.array([[0.2, 0.1, 0.1]]), 0.05)
    assert cold[0, 0] == pytest.approx(np.exp(2) / (np.exp(2) + 2))


@given(
    st.lists(st.floats(-5, 5), min_size=6, max_size=6),
    st.floats(0.05, 5),
    st.sampled_from([ONE, MANY, RATED]),
)
def test_its_answers_fit_the_schema_and_its_confidence_is_a_probability(
    scores: list[float], temperature: float, field: dict[str, Any]
) -> None:
    row = np.array([scores[: len(label_words.columns(field))]])
    found = guesses.guess(field, guesses.probabilities(field, row, temperature)[0])
    value = {field["name"]: found.answer}
    assert validate_value({"fields": [field]}, value) == value
    assert 0.0 < found.confidence <= 1.0


def test_it_keeps_its_temperature_until_enough_is_resolved() -> None:
    scores, answers = np.array([[0.3, 0.1, 0.1]] * 29), ["refund"] * 29
    assert guesses.temperature(ONE, scores, answers, 0.05, least_items=30) == 0.05
    fitted = guesses.temperature(
        ONE, np.repeat(scores[:1], 30, axis=0), ["refund"] * 30, 0.05, least_items=30
    )
    assert fitted < 0.05  # all right: it may be surer


def test_it_fits_the_temperature_that_calibration_fits_to_the_same_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 3)).astype(np.float32)
    truth = [rng.choice(3, p=p) for p in calibration.calibrated(scores, 2.0)]
    answers = [label_words.columns(ONE)[at] for at in truth]
    found = guesses.temperature(ONE, scores, answers, 0.5, least_items=30)
    assert found == pytest.approx(calibration.fit_temperature(scores, np.array(truth)), rel=1e-3)
    assert 1.5 < found < 2.9


def test_it_leaves_out_answers_that_the_schema_no_longer_has() -> None:
    at, column = guesses.truths(MANY, [["refund", "gone"], ["card", "fee"], []])
    assert at.tolist() == [0, 1, 1] and column.tolist() == [0, 2, 1]
    at, column = guesses.truths(RATED, [{"helpful": 3, "safe": 1}])
    assert at.tolist() == [0, 0] and column.tolist() == [2, 3]
    scores = np.zeros((40, 3))
    assert guesses.temperature(ONE, scores, ["gone"] * 40, 0.05, least_items=30) == 0.05
