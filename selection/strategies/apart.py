"""Exact greedy choice for scores that fall as the closest chosen item comes nearer, without looking at every
item for every pick: MMR, k-center and the blend are made of it.

    score_i(S) = fixed_i + weight_i gain(near_i(S)),   near_i(S) = max over j in S of e_i . e_j

with a `gain` that never rises. S only grows, so near only rises and a score only falls: a score against a part
of S is an upper bound of the score against all of it (Minoux 1978, "Accelerated greedy algorithms"). So:

* one pass against the first member of S gives every item a bound;
* a small active set, the items of best score, is kept against all of S: one product in the cache a pick;
* when the best of the active set no longer beats the greatest bound of the others, those others whose bound
  reaches into the active set are brought up to date, in blocks of members, and are given up as soon as a
  block has pushed them below it. Then the best of all become the active set.

**Arithmetic.** Products of float32 differ in their last bits with the shape they are computed in, so "the
greatest score" needs a definition: a similarity is the sum over the dimensions of products in float64, added
by NumPy along the row, and scores are float64 on top. Products in float32 serve as approximations with a
proven error (`error_of`): an item is picked when no other can beat it by more than the error, and where
several may, theirs are computed as defined. Equal scores: the lower position. So the picks are those of the
naive greedy in that arithmetic, whatever BLAS, thread count and block size.

n items, d dimensions, m members given at the start, c picks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.strategies.pool import Floats, Indices
from training.learning.threads import one_blas_thread

Gain = Callable[[Floats], Floats]
Wide = npt.NDArray[np.float64]

ACTIVE = 4096  # rows kept against all of S: 6 MB at d = 384, which stays in the cache
PART = 1024  # rows that a thread brings up to date at a time
MEMBERS = 64  # members of S in one product of the catching up: enough for BLAS, few enough to give up early
FIRST_MEMBERS = 16  # of those given at the start, compared with every item at once


@dataclass(frozen=True)
class Apart:
    """What the greedy choice found.

    Attributes:
        chosen: (c,) int64 positions, in order.
        near: (c,) greatest similarity to S when the item was picked; NaN where S was empty.
        scores: (c,) score when picked.
        compared: similarities that were worked out, of the n c that the naive greedy needs.
        lifted: the last so many picks were made without quotas, since these left nothing to pick.
    """

    chosen: Indices
    near: Wide
    scores: Wide
    compared: int
    lifted: int = 0


@dataclass(frozen=True)
class Quota:
    """At most `most[g]` items of group g. groups: (n,) int; most: (g,) int, 0 shuts a group out."""

    groups: Indices
    most: Indices


def error_of(dimensions: int) -> float:
    """How far a float32 product of two vectors of length one may lie from the exact one.

    d u for any order of the additions (Higham 2002, section 3.1), u = 2^-24, with 3 u for rounding the inputs
    from float64 and 5 % for lengths that the door lets pass.

    >>> error_of(384) < 3e-5
    True
    """
    return (dimensions + 3) * 2.0**-24 * 1.05


def similarity(left: Floats, right: Floats) -> Wide:
    """(r,) similarities of the rows of `left` (r, d) to `right` (d,) or (r, d), as defined above. O(r d)."""
    return (np.asarray(left, dtype=np.float64) * right).sum(axis=-1)


def product(left: Floats, right: Floats) -> Floats:
    """`left @ right`. BLAS works on whole registers, and what lies beyond the end of a short row in one may set
    the processor's flags for a number that nobody reads: NumPy's warning of it says nothing here.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return left @ right


