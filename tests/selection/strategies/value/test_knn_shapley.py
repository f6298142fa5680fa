import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.value.data_shapley import exact_shapley
from selection.strategies.value.knn_shapley import State, knn_shapley

few = settings(max_examples=25, deadline=None)


def _drawn(seed, n, m, k=3, d=4):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(n, d)).astype(np.float32),
        rng.integers(k, size=n),
        rng.normal(size=(m, d)).astype(np.float32),
        rng.integers(k, size=m),
    )


def _vote(x, labels, val_x, val_labels, neighbours):
    """The utility by its definition: mean share of right votes, of K, among the nearest of a set."""

    def utility(who):
        if not len(who):
            return 0.0
        shares = []
        for query, right in zip(val_x, val_labels, strict=True):
            nearest = sorted(who, key=lambda i: (-(x[i] @ query), i))[:neighbours]
            shares.append(sum(labels[i] == right for i in nearest) / neighbours)
        return float(np.mean(shares))

    return utility


@few
@given(seed=st.integers(0, 999), n=st.integers(1, 7), m=st.integers(1, 3), neighbours=st.integers(1, 9))
def test_it_equals_enumeration_of_all_sets(seed, n, m, neighbours):
    given_ = _drawn(seed, n, m)
    expected = exact_shapley(_vote(*given_, neighbours), n)
    np.testing.assert_allclose(knn_shapley(*given_, neighbours=neighbours), expected, atol=1e-12)


def test_it_gives_the_worked_example_of_one_neighbour():
    """n = 3, K = 1, nearest first right, wrong, right: s3 = 1/3, s2 = 1/3 - 1/2 = -1/6, s1 = -1/6 + 1 =
    5/6.
    """
    x, labels = np.array([[3.0], [2.0], [1.0]]), np.array([0, 1, 0])
    values = knn_shapley(x, labels, np.array([[1.0]]), np.array([0]), neighbours=1)
    assert values == pytest.approx([5 / 6, -1 / 6, 1 / 3])


@few
@given(seed=st.integers(0, 999), n=st.integers(1, 40), m=st.integers(1, 600), neighbours=st.integers(1, 12))
def test_its_values_add_up_to_the_utility_of_all(seed, n, m, neighbours):
    given_ = _drawn(seed, n, m)
    values = knn_shapley(*given_, neighbours=neighbours)
    assert values.sum() == pytest.approx(_vote(*given_, neighbours)(range(n)), abs=1e-9)


def test_it_gives_a_wrong_label_a_negative_value():
    rng = np.random.default_rng(0)
    kinds = np.array([[4.0, 0.0], [0.0, 4.0]])
    labels, val_labels = np.arange(40) % 2, np.arange(30) % 2
    x, val_x = (kinds[codes] + rng.normal(size=(len(codes), 2)) for codes in (labels, val_labels))
    labels[5] = 1 - labels[5]
    values = knn_shapley(x, labels, val_x, val_labels, neighbours=5)
    assert int(values.argmin()) == 5
    assert values[5] < 0 < np.delete(values, 5).mean()


@few
@given(
    seed=st.integers(0, 999),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)
def test_it_brings_values_up_to_date_as_if_from_nothing(seed, sizes):
    """New training items, then new validation items, then items left out, then corrected labels."""
    n, more, m, more_val = sizes
    x, labels, val_x, val_labels = _drawn(seed, n + more, m + more_val)
    state = State.of(x[:n], labels[:n], val_x[:m], val_labels[:m], neighbours=3)
    state = state.with_training(x[n:], labels[n:])
    np.testing.assert_allclose(
        state.values(), knn_shapley(x, labels, val_x[:m], val_labels[:m], neighbours=3)
    )
    state = state.with_validation(val_x[m:], val_labels[m:])
    np.testing.assert_allclose(state.values(), knn_shapley(x, labels, val_x, val_labels, neighbours=3))
    gone = np.random.default_rng(seed).choice(n + more, size=(n + more) // 2, replace=False)
    state, kept = state.without_training(gone), np.setdiff1d(np.arange(n + more), gone)
    expected = knn_shapley(x[kept], labels[kept], val_x, val_labels, neighbours=3)
    np.testing.assert_allclose(state.values(), expected)
    corrected = (labels[kept] + 1) % 3
    expected = knn_shapley(x[kept], corrected, val_x, val_labels, neighbours=3)
    np.testing.assert_allclose(state.with_labels(corrected).values(), expected)


def test_it_keeps_ties_in_order_of_position_after_an_update():
    x = np.ones((4, 2), dtype=np.float32)
    labels, val = np.array([0, 1, 0, 1]), np.ones((1, 2), dtype=np.float32)
    state = State.of(x[:2], labels[:2], val, np.array([0]), neighbours=2).with_training(x[2:], labels[2:])
    assert state.order.tolist() == [[0, 1, 2, 3]]
    np.testing.assert_allclose(state.values(), knn_shapley(x, labels, val, np.array([0]), neighbours=2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.zeros(2, dtype=int)}, "found 3 embeddings and 2 labels of training items"),
        ({"val_embeddings": np.empty((0, 2)), "val_labels": np.empty(0, dtype=int)}, "validation items"),
        ({"val_embeddings": np.ones((1, 3))}, "found embeddings of width 2 and 3"),
        ({"embeddings": np.full((3, 2), np.nan)}, "training embeddings that are not numbers"),
        ({"neighbours": 0}, "found 0 neighbours, expected 1 or more"),
    ],
)
def test_it_says_what_is_wrong_with_its_input(change, words):
    given_ = {
        "embeddings": np.ones((3, 2)),
        "labels": np.zeros(3, dtype=int),
        "val_embeddings": np.ones((1, 2)),
        "val_labels": np.zeros(1, dtype=int),
    }
    with pytest.raises(ValueError, match=words):
        knn_shapley(**{**given_, **change})


def test_it_refuses_to_leave_nothing():
    x, labels, val_x, val_labels = _drawn(0, 2, 1)
    state = State.of(x, labels, val_x, val_labels)
    with pytest.raises(ValueError, match="no training item left"):
        state.without_training(np.array([0, 1]))
    with pytest.raises(ValueError, match="found 1 labels, expected 2"):
        state.with_labels(np.array([0]))
