"""Seeded exchanges with an assistant for the second demo project: a question, two answers of known quality and a
draft. Pure functions of a `numpy.random.Generator`: the same seed gives the same exchanges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .subjects import SUBJECTS, Subject

CHINESE_SHARE = 0.3
DIALOGUE_SHARE = 0.4
DIMENSIONS = ("helpful", "correct")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How an answer is made, and what a careful reader says of it: points of 1 to 5, and its faults."""

    helpful: int
    correct: int
    faults: tuple[str, ...] = ()

    @property
    def worth(self) -> int:
        """What the preference goes by; a fault of style costs a point."""
        return self.helpful + self.correct - ("too-long" in self.faults or "rude" in self.faults)


KINDS: dict[str, Kind] = {
    "full": Kind(helpful=5, correct=5),
    "short": Kind(helpful=4, correct=5),
    "wordy": Kind(helpful=5, correct=5, faults=("too-long",)),
    "curt": Kind(helpful=3, correct=5, faults=("rude",)),
    "vague": Kind(helpful=1, correct=3, faults=("incomplete",)),
    "wrong": Kind(helpful=2, correct=1, faults=("wrong",)),
}
SHARES = (0.15, 0.18, 0.14, 0.1, 0.17, 0.26)
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "full": "{lead} {detail}",
        "short": "{lead}",
        "wordy": "What a good question! I am happy to help you with it. There are many ways to look at this, "
        "and it is always worth taking a moment to think. {lead} {detail} I hope that this was helpful. "
        "Do tell me if there is anything else at all that I can do for you!",
        "curt": "You could have looked that up. {lead}",
        "vague": "That depends on many things. It is best to ask somebody who knows about it.",
        "wrong": "{wrong} {detail}",
    },
    "zh": {
        "full": "{lead}{detail}",
        "short": "{lead}",
        "wordy": "这个问题问得真好！我很乐意为您解答。看待这个问题有很多角度，花点时间想一想总是值得的。"
        "{lead}{detail}希望以上内容对您有所帮助，如果还有任何其他需要，请随时告诉我！",
        "curt": "这个自己查一下就知道了。{lead}",
        "vague": "这取决于很多因素，最好问问懂行的人。",
        "wrong": "{wrong}{detail}",
    },
}
OPENINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Hi, do you have a minute?", "Of course. What would you like to know?"),
        ("I have a quick question.", "Go ahead!"),
        ("Thanks, that worked. One more thing.", "Sure, what is it?"),
    ),
    "zh": (
        ("你好，有空吗？", "当然，您想了解什么？"),
        ("谢谢，刚才的办法管用。还有一件事。", "好的，请说。"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """`answers`: the two texts; `kinds`: how each was made, a key of `KINDS`; `draft`: a third one; `ideal`:
    what a careful writer would give. `opening`: turns before the question, may be empty."""

    question: str
    language: str
    opening: tuple[str, ...]
    answers: tuple[str, str]
    kinds: tuple[str, str]
    draft: str
    ideal: str

    @property
    def lead(self) -> int:
        """How much more the first answer is worth than the second; 0 for a tie."""
        return KINDS[self.kinds[0]].worth - KINDS[self.kinds[1]].worth

    @property
    def data(self) -> dict[str, Any]:
        """As `task_types.content` has it: the responses are r1 and r2."""
        turns = [
            {"role": role, "content": text}
            for role, text in zip(("user", "assistant"), self.opening, strict=False)
        ]
        dialogue = [*turns, {"role": "user", "content": self.question}] if turns else []
        return {"messages": dialogue, "responses": list(self.answers), "draft": self.draft}


def exchanges(count: int, rng: np.random.Generator) -> list[Exchange]:
    """`count` exchanges with different questions, about `CHINESE_SHARE` of them in Chinese. Cost: O(count).

    Raises:
        ValueError: the grammar did not give that many different questions (it runs dry at about a thousand).
    """
    made: dict[str, Exchange] = {}
    for _ in range(count * 30):
        if len(made) == count:
            return list(made.values())
        language = "zh" if rng.random() < CHINESE_SHARE else "en"
        fitting = [one for one in SUBJECTS if one.language == language]
        one = _exchange(fitting[rng.integers(len(fitting))], rng)
        made.setdefault(one.question, one)
    raise ValueError(
        f"the demo grammar gave {len(made)} different questions, {count} were asked for: ask for fewer"
    )


def _exchange(subject: Subject, rng: np.random.Generator) -> Exchange:
    values = subject.fill(rng)
    frames = subject.questions
    question = frames[rng.integers(len(frames))].format(**values)
    parts = {name: getattr(subject, name).format(**values) for name in ("lead", "detail", "wrong")}
    names = list(KINDS)
    first, second = (names[n] for n in rng.choice(len(names), size=2, replace=False, p=SHARES))
    third = names[rng.choice(len(names), p=SHARES)]
    texts = TEXTS[subject.language]
    openings = OPENINGS[subject.language]
    opening = openings[rng.integers(len(openings))] if rng.random() < DIALOGUE_SHARE else ()
    return Exchange(
        question=question,
        language=subject.language,
        opening=opening,
        answers=(texts[first].format(**parts), texts[second].format(**parts)),
        kinds=(first, second),
        draft=texts[third].format(**parts),
        ideal=texts["full"].format(**parts),
    )
