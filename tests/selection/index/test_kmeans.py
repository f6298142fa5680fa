import numpy as np
import pytest

from selection.index.kmeans import kmeans


def _unit(seed, n, d=6):
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_it_assigns_every_vector_to_the_centre_that_brute_force_names():
    vectors = _unit(0, 200)
    found = kmeans(vectors, 7, seed=1)
    products = vectors @ found.centres.T
    assert found.of.tolist() == products.argmax(axis=1).tolist()
    np.testing.assert_allclose(found.similarity, products.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.centres, axis=1), 1, atol=1e-5)


def test_it_ends_where_another_step_of_the_plain_method_changes_little():
    vectors = _unit(0, 200)
    found = kmeans(vectors, 4, seed=1, iterations=100)
    for number in range(4):
        mean = vectors[found.of == number].mean(axis=0)
        assert found.centres[number] @ (mean / np.linalg.norm(mean)) > 0.999


def test_it_gives_the_same_clusters_for_the_same_seed():
    vectors = _unit(0, 300)
    first, again, other = (kmeans(vectors, 9, seed=seed) for seed in (5, 5, 6))
    assert first.of.tolist() == again.of.tolist()
    assert first.centres.tolist() == again.centres.tolist() != other.centres.tolist()


@pytest.mark.parametrize("k", [0, 4])
def test_it_refuses_more_clusters_than_vectors_and_none(k):
    with pytest.raises(ValueError, match=f"found {k} clusters for 3 vectors, expected 1 to 3"):
        kmeans(_unit(0, 3), k, seed=0)
