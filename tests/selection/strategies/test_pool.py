import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies import errors
from selection.strategies.pool import Pool, candidates, check_embeddings, distinct


def _distinct_by_hand(rows, clusters, taken):
    """Walk the rows in order, keep the first of each cluster that is still open."""
    closed = {clusters[at] for at in taken}
    found = []
    seen = set()
    for at in sorted(range(len(rows)), key=lambda i: rows[i]):
        if clusters[at] not in closed and clusters[at] not in seen:
            found.append(at)
            seen.add(clusters[at])
    return found


@given(st.data())
def test_it_lists_the_lowest_row_of_each_open_cluster(data):
    n = data.draw(st.integers(1, 20))
    rows = data.draw(st.permutations(range(n)))
    clusters = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    taken = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=4))
    pool = Pool(rows=np.array(rows), clusters=np.array(clusters), taken=np.array(taken, dtype=np.int64))
    assert distinct(pool).tolist() == _distinct_by_hand(rows, clusters, taken)


def test_it_takes_all_items_as_different_where_no_clusters_are_given():
    assert distinct(Pool(rows=np.array([4, 2, 9]), taken=np.array([1]))).tolist() == [0, 2]


def test_it_refuses_a_row_that_stands_twice():
    with pytest.raises(errors.PoolError, match="more than once"):
        candidates(Pool(rows=np.array([1, 2, 1])), 1)


def test_it_refuses_columns_of_another_length():
    with pytest.raises(errors.PoolError, match="probs has 2 entries, the pool has 3 items"):
        Pool(rows=np.arange(3), probs=np.full((2, 2), 0.5))


def test_it_refuses_rows_that_are_a_table():
    with pytest.raises(errors.PoolError, match="one dimension"):
        Pool(rows=np.zeros((2, 2), dtype=np.int64))


def test_it_refuses_probabilities_without_a_label_axis():
    with pytest.raises(errors.BadProbabilities, match=r"shape \(3,\)"):
        candidates(Pool(rows=np.arange(3), probs=np.full(3, 0.5)), 1, {"probs"})


def test_it_accepts_the_rounding_of_half_precision():
    vectors = np.random.default_rng(0).normal(size=(50, 384))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    check_embeddings(vectors.astype(np.float16).astype(np.float32))


def test_it_refuses_labelled_embeddings_of_another_width():
    pool, labelled = np.eye(4, dtype=np.float32), np.eye(3, dtype=np.float32)
    with pytest.raises(errors.BadEmbeddings, match="the pool has 4 dimensions: embed both with one encoder"):
        check_embeddings(pool, labelled)


def test_it_refuses_a_labelled_embedding_that_is_zero():
    with pytest.raises(errors.BadEmbeddings, match="1 of 2 embeddings of labelled items are all zero"):
        check_embeddings(np.eye(2, dtype=np.float32), np.array([[1, 0], [0, 0]], dtype=np.float32))


def test_it_refuses_flat_embeddings():
    with pytest.raises(errors.BadEmbeddings, match=r"expected \(items, dimensions\)"):
        check_embeddings(np.ones(4, dtype=np.float32))
