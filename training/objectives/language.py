"""What a language model learns from a frozen dataset: written responses (SFT), or pairs of them (DPO, reward).

An example is a dialogue and the replies to it: one reply that a person wrote, or two of which a person liked
the first one better. Items without a dialogue are dialogues of one turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

RESPONSE, PREFERENCE = "response", "preference"
TYPES = (RESPONSE, PREFERENCE)
SFT, DPO, REWARD = "sft", "dpo", "reward"
OBJECTIVES = (SFT, DPO, REWARD)
LEAST_EXAMPLES = 8  # fewer teach a language model nothing that lasts

Turns = list[dict[str, str]]
Kind = Literal["response", "preference"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """`row`: the item. `replies`: what was written, or (chosen, rejected). `weight`: the item's."""

    row: int
    prompt: Turns
    replies: tuple[str, ...]
    weight: float = 1.0


def kind_of(objective: str) -> str:
    """The task type that an objective learns from.

    Raises:
        ValueError: there is no such objective.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"there is no objective {objective!r}: use one of {', '.join(OBJECTIVES)}")
    return RESPONSE if objective == SFT else PREFERENCE


def read(folder: Path, split: str, objective: str) -> list[Example]:
    """The examples of one split, in the order of the rows. An item with three responses gives up to three
    pairs, each with the item's weight; ties give none. Items of weight 0 are left out, those of none weigh 1.

    Raises:
        ValueError: the file is damaged, or holds examples of another kind.
    """
    path = folder / f"{split}.parquet"
    try:
        table = pq.read_table(path, columns=["row", "weight", "examples"])
    except (OSError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as a dataset ({error}): freeze it again") from error
    kind = kind_of(objective)
    found: list[Example] = []
    for row, weight, told in zip(
        table["row"].to_pylist(), table["weight"].to_pylist(), table["examples"].to_pylist(), strict=True
    ):
        weighs = 1.0 if weight is None else float(weight)
        if weighs > 0:
            found += [
                replace(example_of(given, kind), row=row, weight=weighs) for given in json.loads(told or "[]")
            ]
    return found


def example_of(given: dict[str, Any], kind: str) -> Example:
    """One entry of the column `examples`, in TRL's shapes (see annotation.task_types).

    Raises:
        ValueError: it is of another kind.
    """
    try:
        if kind == RESPONSE:
            *prompt, last = given["messages"]
            return Example(row=-1, prompt=list(prompt), replies=(str(last["content"]),))
        replies = (_text(given["chosen"]), _text(given["rejected"]))
        return Example(row=-1, prompt=turns_of(given["prompt"]), replies=replies)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"found an example with {', '.join(map(str, given))}, expected one of a {kind}: "
            "this dataset was frozen from another kind of label"
        ) from error


def turns_of(prompt: Any) -> Turns:
    """A prompt as a dialogue: a bare text is what the user says."""
    return (
        [dict(turn) for turn in prompt] if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    )


def _text(reply: Any) -> str:
    return str(reply[-1]["content"]) if isinstance(reply, list) else str(reply)


def check(examples: list[Example], objective: str) -> None:
    """Refuse what cannot be learnt from.

    Raises:
        ValueError: too few examples.
    """
    if len(examples) < LEAST_EXAMPLES:
        what = "responses" if objective == SFT else "pairs of which one was preferred (ties teach nothing)"
        raise ValueError(
            f"found {len(examples)} {what} to train on, expected {LEAST_EXAMPLES} or more: label more items"
        )
