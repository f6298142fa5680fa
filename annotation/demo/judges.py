"""What the second demo asks of its exchanges, and how simulated people of differing skill answer.

Pure functions of a `numpy.random.Generator`: the same seed gives the same mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .exchanges import DIMENSIONS, KINDS, Exchange
from .messages import PEOPLE, Person

HURRIED = PEOPLE[3].username  # takes the answer that stands first more often than its worth would say
HURRY = 0.3
GENEROUS = PEOPLE[1].username  # gives a point more than others now and then
GENEROSITY = 0.3
IDS = ("r1", "r2")
FAULTS = ("wrong", "incomplete", "too-long", "rude")
REASONS = {"wrong": "correct", "incomplete": "helpful", "too-long": "short", "rude": "polite"}

SCHEMA: dict[str, Any] = {
    "fields": [
        {
            "name": "preferred",
            "type": "preference",
            "title": "Which answer is better?",
            "title_zh": "哪个回答更好？",
            "strengths": [
                {"id": "slightly", "name": "Slightly better", "name_zh": "略好"},
                {"id": "much", "name": "Much better", "name_zh": "好得多"},
            ],
            "reasons": [
                {"id": "correct", "name": "More correct", "name_zh": "更正确"},
                {"id": "helpful", "name": "Helps more", "name_zh": "更有帮助"},
                {"id": "short", "name": "Shorter", "name_zh": "更简洁"},
                {"id": "polite", "name": "More polite", "name_zh": "更礼貌"},
            ],
        },
        {
            "name": "quality",
            "type": "rating",
            "title": "How good is the better one?",
            "title_zh": "较好的那个有多好？",
            "points": 5,
            "dimensions": [
                {
                    "id": "helpful",
                    "name": "Helpful",
                    "name_zh": "有用",
                    "anchors": ["useless", "touches it", "half of it", "nearly all", "all that was asked"],
                    "anchors_zh": ["没用", "沾边", "做到一半", "几乎全部", "完全做到"],
                },
                {
                    "id": "correct",
                    "name": "Correct",
                    "name_zh": "正确",
                    "anchors": ["wrong", "a fault that matters", "small faults", "a doubt left", "all true"],
                    "anchors_zh": ["错误", "有要紧的错", "小错", "尚有疑问", "全部正确"],
                },
            ],
        },
        {
            "name": "faults",
            "type": "multilabel",
            "title": "What is wrong with the better one?",
            "title_zh": "较好的那个有什么毛病？",
            "help": "Nothing: go on with Enter.",
            "help_zh": "没有毛病：直接按回车。",
            "labels": [
                {"id": "wrong", "name": "Says something false", "name_zh": "有错误", "colour": "red"},
                {
                    "id": "incomplete",
                    "name": "Leaves something out",
                    "name_zh": "没答全",
                    "colour": "amber",
                },
                {"id": "too-long", "name": "Too long", "name_zh": "太长", "colour": "blue"},
                {"id": "rude", "name": "Rude", "name_zh": "不礼貌", "colour": "purple"},
            ],
        },
        {
            "name": "rewrite",
            "type": "response",
            "title": "Write it as it should be",
            "title_zh": "写出应有的回答",
            "help": "The draft is a third answer of the assistant: mend it, or write your own.",
            "help_zh": "草稿是助手的第三个回答：可以修改，也可以自己写。",
            "maximum": 600,
            "when": {"field": "faults", "in": ["wrong", "incomplete"]},
        },
    ]
}

GUIDELINE = """\
# Which answer is better, and is it good enough?

1. **Prefer** the answer you would rather have got. Correct beats polite, short beats long if they say the same.
2. **Rate** the better one. A false statement that matters is at most a 2 for *Correct*.
3. **Name its faults**, if it has any.
4. Where it is false or leaves out what was asked, **write it as it should be**, in the language of the question.

哪个回答更好、够不够好？先选，再评分，再指出毛病；有错误或没答全时，用提问的语言写出应有的回答。

All exchanges here were made by a program. No person and no model wrote them.
"""


def verdict(exchange: Exchange) -> dict[str, Any]:
    """What a careful reader answers."""
    lead = exchange.lead
    better = 0 if lead >= 0 else 1
    return _answer(exchange, better, lead == 0, abs(lead) >= 3, _points(exchange, better))


def judge(
    exchange: Exchange, person: Person, order: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """What `person` answers, who saw the two responses in this order (ids)."""
    lead = exchange.lead
    better, tie = (0 if lead >= 0 else 1), lead == 0
    if rng.random() >= person.skill:
        better, tie = 1 - better, False
    if person.username == HURRIED and rng.random() < HURRY:
        better, tie = IDS.index(order[0]), False
    strong = abs(lead) >= 3 if rng.random() < person.skill else abs(lead) < 3
    points = _points(exchange, better)
    for name in DIMENSIONS:
        if rng.random() >= person.skill:
            points[name] += int(rng.choice([-1, 1]))
        if person.username == GENEROUS and rng.random() < GENEROSITY:
            points[name] += 1
        points[name] = min(5, max(1, points[name]))
    found = _answer(exchange, better, tie, strong, points)
    if found["faults"] and rng.random() >= person.skill:
        found["faults"] = []
        found.pop("rewrite", None)
    if "rewrite" in found:
        # who is quick mends the least
        short = person.seconds < 3 or rng.random() >= person.skill
        found["rewrite"] = {"text": exchange.ideal if not short else _first_sentence(exchange.ideal)}
    return found


def _points(exchange: Exchange, chosen: int) -> dict[str, int]:
    kind = KINDS[exchange.kinds[chosen]]
    return {name: getattr(kind, name) for name in DIMENSIONS}


def _answer(
    exchange: Exchange, better: int, tie: bool, strong: bool, points: dict[str, int]
) -> dict[str, Any]:
    ours, theirs = KINDS[exchange.kinds[better]], KINDS[exchange.kinds[1 - better]]
    preferred: dict[str, Any] = {"ranking": [list(IDS)], "reasons": []}
    if not tie:
        reasons = {REASONS[fault] for fault in theirs.faults if fault not in ours.faults}
        preferred = {
            "ranking": [[IDS[better]], [IDS[1 - better]]],
            "strength": "much" if strong else "slightly",
            "reasons": [one for one in REASONS.values() if one in reasons],
        }
    faults = [one for one in FAULTS if one in ours.faults]
    found: dict[str, Any] = {"preferred": preferred, "quality": points, "faults": faults}
    if {"wrong", "incomplete"} & set(faults):
        found["rewrite"] = {"text": exchange.ideal}
    return found


def _first_sentence(text: str) -> str:
    for stop in (". ", "。", "? "):
        if stop in text:
            return text[: text.index(stop) + 1]
    return text
