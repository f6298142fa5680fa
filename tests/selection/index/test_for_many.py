from __future__ import annotations

import numpy as np
import pytest

from selection.index import for_many
from selection.index.flat import nearest_exact
from selection.index.for_many import nearest_for_many


def unit(n: int, d: int = 16, seed: int = 0, centres: int = 12):
    rng = np.random.default_rng(seed)
    around = np.random.default_rng(99).standard_normal((centres, d))
    points = rng.standard_normal((n, d)) * 0.6 + around[rng.integers(centres, size=n)]
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("base", "queries", "k"), [(1, 3, 1), (7, 50, 7), (90, 40, 10), (700, 2100, 10)])
def test_it_is_exact_where_there_is_little_to_compare(base, queries, k):
    held, asked = unit(base), unit(queries, seed=1)
    places, similarity = nearest_for_many(held, asked, k)
    wanted, close = nearest_exact(held, asked, k)
    np.testing.assert_allclose(similarity, close, atol=1e-6)
    assert (places == wanted).mean() > 0.999  # but for ties in the last bit
    assert (places.dtype, similarity.dtype) == (np.int32, np.float32)


def test_over_cells_it_finds_nearly_all_and_says_never_too_much(monkeypatch):
    monkeypatch.setattr(for_many, "QUERIES", 500)
    held, asked = unit(2000, 32), unit(1500, 32, seed=1)
    places, similarity = nearest_for_many(held, asked, 10, exact_pairs=0)
    wanted, close = nearest_exact(held, asked, 10)
    found = np.mean(
        [len(set(a) & set(b)) / 10 for a, b in zip(places.tolist(), wanted.tolist(), strict=True)]
    )
    assert found > 0.85
    assert (similarity <= close + 1e-6).all() and (np.diff(similarity, axis=1) <= 0).all()
    np.testing.assert_allclose(similarity, (asked[:, None] * held[places]).sum(axis=2), atol=1e-6)
    again = nearest_for_many(held, asked, 10, exact_pairs=0)
    assert (again[0] == places).all() and (again[1] == similarity).all()


def test_cells_hold_enough_for_many_neighbours():
    held = unit(600)
    places, _similarity = nearest_for_many(held, unit(5, seed=1), 550, exact_pairs=0)
    assert all(len(set(row)) == 550 for row in places.tolist())


def test_equal_vectors_come_by_their_position():
    held = np.repeat(unit(3), 200, axis=0)
    places, _similarity = nearest_for_many(held, unit(4, seed=1), 5, exact_pairs=0)
    assert all((np.diff(row) == 1).all() and row[0] % 200 == 0 for row in places)


def test_no_query_gives_nothing_and_too_many_neighbours_are_refused():
    assert nearest_for_many(unit(5), unit(3)[:0], 2)[0].shape == (0, 2)
    with pytest.raises(ValueError, match="found k = 9 neighbours among 5 vectors"):
        nearest_for_many(unit(5), unit(3), 9)
