"""Drafts of a response, written by a language model for a person to mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

MOST_NEW_TOKENS = 160
LONGEST_PROMPT = 1024  # tokens; the beginning of a longer dialogue is left out
AT_ONCE = 4
_LAST_STOP = re.compile(r"^(.*[.!?。！？…])[^.!?。！？…]*$", re.DOTALL)

Dialogue = Sequence[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """`confidence`: the geometric mean of its tokens' probabilities, in [0, 1]; how expected the model finds its
    own words, and no probability of being right.
    """

    text: str
    confidence: float


def drafts(
    model: Any,
    tokenizer: Any,
    dialogues: Sequence[Dialogue],
    *,
    most_new_tokens: int = MOST_NEW_TOKENS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Draft]:
    """The likeliest next turn of each dialogue, token by token (greedy, so the same each time).

    One that does not end by itself is cut after its last whole sentence, where it has one.
    """
    ends = {tokenizer.eos_token_id}
    for start in range(0, len(dialogues), AT_ONCE):
        some = [_prompt(tokenizer, dialogue) for dialogue in dialogues[start : start + AT_ONCE]]
        tokenizer.truncation_side = "left"
        batch = tokenizer(
            some,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=LONGEST_PROMPT,
            add_special_tokens=False,
        ).to(model.device)
        with torch.inference_mode():
            made = model.generate(
                **batch,
                max_new_tokens=most_new_tokens,
                do_sample=False,
                return_dict_in_generate=True,
                output_logits=True,
            )
        written = made.sequences[:, batch["input_ids"].shape[1] :]  # (b, t)
        chances = torch.stack(made.logits, dim=1).float().log_softmax(dim=-1)  # (b, t, v)
        told = chances.gather(2, written.unsqueeze(2)).squeeze(2)
        for row, tokens in enumerate(written.tolist()):
            length = next((at for at, token in enumerate(tokens) if token in ends), len(tokens))
            text = tokenizer.decode(tokens[:length], skip_special_tokens=True).strip()
            if length == len(tokens) and (whole := _LAST_STOP.match(text)):
                text = whole.group(1)
            mean = float(told[row, : max(1, length)].mean())
            yield Draft(text=text, confidence=min(1.0, float(torch.tensor(mean).exp())))
        if on_progress is not None:
            on_progress(start + len(some), len(dialogues))


def _prompt(tokenizer: Any, dialogue: Dialogue) -> str:
    """The dialogue in the chat format. Its markers are taken out of what people wrote: a text ends no turn."""
    turns = [{**turn, "content": turn["content"].replace("<|", "< |")} for turn in dialogue]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
