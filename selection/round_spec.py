"""What a round was asked to do: one frozen value, stored whole with the round, so that the round can be
replayed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _

DEFAULT_STRATEGY = "default"
COLD_START_LIMIT = 5_000  # pool items embedded before there is a model: a cluster sample needs no more
MOST_SEED = 2**31 - 1
POOL_LIMIT = 50_000  # pool items scored a round: a uniform sample of a larger pool loses next to nothing


@dataclass(frozen=True, kw_only=True)
class RoundSpec:
    """The order for one round.

    Attributes:
        strategy: a name in selection.strategies.registry.
        settings: the strategy's own settings, by field name of its settings dataclass; what is left out has
        its default.
        batch_size: how many items are picked, the control arm included; 0: train, judge and decide, and pick
        nothing, as after the last label of a pool.
        control_share: share of the batch that is picked uniformly at random, in [0, 1].
        seed: all randomness of the round comes from it.
        learner: "finetune" or "probe".
        learner_settings: the learner's own settings (training.learners).
        pool_limit: at most so many pool items, drawn uniformly, are embedded and scored.
        weigh_by_value: training items count by what their labels are worth (the newest valuation), which is
        frozen with the dataset.
        compare_fresh: train from the base model too, where the fine-tune goes on from the deployed one, compare
        the two on the same test items and put the better one forward.
        evidence: measure what picking has gained over the control arm; simulate, which measures it anyway,
        does not.
        note: why the round was started, where no person did.
    """

    spec_version: int = 1
    strategy: str = DEFAULT_STRATEGY
    settings: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 100
    control_share: float = 0.1
    seed: int = 0
    learner: str = "finetune"
    learner_settings: dict[str, Any] = field(default_factory=dict)
    pool_limit: int = POOL_LIMIT
    weigh_by_value: bool = False
    compare_fresh: bool = False
    evidence: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        if self.spec_version != 1:
            raise ValueError(
                f"found spec_version {self.spec_version}, expected 1: this version of Gyre is older"
            )
        if self.batch_size < 0:
            raise SentenceError(_("found a batch size of %(size)s, expected 0 or more"), size=self.batch_size)
        if not 0.0 <= self.control_share <= 1.0:
            raise SentenceError(
                _("found a control share of %(share)s, expected a number from 0 to 1"),
                share=self.control_share,
            )
        if not 0 <= self.seed <= MOST_SEED:
            raise SentenceError(
                _("found a seed of %(seed)s, expected 0 to %(most)s"), seed=self.seed, most=MOST_SEED
            )
        least = max(1, self.batch_size)
        if self.pool_limit < least:
            raise SentenceError(
                _("found a pool limit of %(limit)s, expected %(least)s (the batch) or more"),
                limit=self.pool_limit,
                least=least,
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RoundSpec:
        """Raises ValueError on a field that is not known."""
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"a round has no {', '.join(unknown)}: give only {', '.join(sorted(known))}")
        return cls(**data)
