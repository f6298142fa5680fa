"""A tuned language model opened for use: how it scores replies, how likely they are, what it would answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.learning import dialogues, language_base, reply_scores, text_model
from training.learning.dialogues import Spoken
from training.learning.drafting import Draft
from training.learning.precision import Asked
from training.objectives.language import DPO, REWARD, SFT, Turns

Floats = npt.NDArray[np.float64]
Tell = Callable[[int, int], None]


class TunedModel:
    """`folder`: a run's result folder; None: the base model as it is. `max_length`: in place of its own.

    Raises:
        ValueError: one of the folders is damaged or of another kind.
    """

    def __init__(
        self,
        folder: Path | None,
        base: Path,
        *,
        precision: Asked = "auto",
        max_length: int | None = None,
    ) -> None:
        self.base, self.dtype = base, language_base.dtype_of(precision)
        told: dict[str, Any] = (
            _read(folder) if folder else {"objective": SFT, "max_length": 2048, "beta": 1.0}
        )
        self.objective, self.max_length = str(told["objective"]), max_length or int(told["max_length"])
        self.beta, self.is_base = float(told["beta"]), folder is None
        text_model.be_quiet()
        self.tokenizer = language_base.load_tokenizer(folder / "model" if folder else base)
        self.pad = int(self.tokenizer.pad_token_id)
        if folder is None:
            model = language_base.load_base(base, SFT, self.dtype, self.tokenizer).eval()
        else:
            model = language_base.load_tuned(
                folder / "model", base, self.objective, self.dtype, self.tokenizer
            )
        self.model = model.to(text_model.device())
        self.has_adapter = folder is not None and language_base.has_adapter(folder / "model")

    def spoken(self, prompt: Turns, reply: str) -> Spoken:
        """Prompt and reply as tokens, cut to the longest length: the prompt's beginning goes first."""
        found = dialogues.sequence(self.tokenizer, prompt, reply)
        over = len(found) - self.max_length
        if over <= 0:
            return found
        first = min(over, found.prompt - 1)
        return Spoken(ids=found.ids[first : first + self.max_length], prompt=found.prompt - first)

    def likelihoods(
        self, replies: Sequence[Spoken], on_progress: Tell | None = None
    ) -> reply_scores.Likelihoods:
        """Raises ValueError of a reward model: it speaks no words."""
        if self.objective == REWARD:
            raise ValueError("a reward model gives no likelihoods: ask a model of responses")
        return reply_scores.likelihoods(self.model, replies, self.pad, on_progress=on_progress)

    def scores(self, replies: Sequence[Spoken], on_progress: Tell | None = None) -> Floats:
        """(n,) how good each reply is; differences within one prompt count.

        A reward model's reward; of DPO beta times the log likelihood ratio to the base (Rafailov et al. 2023);
        of any other model the mean log likelihood of a token, which favours no length.
        """
        if self.objective == REWARD:
            return reply_scores.rewards(self.model, replies, self.pad, on_progress=on_progress)
        found = reply_scores.likelihoods(self.model, replies, self.pad, on_progress=on_progress)
        if self.objective != DPO or self.is_base:
            return found.sums / np.maximum(1, found.tokens)
        if self.has_adapter:
            before = reply_scores.likelihoods(self.model, replies, self.pad, base=True)
        else:
            untouched = language_base.load_base(self.base, SFT, self.dtype, self.tokenizer).eval()
            before = reply_scores.likelihoods(untouched.to(text_model.device()), replies, self.pad)
        return self.beta * (found.sums - before.sums)

    def drafts(
        self, prompts: Sequence[Turns], most_new_tokens: int, on_progress: Tell | None = None
    ) -> Iterator[Draft]:
        """The likeliest reply to each prompt (greedy)."""
        from training.learning import drafting

        self.tokenizer.padding_side = "left"
        try:
            yield from drafting.drafts(
                self.model,
                self.tokenizer,
                prompts,
                most_new_tokens=most_new_tokens,
                on_progress=on_progress,
            )
        finally:
            self.tokenizer.padding_side = "right"


def longest_text(folder: Path) -> int:
    """Tokens that the model of a run's result folder was trained to read at most.

    Raises:
        ValueError: it is damaged, or no tuned model.
    """
    return int(_read(folder)["max_length"])


def _read(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "result.json").read_text())
        kind = found["learner"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} cannot be read as a model ({type(error).__name__}: {error}): train it again"
        ) from error
    if kind not in ("tune", "reinforce"):
        raise ValueError(f"{folder} is a model of kind {kind!r}, expected a tuned language model")
    return found
