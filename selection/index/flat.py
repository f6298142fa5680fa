"""Exact nearest neighbours by inner product: FAISS, and its brute-force twin in NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Neighbours = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

BLOCK = 4096


def nearest(base: npt.ArrayLike, queries: npt.ArrayLike, k: int) -> Neighbours:
    """The k vectors of `base` with the greatest inner product with each query, by FAISS IndexFlatIP.

    Args:
        base: (m, d), m >= 1. queries: (q, d). k: 1 <= k <= m.

    Returns:
        positions (q, k) int64 and similarities (q, k) float32, most similar first. Of equal similarities any
        may come first. Exact up to float32 rounding. Cost O(q m d).

    Raises:
        ValueError: k out of range, or base and queries of different dimensions.
    """
    import faiss

    held, asked = checked(base, queries, k)
    index = faiss.IndexFlatIP(held.shape[1])
    index.add(held)
    similarity, positions = index.search(asked, k)
    return positions.astype(np.int64), similarity


def nearest_exact(base: npt.ArrayLike, queries: npt.ArrayLike, k: int) -> Neighbours:
    """The twin of `nearest`, without FAISS: a full sort of every row.

    Of equal similarities the lower position is first. Cost O(q m (d + log m)), memory O(4096 m).
    """
    held, asked = checked(base, queries, k)
    positions = np.empty((len(asked), k), dtype=np.int64)
    similarity = np.empty((len(asked), k), dtype=np.float32)
    for start in range(0, len(asked), BLOCK):
        products = asked[start : start + BLOCK] @ held.T
        order = np.argsort(-products, axis=1, kind="stable")[:, :k]
        positions[start : start + BLOCK] = order
        similarity[start : start + BLOCK] = np.take_along_axis(products, order, axis=1)
    return positions, similarity


def checked(base: npt.ArrayLike, queries: npt.ArrayLike, k: int) -> tuple[Vectors, Vectors]:
    """Both as contiguous float32; ValueError where they do not go together or have no k neighbours."""
    held = np.ascontiguousarray(base, dtype=np.float32)
    asked = np.ascontiguousarray(queries, dtype=np.float32)
    if held.ndim != 2 or asked.ndim != 2 or held.shape[1] != asked.shape[1]:
        raise ValueError(
            f"found vectors of shapes {held.shape} and {asked.shape}, expected (m, d) and (q, d): "
            "embed both with one encoder"
        )
    if not 1 <= k <= len(held):
        raise ValueError(f"found k = {k} neighbours among {len(held)} vectors, expected 1 to {len(held)}")
    return held, asked