def keep_apart(
    embeddings: Floats,
    fixed: Floats,
    gain: Gain,
    count: int,
    *,
    weight: Floats | None = None,
    members: Floats | None = None,
    members_near: Floats | None = None,
    quotas: Sequence[Quota] = (),
    first: int | None = None,
    active: int = ACTIVE,
) -> Apart:
    """The `count` items of the greedy choice.

    Args:
        embeddings: (n, d), rows of length one, float32 to be fast.
        fixed: (n,) the part of the score that does not change; -inf says that an item is out.
        gain: elementwise, never rising, finite; takes float64.
        count: 1 <= count <= items that are not out.
        weight: (n,) >= 0, factors of the gain; None for 1.
        members: (m, d) what S holds at the start.
        members_near: (n,) the similarity to some of these members, as a float32 product gives it; the nearer
            that member, the fewer items are compared with all of them. The picks are the same without.
        quotas: items of a group whose quota is used up are out. Once nothing else is left, quotas are lifted.
        first: position of the first pick, where it is not for the score to choose.
        active: size of the active set.

    While S is empty the score is `fixed` alone. Ties: the lower position. Deterministic. Time between O(n d)
    and the O(n c d) of the naive greedy, by how fast the bounds fall; memory O(n), and a float32 copy of the
    embeddings if they are of another type.
    """
    search = _Search(embeddings, fixed, gain, weight, members, count, active)
    if members is not None and len(members):
        search.start_from(members_near)
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        return search.run(count, first, quotas, threads)


def apart_among(
    embeddings: Floats, open_: Indices, fixed: Floats, gain: Gain, count: int, **choices: Any
) -> tuple[Indices, Apart]:
    """`keep_apart` among the positions `open_` (n',) alone; `fixed`, and `weight`, `members_near` and
    `quotas` of the choices, are aligned with them.

    Returns (places in `open_`, what was found). Ties: the lower place. The embeddings are copied only where
    `open_` does not ascend, or is less than half of them.
    """
    ascends = bool((np.diff(open_) > 0).all())
    if not ascends or 2 * len(open_) < len(embeddings):
        found = keep_apart(embeddings[open_], fixed, gain, count, **choices)
        return found.chosen, found
    if len(open_) == len(embeddings):
        found = keep_apart(embeddings, fixed, gain, count, **choices)
        return found.chosen, found
    n = len(embeddings)
    wide = np.full(n, -np.inf)
    wide[open_] = fixed

    def spread(values: Floats | Indices) -> Any:
        everywhere = np.zeros(n, dtype=values.dtype)
        everywhere[open_] = values
        return everywhere

    for name in ("weight", "members_near"):
        if choices.get(name) is not None:
            choices[name] = spread(choices[name])
    choices["quotas"] = [Quota(spread(quota.groups), quota.most) for quota in choices.get("quotas", ())]
    if choices.get("first") is not None:
        choices["first"] = int(open_[choices["first"]])
    found = keep_apart(embeddings, wide, gain, count, **choices)
    return np.searchsorted(open_, found.chosen), found


