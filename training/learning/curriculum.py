"""In which order of difficulty a run meets its items: global batches that grow harder, adapt, or begin hard.

Items are ranked by difficulty, 0 the easiest and 1 the hardest; a run admits those up to its competence, which
rises. Each block of a few steps draws its items anew, the less often drawn so far first, sorts them by length as
`batching.schedule` does, and cuts them into batches. All of it follows from the seed and the recorded progress:
every rank works it out alike, and a run that goes on goes on with the same items.

* competence: all admitted items alike; the competence grows as a square root (Platanios et al. 2019,
  "Competence-based Curriculum Learning for Neural Machine Translation").
* difficulty: the threshold rises evenly, and items near it weigh most; a share of each batch is easier ones, so
  that they are not forgotten.
* adaptive: harder when progress stalls, easier when the loss climbs; from the run's own losses.
* anti: as competence, with the hardest first.

Where losses cannot be weighted an admitted item is drawn in proportion to its weight: one of weight 2 counts as
drawn half as often as it was.

No competence rises by more than `most_jump` from one block to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from training.learning.batching import Ints

Name = Literal["none", "difficulty", "adaptive", "anti", "competence"]
NAMES: tuple[str, ...] = get_args(Name)
Floats = npt.NDArray[np.float64]
# Up to which step -> (step after which, loss) in the order of the steps.
Progress = Callable[[int], Sequence[tuple[int, float]]]

_BLOCKS = 40  # of a run: how often its competence is looked at
_MOST_BLOCK = 50  # steps


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """Attributes:
    start: share of the items that is admitted at first.
    whole_at: share of the run after which all are.
    width: how near to the threshold items weigh, in ranks; of "difficulty".
    replay: share of a batch for items further below; of "difficulty".
    most_jump: by how much the competence may rise from one block to the next.
    stalled, climbed: relative changes of the loss: a fall of less than the one is a stall, a rise of more than
        the other a climb.
    step: by how much "adaptive" moves.
    """

    start: float = 0.3
    whole_at: float = 0.5
    width: float = 0.2
    replay: float = 0.2
    most_jump: float = 0.1
    stalled: float = 0.02
    climbed: float = 0.02
    step: float = 0.1


def check(name: str) -> None:
    """Raises:
    ValueError: no curriculum of that name.
    """
    if name not in NAMES:
        raise ValueError(f"curriculum: found {name!r}, expected one of {', '.join(NAMES)}")


def ranks(difficulty: npt.NDArray[np.floating]) -> Floats:
    """(n,) place of each item among all by difficulty, in [0, 1]; ties share their mean place. O(n log n).

    Raises:
        ValueError: no items, or a difficulty that is no number.

    >>> ranks(np.array([5.0, 1.0, 1.0, 9.0])).tolist()
    [0.625, 0.25, 0.25, 0.875]
    """
    if not len(difficulty) or not np.isfinite(difficulty).all():
        raise ValueError(
            f"found {len(difficulty)} difficulties, {int((~np.isfinite(difficulty)).sum())} of them no numbers, "
            "expected a finite one for each item: leave the curriculum out, or mend the column"
        )
    _values, group, sizes = np.unique(difficulty, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    found: Floats = ((ends - sizes / 2) / len(difficulty))[group]
    return found


def competence(name: Name, share: float, pacing: Pacing, losses: Sequence[float] = ()) -> float:
    """How much of the difficulty is admitted after a share of the run, in [start, 1]; before the bound on jumps.

    Args:
        losses: of "adaptive": those recorded so far, oldest first.

    >>> [round(competence("competence", share, Pacing(start=0.2)), 3) for share in (0, 0.25, 0.5)]
    [0.2, 0.721, 1.0]
    """
    passed = min(1.0, share / pacing.whole_at)
    if name == "adaptive":
        level = pacing.start
        for before, now in zip(losses[:-1], losses[1:], strict=True):
            if now > before * (1 + pacing.climbed):
                level -= pacing.step
            elif now > before * (1 - pacing.stalled):
                level += pacing.step
            level = min(1.0, max(pacing.start, level))
        # Whatever the losses say, the last part of the run has seen everything.
        late = pacing.start + (1 - pacing.start) * min(1.0, max(0.0, share - pacing.whole_at) / 0.4)
        return max(level, late)
    if name == "difficulty":
        return pacing.start + (1 - pacing.start) * passed
    return float(min(1.0, np.sqrt(passed * (1 - pacing.start**2) + pacing.start**2)))


class Batches(Sequence[Ints]):
    """The global batches of a run under a curriculum, worked out a block at a time as they are asked for.

    Ask for them in order: an adaptive block looks at the progress when it is first asked for.

    Args:
        difficulty: (n,), higher is harder; only its order counts. lengths: (n,) tokens.
        positions: which batch of the endless sequence each step takes, rising; None: 0, 1, 2, ...
        progress: of "adaptive": what the run has recorded up to a step.
        weights: (n,) above 0, how often each item comes against the others; None: all alike. The cost of a block
            grows with the share that the heaviest has of all weights.

    Attributes:
        competences: of the blocks worked out so far. samples: items of all steps together.
    """

    def __init__(
        self,
        name: Name,
        difficulty: npt.NDArray[np.floating],
        lengths: Sequence[int] | Ints,
        *,
        batch_size: int,
        steps: int,
        seed: int,
        pacing: Pacing | None = None,
        positions: Ints | None = None,
        progress: Progress = lambda _until: (),
        weights: Sequence[float] | None = None,
    ) -> None:
        self.name, self.seed, self.steps, self.progress = name, seed, steps, progress
        self.pacing = pacing or Pacing()
        self.ranks = ranks(difficulty)
        if name == "anti":
            self.ranks = 1 - self.ranks
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.positions = np.arange(steps) if positions is None else positions
        self.batch_size = min(batch_size, len(self.ranks))
        self.block = min(_MOST_BLOCK, max(1, steps // _BLOCKS))
        self.samples = steps * self.batch_size
        self.weights = np.ones(len(self.ranks)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.weights = self.weights / self.weights.mean()
        self.drawn = np.zeros(len(self.ranks), dtype=np.int64)
        self.competences: list[float] = []
        self._blocks: list[list[Ints]] = []

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, step: int) -> Ints:  # type: ignore[override]
        if not -len(self) <= step < len(self):
            raise IndexError(step)
        number, place = divmod(int(self.positions[step]), self.block)
        while len(self._blocks) <= number:
            self._blocks.append(self._make(len(self._blocks)))
        return self._blocks[number][place]

    def _make(self, number: int) -> list[Ints]:
        pacing, first = self.pacing, number * self.block
        # Steps before the block: fewer than its place where batches are left out, and the same to a run that is
        # taken up later, with more recorded.
        before = int(np.searchsorted(self.positions, first))
        losses = [loss for step, loss in self.progress(before) if step <= before]
        wanted = competence(self.name, first / self.steps, pacing, losses)
        if self.competences:
            wanted = min(wanted, self.competences[-1] + pacing.most_jump)
        self.competences.append(wanted)
        rng = np.random.default_rng([self.seed, 13, number])
        count = self.block * self.batch_size
        items: list[int] = []
        while len(items) < count:  # more than once where fewer items are admitted than a block has
            items += self._draw(wanted, count - len(items), rng).tolist()
        taken = np.array(items, dtype=np.int64)
        return self._cut(taken, rng)

    def _draw(self, level: float, count: int, rng: np.random.Generator) -> Ints:
        """Up to `count` admitted items, none twice, the less drawn first among those of one weight."""
        admitted = np.flatnonzero(self.ranks <= level)
        if len(admitted) < self.batch_size:  # a batch's worth of the easiest, however hard
            admitted = np.argsort(self.ranks, kind="stable")[: self.batch_size]
        weighs = self.weights[admitted]
        # With more at once the heaviest, which comes once, would come too seldom.
        count = min(count, max(1, int(weighs.sum() / weighs.max() + 1e-9)))
        replayed: Ints = np.empty(0, dtype=np.int64)
        weights = np.ones(len(admitted))
        if self.name == "difficulty":
            gap = (level - self.ranks[admitted]) / self.pacing.width
            weights = np.exp(-(gap**2) / 2)
            below = admitted[gap > 1]
            replayed = self._weighted(below, np.ones(len(below)), round(self.pacing.replay * count), rng)
            others = ~np.isin(admitted, replayed)
            admitted, weights = admitted[others], weights[others]
        found = self._weighted(admitted, weights, count - len(replayed), rng)
        taken = np.concatenate([replayed, found])
        self.drawn[taken] += 1
        return taken

    def _weighted(self, items: Ints, weights: Floats, count: int, rng: np.random.Generator) -> Ints:
        """Drawn without replacement by weight (Efraimidis and Spirakis 2006), halved with each time drawn.

        Args:
            weights: of the curriculum; those of the items themselves come on top.
        """
        if not len(items):
            return items
        weighs = self.weights[items]
        drawn = self.drawn[items] / weighs
        fresh = weights * weighs * 0.5 ** (drawn - drawn.min()).clip(max=60)
        keys = rng.exponential(size=len(items)) / np.maximum(fresh, 1e-300)
        return items[np.argsort(keys, kind="stable")[:count]]

    def _cut(self, taken: Ints, rng: np.random.Generator) -> list[Ints]:
        """Batches of alike length in a random order."""
        order = taken[np.argsort(self.lengths[taken], kind="stable")]
        batches = order.reshape(self.block, self.batch_size)
        return [batches[at] for at in rng.permutation(self.block)]


def samples_of(batches: Sequence[Ints]) -> int:
    """Items of all batches together; those of a curriculum are not walked through beforehand."""
    return batches.samples if isinstance(batches, Batches) else sum(len(batch) for batch in batches)


class Forgetting:
    """How often items were forgotten: right when last met, wrong now (Toneva et al. 2019, "An Empirical Study of
    Example Forgetting during Deep Neural Network Learning").

    Counts what one rank meets in one go; `counts` of several ranks may be added up.
    """

    def __init__(self, n: int) -> None:
        self.last = np.zeros(n, dtype=bool)
        self.met = np.zeros(n, dtype=np.int64)
        self.learnt = np.zeros(n, dtype=np.int64)  # wrong when last met, or never met, and right now
        self.forgotten = np.zeros(n, dtype=np.int64)

    def record(self, items: Ints, correct: npt.NDArray[np.bool_]) -> None:
        """One batch, before it is learnt from; an item that is in it twice counts once."""
        before = self.last[items]
        self.learnt[items] += ~before & correct
        self.forgotten[items] += before & ~correct
        self.met[items] += 1
        self.last[items] = correct

    def counts(self) -> npt.NDArray[np.float32]:
        """(3,) items met, items once right, and forgetting events."""
        totals = [(self.met > 0).sum(), (self.learnt > 0).sum(), self.forgotten.sum()]
        return np.array(totals, dtype=np.float32)
