import numpy as np
import pytest

from selection.strategies.hardness.tags import Rules, counted, tag, usual_similarity


def _unit(vectors):
    vectors = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def labelled():
    """Three labels on three axes of four: 10, 10 and 1 items close to them."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [10, 10, 1])
    return _unit(np.eye(4)[codes] + rng.normal(scale=0.05, size=(21, 4))), codes


def _tags(probs, vector, labelled):
    return tag(np.atleast_2d(probs), _unit(vector), *labelled)[0]


def test_an_easy_item_has_no_tag(labelled):
    assert _tags([0.9, 0.05, 0.05], [1, 0, 0, 0], labelled) == []


def test_it_calls_a_small_gap_a_boundary(labelled):
    (found,) = _tags([0.45, 0.4, 0.15], [1, 0, 0, 0], labelled)
    assert (found.name, found.labels) == ("boundary", (0, 1))
    assert found.found == pytest.approx(0.05)
    assert found.rule == "labels 0 and 1 are 0.05 apart, less than 0.20"


def test_it_calls_a_rare_label_the_long_tail(labelled):
    (found,) = _tags([0.05, 0.05, 0.9], [0, 0, 1, 0], labelled)
    assert (found.name, found.labels) == ("long_tail", (2,))
    assert found.found == pytest.approx(1 / 21)
    assert found.rule == "label 2 is on 4.8% of the labelled items, less than 16.7%"


def test_it_calls_what_is_unlike_all_labelled_items_a_domain_shift(labelled):
    (found,) = _tags([0.9, 0.05, 0.05], [0, 0, 0, 1], labelled)
    assert found.name == "domain_shift"
    assert found.found < 0.3 < found.bound
    assert found.rule.startswith("the nearest labelled item has similarity 0.")


def test_it_calls_what_lies_between_two_groups_compositional():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1], 20)
    vectors = _unit(np.eye(3)[codes] + rng.normal(scale=0.2, size=(40, 3)))
    (found,) = tag(np.array([[0.7, 0.3]]), _unit([1, 1, 0]), vectors, codes, rules=Rules(far=0))[0][-1:]
    assert found.name == "compositional"
    assert sorted(found.labels) == [0, 1]
    assert found.found >= 0.02
    assert "closer to the middle of labels" in found.rule


def test_an_item_within_one_group_is_not_compositional(labelled):
    names = [one.name for one in _tags([0.5, 0.5, 0.0], [1, 0, 0, 0], labelled)]
    assert names == ["boundary"]


def test_it_counts_items_by_tag(labelled):
    probs = np.array([[0.45, 0.4, 0.15], [0.05, 0.05, 0.9], [0.9, 0.05, 0.05]])
    found = tag(probs, _unit([[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]), *labelled)
    assert counted(found) == {"boundary": 1, "long_tail": 1, "domain_shift": 0, "compositional": 0}


def test_with_nothing_labelled_only_the_boundary_is_known():
    empty = np.empty((0, 4)), np.empty(0, dtype=int)
    found = tag(np.array([[0.5, 0.5], [1.0, 0.0]]), _unit(np.eye(4)[:2]), *empty)
    assert [[one.name for one in own] for own in found] == [["boundary"], []]


def test_a_model_of_one_label_has_no_boundary(labelled):
    assert tag(np.ones((1, 1)), _unit([1, 0, 0, 0]), np.empty((0, 4)), np.empty(0, dtype=int)) == [[]]


def test_it_refuses_labels_that_the_model_does_not_know(labelled):
    with pytest.raises(ValueError, match="found labels from 0 to 2, expected 0 to 1"):
        tag(np.array([[0.5, 0.5]]), _unit([1, 0, 0, 0]), *labelled)


def test_usual_similarity_is_that_of_the_nearest_other_item():
    vectors = _unit([[1, 0], [1, 0], [0, 1]])
    assert usual_similarity(vectors, 100) == pytest.approx(1.0)
    assert usual_similarity(vectors, 0) == pytest.approx(0.0)
