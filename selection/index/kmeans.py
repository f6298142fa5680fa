"""K-means on the unit sphere, by FAISS (imported when first called)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.learning.threads import one_blas_thread

Vectors = npt.NDArray[np.float32]

ITERATIONS = 20
STARTS_PER_CLUSTER = 64
CELL_ITERATIONS = 6
POINTS_PER_CELL = 32
BLOCK = 8192


@dataclass(frozen=True)
class Clusters:
    """What k-means found.

    Attributes:
        centres: (k, d) float32, of length one.
        of: (n,) int64, the centre of greatest inner product with each vector.
        similarity: (n,) float32, that product.
    """

    centres: Vectors
    of: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float32]


def kmeans(vectors: npt.ArrayLike, k: int, *, seed: int, iterations: int = ITERATIONS) -> Clusters:
    """Spherical k-means (Dhillon & Modha 2001): centres have length one, closeness is the cosine.

    Args:
        vectors: (n, d), rows of length one.
        k: 1 <= k <= n.
        seed: 0 <= seed < 2^31; the same seed gives the same centres on the same machine.

    Centres start from k-means++ (`spread_start`) and FAISS improves them, on at most 256 k vectors drawn by
    the seed. Some clusters can stay empty where vectors coincide. O(min(n, 256 k) k d iterations + n k d).
    """
    import faiss

    given = np.ascontiguousarray(vectors, dtype=np.float32)
    if not 1 <= k <= len(given):
        raise ValueError(f"found {k} clusters for {len(given)} vectors, expected 1 to {len(given)}")
    learner = faiss.Kmeans(
        given.shape[1], k, niter=iterations, seed=seed, spherical=True, min_points_per_centroid=1
    )
    learner.train(given, init_centroids=spread_start(given, k, np.random.default_rng(seed)))
    similarity, nearest = learner.index.search(given, 1)
    return Clusters(np.array(learner.centroids), nearest[:, 0].astype(np.int64), similarity[:, 0])


def cells(vectors: Vectors, count: int, *, seed: int) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """(centres (count, d), cell of each of (n, d)): rough, for looking things up. Some cells can stay empty.

    Six iterations from a random start, on at most 32 vectors a cell. The same seed gives the same on one
    machine. O(n count d).
    """
    import faiss

    learner = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=CELL_ITERATIONS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=POINTS_PER_CELL,
    )
    learner.train(vectors)
    centres = np.array(learner.centroids)
    return centres, np.concatenate(
        [(vectors[at : at + BLOCK] @ centres.T).argmax(axis=1) for at in range(0, len(vectors), BLOCK)]
    )


def spread_start(vectors: Vectors, k: int, rng: np.random.Generator) -> Vectors:
    """(k, d) vectors to start from, by k-means++ (Arthur & Vassilvitskii 2007) on at most 64 k of (n, d).

    Each next one is drawn with a chance that grows with its squared distance, 2 - 2 cosine, to the nearest so
    far: two starts in one dense spot, which k-means cannot mend, become rare. Cost O(min(n, 64 k) k d).
    """
    most = STARTS_PER_CLUSTER * k
    if len(vectors) > most:
        vectors = vectors[np.sort(rng.choice(len(vectors), size=most, replace=False))]
    chosen = [int(rng.integers(len(vectors)))]
    with one_blas_thread():  # k small products in a row: two threads took ten times as long beside other work
        nearest = vectors @ vectors[chosen[0]]
        for _ in range(k - 1):
            # Rounding leaves a trace of distance between a vector and itself, by which it would be drawn again.
            distance = np.where(nearest > 1 - 1e-6, 0.0, 2 - 2 * nearest.astype(np.float64))
            total = distance.sum()
            at = rng.choice(len(vectors), p=distance / total) if total > 0 else rng.integers(len(vectors))
            chosen.append(int(at))
            nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return np.ascontiguousarray(vectors[chosen])
