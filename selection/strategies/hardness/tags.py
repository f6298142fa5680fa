"""What kind of hard an item is: boundary, long tail, domain shift, compositional, each with the rule that
said so.

n  hard items      m  labelled items      d  width of an embedding      k  labels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

BOUNDARY, LONG_TAIL, DOMAIN_SHIFT, COMPOSITIONAL = "boundary", "long_tail", "domain_shift", "compositional"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Attributes:
    gap: boundary: the two likeliest labels are less than this apart in probability.
    rare: long tail: fewer labelled items carry its label than this share of an even part, 1 / k.
    far: domain shift: its nearest labelled item is less similar than this percentile of what labelled items
    have among
        themselves.
    mix: compositional: of its `neighbours` nearest labelled items at least this share has each of two
    labels...
    between: ...and it lies this much closer (in cosine) to the middle of the two groups than to either of
    them.
    """

    gap: float = 0.2
    rare: float = 0.5
    far: float = 5.0
    mix: float = 0.3
    between: float = 0.02
    neighbours: int = 10


@dataclass(frozen=True)
class Tag:
    """`name` of the kind; the rule compared `found` with `bound`. `labels`: the two labels, where there are
    two.
    """

    name: str
    found: float
    bound: float
    labels: tuple[int, ...] = ()

    @property
    def rule(self) -> str:
        """The rule with its figures, in English; pages write their own."""
        first = self.labels[0] if self.labels else -1
        second = self.labels[1] if len(self.labels) > 1 else -1
        found, bound = self.found, self.bound
        return {
            BOUNDARY: f"labels {first} and {second} are {found:.2f} apart, less than {bound:.2f}",
            LONG_TAIL: f"label {first} is on {found:.1%} of the labelled items, less than {bound:.1%}",
            DOMAIN_SHIFT: f"the nearest labelled item has similarity {found:.2f}, less than {bound:.2f}",
            COMPOSITIONAL: f"it is {found:.3f} closer to the middle of labels {first} and {second} than to "
            f"either, at least {bound:.3f}",
        }[self.name]


def tag(
    probs: Floats,
    embeddings: Floats,
    labelled_embeddings: Floats,
    labelled: Ints,
    *,
    rules: Rules | None = None,
) -> list[list[Tag]]:
    """The tags of each hard item, in the order of the names above; an item can have none or several.

    Args:
        probs: (n, k) by the model, rows summing to one. embeddings: (n, d), labelled_embeddings: (m, d),
        rows of
            length one. labelled: (m,) labels in 0..k-1 of the labelled items.

    The label of an item is the likeliest one. With fewer than two labelled items nothing but the boundary is
    known.
    O((n + m) m d).
    """
    given = rules or Rules()
    k = probs.shape[1]
    if len(labelled) and (labelled.min() < 0 or labelled.max() >= k):
        raise ValueError(f"found labels from {labelled.min()} to {labelled.max()}, expected 0 to {k - 1}")
    out: list[list[Tag]] = [[] for _ in range(len(probs))]
    order = np.argsort(-probs, axis=1, kind="stable")
    for item in range(len(probs)) if k > 1 else ():
        first, second = int(order[item, 0]), int(order[item, 1])
        gap = float(probs[item, first] - probs[item, second])
        if gap < given.gap:
            out[item].append(Tag(BOUNDARY, gap, given.gap, (first, second)))
    if len(labelled) < 2:
        return out
    shares = np.bincount(labelled, minlength=k) / len(labelled)
    far = usual_similarity(labelled_embeddings, given.far)
    similarity = np.asarray(embeddings @ labelled_embeddings.T, dtype=np.float64)
    count = min(given.neighbours, len(labelled))
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    for item in range(len(probs)):
        label = int(order[item, 0])
        if shares[label] < given.rare / k:
            out[item].append(Tag(LONG_TAIL, float(shares[label]), given.rare / k, (label,)))
        closest = float(similarity[item, nearest[item, 0]])
        if closest < far:
            out[item].append(Tag(DOMAIN_SHIFT, closest, far))
        near = nearest[item]
        if found := _between(embeddings[item], labelled_embeddings[near], labelled[near], given):
            out[item].append(found)
    return out


def usual_similarity(vectors: Floats, percentile: float) -> float:
    """The percentile of each vector's similarity to its nearest other one. vectors: (m, d), m >= 2. O(m^2
    d).
    """
    nearest = np.empty(len(vectors))
    for start in range(0, len(vectors), 1024):
        block = np.asarray(vectors[start : start + 1024] @ vectors.T, dtype=np.float64)
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf
        nearest[start : start + 1024] = block.max(axis=1)
    return float(np.percentile(nearest, percentile))


def _between(item: Floats, near: Floats, labels: Ints, rules: Rules) -> Tag | None:
    """Whether the item lies between two of its neighbours' labels: near (c, d), labels (c,)."""
    names, counts = np.unique(labels, return_counts=True)
    two = sorted(range(len(names)), key=lambda at: (-counts[at], at))[:2]
    if len(two) < 2 or counts[two[1]] < rules.mix * len(labels):
        return None
    groups = [_unit(near[labels == names[at]].mean(axis=0)) for at in two]
    middle = _unit(groups[0] + groups[1])
    closer = float(item @ middle - max(item @ groups[0], item @ groups[1]))
    if closer < rules.between:
        return None
    return Tag(COMPOSITIONAL, closer, rules.between, (int(names[two[0]]), int(names[two[1]])))


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def counted(tags: Sequence[Sequence[Tag]]) -> dict[str, int]:
    """How many items carry each tag, in the order of the names."""
    names = (BOUNDARY, LONG_TAIL, DOMAIN_SHIFT, COMPOSITIONAL)
    return {name: sum(any(one.name == name for one in own) for own in tags) for name in names}
