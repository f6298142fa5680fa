"""Prediction depth: the layer from which an answer stands. Late where an item is hard (Baldock et al. 2021).

l  layers, the input's embedding first      n  items      m  labelled items      d  width      v  size of the
vocabulary
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


def prediction_depth(by_layer: Ints, final: Ints) -> Ints:
    """(n,) the first layer from which all layers agree with the final answer, 0..l; l where the last one
    does not.

    Args:
        by_layer: (l, n) what each layer says. final: (n,) what the model says.

    >>> prediction_depth(np.array([[1, 0], [1, 1], [1, 1]]), np.array([1, 1])).tolist()
    [0, 1]
    """
    if by_layer.ndim != 2 or by_layer.shape[1:] != np.shape(final):
        raise ValueError(
            f"found answers of shapes {by_layer.shape} by layer and {np.shape(final)}, "
            "expected (layers, items) and (items,)"
        )
    agrees = by_layer == final
    stands = np.logical_and.accumulate(agrees[::-1], axis=0)[::-1]
    return (len(by_layer) - stands.sum(axis=0)).astype(np.int64)


def lens(hidden: Floats, unembed: Floats, normalise: Callable[[Floats], Floats] = lambda rows: rows) -> Ints:
    """(l, n) the token that each layer would say, by the logit lens (nostalgebraist 2020).

    Args:
        hidden: (l, n, d) states of the position that answers. unembed: (v, d) the output layer.
        normalise: the model's last normalisation, which its output layer expects, (n, d) -> (n, d).

    Of equal logits the lower token. O(l n v d).
    """
    return np.stack([(normalise(layer) @ unembed.T).argmax(axis=1) for layer in hidden]).astype(np.int64)


def neighbour_votes(hidden: Floats, labelled: Floats, labels: Ints, *, neighbours: int = 30) -> Ints:
    """(l, n) the label that most of the nearest labelled items have in each layer, by Euclidean distance.

    Args:
        hidden: (l, n, d) of the items, labelled: (l, m, d) of labelled ones in the same layers. labels: (m,)
        from 0.

    With `neighbours` above m all vote. Ties: the lower label. As in the definition of Baldock et al. O(l n m
    d).
    """
    if not len(labels) or hidden.shape[0] != labelled.shape[0]:
        raise ValueError(
            f"found {hidden.shape[0]} and {labelled.shape[0]} layers and {len(labels)} labelled items, "
            "expected the same layers of both and a labelled item at least"
        )
    k, count = int(labels.max()) + 1, min(neighbours, len(labels))
    out = np.empty(hidden.shape[:2], dtype=np.int64)
    for layer, (own, known) in enumerate(zip(hidden, labelled, strict=True)):
        far = (known**2).sum(axis=1) - 2 * own @ known.T  # less the item's own square, which all share
        nearest = np.argsort(far, axis=1, kind="stable")[:, :count]
        votes = (labels[nearest][:, :, None] == np.arange(k)).sum(axis=1)
        out[layer] = votes.argmax(axis=1)
    return out
