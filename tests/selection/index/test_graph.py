import numpy as np
import pytest

from selection.index import graph
from selection.index.graph import neighbour_graph


def _unit(rng, n, d):
    vectors = rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_it_finds_the_nearest_of_every_vector_and_itself():
    vectors = _unit(np.random.default_rng(0), 60, 5)
    found = neighbour_graph(vectors, 7)
    wide = vectors.astype(np.float64)
    for row, close in enumerate(wide @ wide.T):
        assert set(found.neighbours[row].tolist()) == set(np.argsort(-close)[:7].tolist())
        assert row in found.neighbours[row]
        assert found.similarity[row] == pytest.approx(np.maximum(close[found.neighbours[row]], 0), abs=2**-16)


def test_its_similarities_are_multiples_of_a_step_from_0_to_1():
    found = neighbour_graph(_unit(np.random.default_rng(1), 50, 3), 50)
    steps = found.similarity.astype(np.float64) * graph.STEPS
    assert (steps == np.round(steps)).all()
    assert found.similarity.min() == 0 and found.similarity.max() == 1


def test_it_finds_most_neighbours_when_it_looks_only_through_near_cells(monkeypatch):
    monkeypatch.setattr(graph, "EXACT", 500)
    rng = np.random.default_rng(2)
    centres = _unit(rng, 30, 16)
    vectors = centres[rng.integers(30, size=4000)] + rng.normal(scale=0.1, size=(4000, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = neighbour_graph(vectors, 10)
    close = vectors @ vectors.T
    least = np.partition(close, -10, axis=1)[:, -10]
    recall = (found.similarity >= least[:, None] - 1e-4).mean()
    assert recall > 0.9
    again = neighbour_graph(vectors, 10)
    assert (found.neighbours == again.neighbours).all()


def test_it_leaves_places_empty_where_there_are_too_few_vectors():
    found = neighbour_graph(_unit(np.random.default_rng(3), 3, 4), 10)
    assert found.neighbours.shape == (3, 3)
    assert sorted(found.neighbours[0].tolist()) == [0, 1, 2]