class _Search:
    """The state of one choice. `seen`: members of S that `near` and `bound` of an item count already."""

    def __init__(
        self,
        embeddings: Floats,
        fixed: Floats,
        gain: Gain,
        weight: Floats | None,
        members: Floats | None,
        count: int,
        active: int,
    ) -> None:
        n, d = embeddings.shape
        given = np.empty((0, d), dtype=np.float32) if members is None else members
        self.exact, self.vectors = embeddings, np.ascontiguousarray(embeddings, dtype=np.float32)
        self.fixed = np.array(fixed, dtype=np.float64)
        self.weight = None if weight is None else np.asarray(weight, dtype=np.float64)
        self.gain, self.error, self.size = gain, error_of(d), active
        self.members = np.zeros((len(given) + count, d), dtype=np.result_type(embeddings, given))
        self.members[: len(given)] = given
        self.flat = self.members.astype(np.float32)
        self.held = len(given)
        self.near = np.full(n, -np.inf, dtype=np.float32)
        self.seen = np.zeros(n, dtype=np.int32)
        self.bound = self.fixed.copy()
        self.sure = np.full(n, -np.inf)  # near in the defined arithmetic, for the first `sure_seen` members
        self.sure_seen = np.zeros(n, dtype=np.int32)
        self.rows: Indices = np.empty(0, dtype=np.int64)  # the active set
        self.active_near = np.empty(0, dtype=np.float32)
        self.active_vectors = np.empty((0, d), dtype=np.float32)
        self.rest = np.inf  # no item outside the active set scores more
        self.compared = 0
        self.is_bounded = False

    def run(
        self,
        count: int,
        first: int | None,
        quotas: Sequence[Quota],
        threads: ThreadPoolExecutor,
    ) -> Apart:
        chosen = np.empty(count, dtype=np.int64)
        near, scores = np.full(count, np.nan), np.empty(count)
        left = [np.array(quota.most) for quota in quotas]
        before, lifted = self.fixed.copy(), 0
        for quota, most in zip(quotas, left, strict=True):
            self._close(np.flatnonzero(most[quota.groups] <= 0))
        if self.held and not self.is_bounded:
            self._first_pass(threads)
        for rank in range(count):
            at = first if rank == 0 and first is not None else None
            if at is None and quotas and self.fixed.max() == -np.inf:
                quotas, left, lifted = (), [], count - rank
                self._open(before, chosen[:rank])
            if self.held == 0:
                at = int(np.argmax(self.fixed)) if at is None else at
                scores[rank] = self.fixed[at]
            else:
                at = self._best(threads) if at is None else at
                near[rank] = self._sure_near(np.array([at]))[0]
                scores[rank] = self._score(np.array([at]), near[rank : rank + 1])[0]
            chosen[rank] = at
            self._add(at)
            if self.held == 1:
                self._first_pass(threads)
            self._close(np.array([at]))
            for quota, most in zip(quotas, left, strict=True):
                own = quota.groups[at]
                most[own] -= 1
                if most[own] == 0:
                    self._close(np.flatnonzero(quota.groups == own))
        return Apart(chosen, near, scores, self.compared, lifted)

    def start_from(self, near: Floats | None) -> None:
        """Give every item a bound by a member that it is known to be so near to: nothing is counted as seen."""
        if near is not None:
            self.near[:] = near
            self.bound = self._score(np.arange(len(self.near)), self.near, -self.error)
            self.is_bounded = True

    def _score(self, rows: Indices, near: Floats, off: float = 0.0) -> Wide:
        part = self.gain(near.astype(np.float64) + off)
        return self.fixed[rows] + (part if self.weight is None else self.weight[rows] * part)

    def _close(self, rows: Indices) -> None:
        """These can be picked no more."""
        self.fixed[rows] = -np.inf
        self.bound[rows] = -np.inf

    def _open(self, fixed: Wide, chosen: Indices) -> None:
        """All but the chosen can be picked again, with the scores they had."""
        self.fixed = fixed
        self.fixed[chosen] = -np.inf
        if self.held:
            self._store()
            self.bound = self._score(np.arange(len(fixed)), self.near, -self.error)
            self.rest = np.inf  # so that the active set is made anew

    def _add(self, at: int) -> None:
        self.members[self.held], self.flat[self.held] = self.exact[at], self.vectors[at]
        self.held += 1
        if len(self.rows):
            self.active_near = np.maximum(self.active_near, product(self.active_vectors, self.vectors[at]))
            self.compared += len(self.rows)

    def _first_pass(self, threads: ThreadPoolExecutor) -> None:
        """Give every item a bound, by the first members."""
        upto = min(self.held, FIRST_MEMBERS)
        block = self.flat[:upto]

        def work(start: int) -> None:
            part = slice(start, start + 16 * PART)
            if upto == 1:
                self.near[part] = product(self.vectors[part], block[0])
            else:
                self.near[part] = product(block, self.vectors[part].T).max(axis=0)

        list(threads.map(work, range(0, len(self.near), 16 * PART)))
        self.seen[:] = upto
        self.compared += upto * len(self.near)
        every = np.arange(len(self.near))
        self.bound = self._score(every, self.near, -self.error)

    def _best(self, threads: ThreadPoolExecutor) -> int:
        """The item to pick next."""
        floor = self._floor()
        if floor <= self.rest:
            self._refresh(threads)
            floor = self._floor()
        if floor > self.rest:
            rivals = self.rows[self._score(self.rows, self.active_near, -self.error) >= floor]
        else:  # more items than the active set holds are as good as the best, to within the error
            self._store()
            stale = np.flatnonzero((self.bound >= floor) & (self.seen < self.held))
            self._catch_up_all(stale, floor, threads)
            rivals = np.flatnonzero(self.bound >= floor)
        if len(rivals) == 1:
            return int(rivals[0])
        rivals.sort()
        return int(rivals[np.argmax(self._score(rivals, self._sure_near(rivals)))])

    def _sure_near(self, rows: Indices) -> Wide:
        """(r,) near in the defined arithmetic; only members that may be the closest are worked out."""
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            oldest = int(self.sure_seen[part].min())
            close = product(self.flat[oldest : self.held], self.vectors[part].T)
            at, who = np.nonzero(close >= close.max(axis=0, initial=-np.inf) - 2 * self.error)
            found = similarity(self.exact[part[who]], self.members[oldest + at])
            np.maximum.at(self.sure, part[who], found)
            self.sure_seen[part] = self.held
        return self.sure[rows]

    def _floor(self) -> float:
        """What the best of the active set scores at least."""
        if not len(self.rows):
            return -np.inf
        return float(self._score(self.rows, self.active_near, self.error).max())

    def _store(self) -> None:
        """Book what the active set knows."""
        self.near[self.rows], self.seen[self.rows] = self.active_near, self.held
        self.bound[self.rows] = self._score(self.rows, self.active_near, -self.error)

    def _refresh(self, threads: ThreadPoolExecutor) -> None:
        """Make the active set anew: the items of best score, and `rest`, a bound of all others."""
        self._store()
        fresh = self.rows[self.bound[self.rows] > -np.inf]
        level = self._level(fresh)
        missing = (self.bound >= level) & (self.bound > -np.inf)
        missing[fresh] = False
        todo = np.flatnonzero(missing)
        while len(todo):
            if len(todo) > 4 * self.size:
                order = np.argpartition(-self.bound[todo], 4 * self.size)
                now, todo = todo[order[: 4 * self.size]], todo[order[4 * self.size :]]
            else:
                now, todo = todo, todo[:0]
            self._catch_up_all(now, level, threads)
            fresh = np.concatenate([fresh, now[self.seen[now] == self.held]])
            level = self._level(fresh)
            todo = todo[self.bound[todo] >= level]
        if len(fresh) > self.size:
            fresh = fresh[np.argpartition(-self.bound[fresh], self.size)[: self.size]]
        self.rows = fresh
        self.active_vectors = self.vectors[fresh]
        self.active_near = self.near[fresh]
        kept = self.bound[fresh]
        self.bound[fresh] = -np.inf
        self.rest = float(self.bound.max())
        self.bound[fresh] = kept

    def _level(self, fresh: Indices) -> float:
        """What an item must reach to come into the active set."""
        if len(fresh) < self.size:
            return -np.inf
        return float(np.partition(self.bound[fresh], len(fresh) - self.size)[len(fresh) - self.size])

    def _catch_up_all(self, rows: Indices, level: float, threads: ThreadPoolExecutor) -> None:
        rows = rows[np.argsort(self.seen[rows], kind="stable")]
        parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
        self.compared += sum(threads.map(lambda part: self._catch_up(part, level), parts))

    def _catch_up(self, rows: Indices, level: float) -> int:
        """Compare rows with the members that they miss, until their bound falls below `level`."""
        vectors, near = self.vectors[rows], self.near[rows]
        start, compared = int(self.seen[rows[0]]), 0
        while start < self.held:
            stop = min(start + MEMBERS, self.held)
            near = np.maximum(near, product(self.flat[start:stop], vectors.T).max(axis=0))
            compared += (stop - start) * len(rows)
            bound = self._score(rows, near, -self.error)
            stay = bound >= level
            if stop == self.held or stay.sum() < 0.8 * len(rows):
                gone = slice(None) if stop == self.held else ~stay
                out = rows[gone]
                self.near[out], self.bound[out] = near[gone], bound[gone]
                self.seen[out] = stop
                rows, vectors, near = rows[stay], vectors[stay], near[stay]
                if not len(rows):
                    break
            start = stop
        return compared
