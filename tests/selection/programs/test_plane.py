from __future__ import annotations

import numpy as np

from selection.programs import plane


def test_it_puts_points_on_a_line_onto_one_axis() -> None:
    pool = np.outer(np.linspace(-1, 1, 11), [3.0, 4.0, 0.0]).astype(np.float32)
    points = plane.project(pool, None, np.array([0, 10]), limit=100, seed=0)
    xs, ys = np.asarray(points["pool"]).T
    assert np.allclose(np.abs(xs), np.abs(np.linspace(-1, 1, 11)), atol=1e-3)
    assert np.allclose(ys, 0, atol=1e-3)
    assert points["shares"][0] == 1.0
    assert points["picked"] == [points["pool"][0], points["pool"][10]]


def test_it_shows_a_sample_of_a_large_pool_and_all_picks() -> None:
    rng = np.random.default_rng(0)
    pool, labelled = rng.normal(size=(500, 6)).astype(np.float32), rng.normal(size=(90, 6)).astype(np.float32)
    points = plane.project(pool, labelled, np.arange(20), limit=100, seed=1)
    assert [len(points[kind]) for kind in ("pool", "labelled", "picked")] == [100, 50, 20]
    assert points == plane.project(pool, labelled, np.arange(20), limit=100, seed=1)


def test_it_does_not_turn_when_the_axes_come_out_mirrored() -> None:
    rng = np.random.default_rng(2)
    pool = (rng.normal(size=(50, 4)) * [5, 2, 1, 0.1]).astype(np.float32)
    first = plane.project(pool, None, np.array([3]), limit=100, seed=0)
    shuffled = pool[::-1].copy()
    second = plane.project(shuffled, None, np.array([46]), limit=100, seed=0)
    assert np.allclose(first["picked"], second["picked"], atol=1e-3)


def test_it_is_empty_where_there_is_nothing_to_span() -> None:
    empty = plane.project(np.zeros((1, 4), dtype=np.float32), None, np.array([0]), limit=10, seed=0)
    assert empty["pool"] == [] and empty["shares"] == []
    assert plane.project(None, None, np.array([], dtype=np.int64), limit=10, seed=0)["pool"] == []


def test_it_places_equal_points_at_the_centre() -> None:
    pool = np.ones((5, 3), dtype=np.float32)
    assert plane.project(pool, pool[:2], np.array([1]), limit=10, seed=0)["pool"] == [[0.0, 0.0]] * 5
