"""Seeded customer messages for the demo project, and simulated people of differing skill.

Pure functions of a `numpy.random.Generator`: the same seed gives the same messages and the same mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .phrases import AMBIGUOUS, CLOSERS, INTENTS, OPENERS, SLOTS


@dataclass(frozen=True, kw_only=True)
class Message:
    """One made-up message. `label`: its intent; `also`: a second intent that a careful reader may choose, or
    None.
    """

    text: str
    label: str
    also: str | None


@dataclass(frozen=True, kw_only=True)
class Person:
    """A simulated labeller: chooses a plausible intent with probability `skill`, else one that is easily
    confused.
    """

    username: str
    name: str
    skill: float
    seconds: float  # median time for an item


PEOPLE: tuple[Person, ...] = (
    Person(username="ana", name="Ana Ruiz", skill=0.97, seconds=4.2),
    Person(username="ben", name="Ben Okafor", skill=0.92, seconds=3.1),
    Person(username="chen", name="陈静", skill=0.95, seconds=5.0),
    Person(username="dora", name="Dora Lind", skill=0.80, seconds=2.2),
)


def schema_definition() -> dict:
    """The demo project's schema: one single-label field with the twelve intents, in both languages."""
    colours = (
        "blue",
        "teal",
        "green",
        "olive",
        "amber",
        "orange",
        "red",
        "pink",
        "purple",
        "indigo",
        "brown",
        "grey",
    )
    labels = [
        {"id": key, "name": name, "name_zh": name_zh, "description": "", "colour": colour}
        for (key, (name, name_zh, _, _)), colour in zip(INTENTS.items(), colours, strict=True)
    ]
    return {"fields": [{"name": "label", "type": "classification", "labels": labels}]}


def _fill(frame: str, rng: np.random.Generator) -> str:
    parts = frame
    for slot, words in SLOTS.items():
        while "{" + slot + "}" in parts:
            parts = parts.replace("{" + slot + "}", words[rng.integers(len(words))], 1)
    return parts


def _typo(text: str, rng: np.random.Generator) -> str:
    """Swap two neighbouring letters somewhere inside the text."""
    position = int(rng.integers(1, max(2, len(text) - 2)))
    return text[:position] + text[position + 1 : position + 2] + text[position] + text[position + 2 :]


def _sentence(frame: str, rng: np.random.Generator) -> str:
    opener, closer = OPENERS[rng.integers(len(OPENERS))], CLOSERS[rng.integers(len(CLOSERS))]
    body = _fill(frame, rng)
    body = body if opener else body[0].upper() + body[1:]
    if closer and body[-1] not in "?!.":
        body += "."
    text = opener + body + closer
    return _typo(text, rng) if rng.random() < 0.06 else text


def messages(count: int, rng: np.random.Generator, *, ambiguous_share: float = 0.12) -> list[Message]:
    """Make `count` different messages, about `ambiguous_share` of them ambiguous.

    Intents come in the uneven shares of `INTENTS`. Cost: O(count).

    Raises:
        ValueError: the grammar did not give that many different texts (far above 10,000 it runs dry).
    """
    keys = list(INTENTS)
    shares = np.array([INTENTS[key][2] for key in keys])
    shares = shares / shares.sum()
    made: dict[str, Message] = {}
    for _ in range(count * 30):
        if len(made) == count:
            return list(made.values())
        if rng.random() < ambiguous_share:
            pair, frames = AMBIGUOUS[rng.integers(len(AMBIGUOUS))]
            first = int(rng.random() < 0.5)
            label, also = pair[first], pair[1 - first]
        else:
            label, also = keys[rng.choice(len(keys), p=shares)], None
            frames = INTENTS[label][3]
        text = _sentence(frames[rng.integers(len(frames))], rng)
        made.setdefault(text, Message(text=text, label=label, also=also))
    raise ValueError(
        f"the demo grammar gave {len(made)} different messages, {count} were asked for: ask for fewer"
    )


def answer(message: Message, person: Person, rng: np.random.Generator) -> str:
    """The intent that `person` chooses. On an ambiguous message both of its intents are equally plausible."""
    plausible = [message.label] if message.also is None else [message.label, message.also]
    if rng.random() < person.skill:
        return plausible[rng.integers(len(plausible))]
    confused = sorted(
        {key for pair, _ in AMBIGUOUS if set(pair) & set(plausible) for key in pair} - set(plausible)
    )
    others = confused or [key for key in INTENTS if key not in plausible]
    return others[rng.integers(len(others))]
