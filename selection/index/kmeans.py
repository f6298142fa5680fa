"""K-means on the unit sphere, by FAISS (imported when first called)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

ITERATIONS = 20


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

    FAISS learns the centres on at most 256 k vectors drawn by the seed. Some clusters can stay empty where
    vectors coincide. Cost O(min(n, 256 k) k d iterations + n k d).
    """
    import faiss

    given = np.ascontiguousarray(vectors, dtype=np.float32)
    if not 1 <= k <= len(given):
        raise ValueError(f"found {k} clusters for {len(given)} vectors, expected 1 to {len(given)}")
    learner = faiss.Kmeans(
        given.shape[1], k, niter=iterations, seed=seed, spherical=True, min_points_per_centroid=1
    )
    learner.train(given)
    similarity, nearest = learner.index.search(given, 1)
    return Clusters(np.array(learner.centroids), nearest[:, 0].astype(np.int64), similarity[:, 0])
