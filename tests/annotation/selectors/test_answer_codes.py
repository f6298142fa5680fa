from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from annotation.selectors.answer_codes import codes
from annotation.selectors.looks import Look

A, B = {"id": "a", "name": "A"}, {"id": "b", "name": "B"}
AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def look(answer: Any) -> Look:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return Look(1, 1, text, AT, 0, "none", False)


def test_labels_are_categories_in_schema_order_and_strangers_are_left_out():
    found = codes({"name": "label", "type": "classification", "labels": [A, B]}, [look("b"), look("gone")])
    assert [label["id"] for label in found.labels] == ["a", "b"]
    assert [one.label for one in found.looks] == ["b"]
    assert found.apart() is None


def test_labels_of_a_tree_differ_by_their_distance_in_it():
    labels = [A, {"id": "a1", "name": "A1", "parent": "a"}, {"id": "a2", "name": "A2", "parent": "a"}, B]
    found = codes({"name": "label", "type": "classification", "labels": labels}, [look("a1")])
    assert [label["id"] for label in found.labels] == ["a1", "a2", "b"]
    assert found.apart() == [[0.0, 0.5, 1.0], [0.5, 0.0, 1.0], [1.0, 1.0, 0.0]]


def test_one_dimension_of_a_rating_has_its_points_as_categories():
    field = {"name": "q", "type": "rating", "points": 3, "dimensions": [A]}
    found = codes(field, [look({"a": 3}), look({"a": 1})])
    assert [label["id"] for label in found.labels] == ["1", "2", "3"]
    assert [one.label for one in found.looks] == ["3", "1"]
    assert found.distance("1", "3") == 1.0


def test_preferences_are_categories_by_ranking():
    field = {"name": "p", "type": "preference"}
    found = codes(field, [look({"ranking": [["r2"], ["r1"]]}), look({"ranking": [["r1", "r2"]]})])
    assert [label["id"] for label in found.labels] == ["r1=r2", "r2>r1"]
    assert found.apart() == [[0.0, 0.5], [0.5, 0.0]]


@pytest.mark.parametrize(
    ("field", "one", "two", "apart"),
    [
        ({"type": "multilabel", "labels": [A, B]}, ["a"], ["a", "b"], 1 - 1 / 2 * 2 / 3),
        ({"type": "rating", "dimensions": [A, B]}, {"a": 1, "b": 1}, {"a": 5, "b": 1}, 0.5),
        ({"type": "response"}, {"text": "abcd"}, {"text": "abxd"}, 0.25),
    ],
)
def test_other_answers_have_no_categories_and_differ_by_their_types_distance(field, one, two, apart):
    found = codes({"name": "f", **field}, [look(one), look(two)])
    assert not found.is_categorical
    assert found.distance(found.looks[0].label, found.looks[1].label) == pytest.approx(apart)
    assert found.distance(found.looks[0].label, found.looks[0].label) == 0.0
