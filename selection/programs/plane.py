"""A map of the pool: embeddings in two dimensions by principal components, for the eye only."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt

from training.learning.threads import one_blas_thread

Floats = npt.NDArray[np.float32]


class Points(TypedDict):
    """Coordinates by kind of point, each [x, y] in [-1, 1]; `shares`: of the variance on each axis."""

    pool: list[list[float]]
    labelled: list[list[float]]
    picked: list[list[float]]
    shares: list[float]


def project(
    pool: Floats | None,
    labelled: Floats | None,
    picked: npt.NDArray[np.int64],
    *,
    limit: int,
    seed: int,
) -> Points:
    """At most `limit` pool and `limit // 2` labelled points, and all picked ones, on the plane of greatest
    variance.

    The axes come from the pool's sample alone, so that a few labelled outliers do not turn the map. The sign
    of each axis is fixed (its largest loading is positive): the same data gives the same map. Cost O(limit
    d^2).

    Args:
        pool: (n, d); None or fewer than two points give an empty map.
        labelled: (m, d) or None.
        picked: (c,) indices into `pool`.
    """
    if pool is None or len(pool) < 2:
        return Points(pool=[], labelled=[], picked=[], shares=[])
    rng = np.random.default_rng([seed, 3])
    shown = pool[_sample(rng, len(pool), limit)].astype(np.float64)
    centre = shown.mean(axis=0)
    shown_from_centre = shown - centre
    with one_blas_thread():
        variance, vectors = np.linalg.eigh(shown_from_centre.T @ shown_from_centre)
    axes, variance = vectors[:, :-3:-1].T, np.maximum(variance[::-1], 0.0)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    axes = axes * np.where(signs == 0, 1.0, signs)[:, None]
    scale = float(np.abs(shown_from_centre @ axes.T).max()) or 1.0

    def place(points: npt.NDArray[np.floating]) -> list[list[float]]:
        flat = np.clip((points - centre) @ axes.T / scale, -1.0, 1.0)
        if flat.shape[1] < 2:
            flat = np.hstack([flat, np.zeros((len(flat), 2 - flat.shape[1]))])
        return [[float(x), float(y)] for x, y in np.round(flat, 4)]

    total = float(variance.sum()) or 1.0
    few = (
        labelled[_sample(rng, len(labelled), limit // 2)]
        if labelled is not None
        else np.empty((0, pool.shape[1]))
    )
    return Points(
        pool=place(shown),
        labelled=place(few),
        picked=place(pool[picked]),
        shares=[round(float(share), 4) for share in (variance / total)[:2]],
    )


def _sample(rng: np.random.Generator, count: int, limit: int) -> npt.NDArray[np.int64]:
    if count <= limit:
        return np.arange(count)
    return np.sort(rng.choice(count, size=limit, replace=False))
