"""A batch: the control arm first, drawn from the whole pool, then the strategy's picks from the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.strategies.pool import Floats, Indices, Pool, candidates
from selection.strategies.random_sampling import pick_random
from selection.strategies.registry import strategy_named
from selection.strategies.uncertainty import NoSettings, check_share

CONTROL, STRATEGY = "control", "strategy"


@dataclass(frozen=True)
class Batch:
    """What people will label, in order.

    Attributes:
        indices: (c,) int64 positions in the pool's arrays.
        arm: (c,) "control" or "strategy".
        parts: score parts by name, (c,) each; NaN for the control arm, which no score has chosen.
        inclusion_probability: (c,) probability that this arm of this design picks the item, NaN where the
            design has none (a greedy pick).
        note: a sentence on what was unusual, or empty.
        weights: of the parts in the score, where it is a weighted sum of them.
    """

    indices: Indices
    arm: npt.NDArray[np.str_]
    parts: dict[str, Floats]
    inclusion_probability: Floats
    note: str = ""
    weights: dict[str, float] = field(default_factory=dict)


def control_count(count: int, share: float) -> int:
    """Size of the control arm: `share` of the batch, rounded half up.

    >>> control_count(25, 0.1)
    3
    """
    return min(count, int(share * count + 0.5))


def pick_batch(
    pool: Pool,
    count: int,
    *,
    strategy: str,
    settings: Any = None,
    control_share: float = 0.0,
    rng: np.random.Generator,
) -> Batch:
    """Draw the control arm uniformly from the whole pool, then let the strategy pick from what is left.

    The order matters: a control arm drawn from what a strategy has left over would lack just the items that
    the strategy likes, and the gain over random could not be measured. Control items stand at random places
    of the batch, so that a batch labelled half way has its share of them.

    Args:
        strategy: a name in the registry.
        settings: its settings dataclass; None for the defaults.
        control_share: in [0, 1].
        rng: all randomness; the same state gives the same batch.

    A strategy's own inclusion probability counts the pool without the control arm; for its uniform draws the
    probability in the whole design is that times the chance of not being in the control arm, and that is
    given.

    Raises:
        PoolError and its children: see `pool.candidates`. UnknownStrategy. ValueError: a share out of range.
    """
    check_share("control_share", control_share)
    chosen = strategy_named(strategy)
    free = len(candidates(pool, count))
    control = control_count(count, control_share)
    drawn = np.empty(0, dtype=np.int64)
    if control:
        drawn = pick_random(pool, control, settings=NoSettings(), rng=rng).indices
    indices, chance, parts, note = drawn, np.full(control, control / free), {}, ""
    weights: dict[str, float] = {}
    rest = count - control
    if rest:
        taken = drawn if pool.taken is None else np.concatenate([pool.taken, drawn])
        given = settings if settings is not None else chosen.settings()
        picks = chosen.function(replace(pool, taken=taken), rest, settings=given, rng=rng)
        own = picks.inclusion_probability
        own = np.full(rest, np.nan) if own is None else own * (1 - control / free)
        indices, chance = np.concatenate([drawn, picks.indices]), np.concatenate([chance, own])
        note, weights = picks.note, picks.weights
        parts = {name: np.concatenate([np.full(control, np.nan), part]) for name, part in picks.parts.items()}
    order = _mixed(control, rest, rng)
    arm = np.repeat([CONTROL, STRATEGY], [control, rest])[order]
    return Batch(indices[order], arm, {n: p[order] for n, p in parts.items()}, chance[order], note, weights)


def _mixed(control: int, rest: int, rng: np.random.Generator) -> Indices:
    """An order of control picks (0..control-1) and others: control at random places, each arm in order."""
    count = control + rest
    places = np.zeros(count, dtype=bool)
    if control:
        places[rng.choice(count, size=control, replace=False)] = True
    order = np.empty(count, dtype=np.int64)
    order[places] = np.arange(control)
    order[~places] = np.arange(control, count)
    return order
