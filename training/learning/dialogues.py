"""Dialogues as token ids: what a language model reads, and which part of it is the reply.

The reply is written after the model's own chat template, so that training, scoring and drafting see the same
prompt. A tokenizer without a template gets a plain one (Llama's base models, say).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.objectives.language import Example, Turns

PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """`ids`: prompt and reply. `prompt`: how many of them are the prompt; the rest is the reply with its end."""

    ids: list[int]
    prompt: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class Tokenised:
    """An example whose replies are all within the longest length. `replies`: the written one, or (chosen,
    rejected), each with the whole prompt before it.
    """

    row: int
    replies: tuple[Spoken, ...]
    characters: tuple[int, ...]  # of each reply as text
    weight: float = 1.0

    @property
    def length(self) -> int:
        return max(len(one) for one in self.replies)


@dataclass(frozen=True, kw_only=True)
class Held:
    """What is left of the examples, and what was dropped. `longest`: tokens of the longest one of all."""

    examples: list[Tokenised]
    too_long: int
    empty: int
    longest: int

    def counts(self) -> dict[str, int]:
        return {
            "examples": len(self.examples),
            "dropped_too_long": self.too_long,
            "dropped_empty": self.empty,
            "longest_tokens": self.longest,
        }


def ready(tokenizer: Any) -> Any:
    """The tokenizer with a chat template and a padding token, whatever it lacked."""
    if not getattr(tokenizer, "chat_template", None):
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def tokenised(tokenizer: Any, examples: Sequence[Example], max_length: int) -> Held:
    """Token ids of all examples. One of which any reply with its prompt is longer than `max_length` is dropped
    whole, and so is one with an empty reply: a cut reply teaches to stop anywhere, and a pair of which one half
    is cut compares nothing. Both are counted, never silent.
    """
    kept: list[Tokenised] = []
    too_long = empty = longest = 0
    for example in examples:
        if not all(reply.strip() for reply in example.replies):
            empty += 1
            continue
        found = tuple(sequence(tokenizer, example.prompt, reply) for reply in example.replies)
        longest = max(longest, *(len(one) for one in found))
        if any(len(one) > max_length for one in found):
            too_long += 1
            continue
        if any(one.prompt >= len(one) for one in found):
            empty += 1
            continue
        kept.append(
            Tokenised(
                row=example.row,
                replies=found,
                characters=tuple(len(r) for r in example.replies),
                weight=example.weight,
            )
        )
    return Held(examples=kept, too_long=too_long, empty=empty, longest=longest)


def sequence(tokenizer: Any, prompt: Turns, reply: str) -> Spoken:
    """The dialogue with `reply` as the assistant's next turn."""
    turns = [{**turn, "content": plain(turn["content"])} for turn in prompt]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(
        [*turns, {"role": "assistant", "content": plain(reply)}], tokenize=False
    )
    start = asked if whole.startswith(asked) else _common(asked, whole)
    # Tokenised apart, so that no token lies half in the prompt: what generates has no such token either.
    first = tokenizer(start, add_special_tokens=False)["input_ids"]
    rest = tokenizer(whole[len(start) :], add_special_tokens=False)["input_ids"]
    return Spoken(ids=[*first, *rest], prompt=len(first))


def prompt_text(tokenizer: Any, prompt: Turns) -> str:
    """The dialogue in the chat format, ready to be continued."""
    turns = [{**turn, "content": plain(turn["content"])} for turn in prompt]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def plain(text: str) -> str:
    """A text without the markers of the chat format: what people wrote ends no turn."""
    return text.replace("<|", "< |")


def _common(one: str, other: str) -> str:
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return one[:at]
