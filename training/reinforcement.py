"""The settings of a language model's learning from rewards (GRPO)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _
from training import settings_schema


@dataclass(frozen=True, kw_only=True)
class ReinforceSettings:
    """As `training.programs.reinforce_spec` has them: `batch_size` replies a step, `replies` of them for each
    prompt; `beta`: how dear it is to leave the base.
    """

    steps: int = 200
    batch_size: int = 32
    replies: int = 8
    learning_rate: float = 1e-5
    beta: float = 0.04
    most_new_tokens: int = 160
    adapter: Literal["lora", "full"] = "lora"
    rank: int = 16
    processes: int = 1
    profile_steps: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10**6),
            ("batch_size", 2, 65_536),
            ("replies", 2, 1024),
            ("learning_rate", 1e-9, 1),
            ("beta", 0, 1000),
            ("most_new_tokens", 1, 100_000),
            ("rank", 1, 256),
            ("processes", 1, 64),
            ("profile_steps", 0, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SentenceError(
                    _("%(name)s: found %(value)s, expected %(low)s to %(high)s"),
                    name=name,
                    value=value,
                    low=low,
                    high=high,
                )
        if self.batch_size % self.replies:
            raise SentenceError(
                _("batch_size: found %(size)s, expected a multiple of the %(replies)s replies a prompt gets"),
                size=self.batch_size,
                replies=self.replies,
            )
        if self.batch_size % self.processes:
            raise SentenceError(
                _(
                    "batch_size: found %(size)s, which %(processes)s processes cannot share evenly: use a "
                    "multiple of %(processes)s"
                ),
                size=self.batch_size,
                processes=self.processes,
            )


def settings_of(given: dict[str, Any]) -> ReinforceSettings:
    """The settings from JSON or form values.

    Raises:
        ValueError: one that is unknown, or refused.
    """
    found: ReinforceSettings = settings_schema.read(ReinforceSettings, given)
    return found
