"""What people of the second demo ask an assistant: questions with their right answer, a wrong one, and what a
fuller answer adds, in English and Chinese. Written for Gyre; `{name}` is filled by the subject's `fill`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`lead` answers the question, `detail` adds how one gets there, `wrong` is a false `lead`."""

    language: str
    fill: Callable[[np.random.Generator], Values]
    questions: tuple[str, ...]
    lead: str
    detail: str
    wrong: str


def _among(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _length(rng: np.random.Generator) -> Values:
    n = int(rng.integers(3, 90))
    return {"n": n, "right": f"{n * 1.609:.0f}", "false": f"{n * 0.621:.0f}"}


def _share(rng: np.random.Generator) -> Values:
    share, n = int(rng.integers(2, 20)) * 5, int(rng.integers(4, 60)) * 20
    return {"p": share, "n": n, "right": share * n // 100, "false": share * n // 10}


def _heat(rng: np.random.Generator) -> Values:
    c = int(rng.integers(2, 45)) * 5
    return {"c": c, "right": c * 9 // 5 + 32, "false": c * 9 // 5 - 32}


def _bill(rng: np.random.Generator) -> Values:
    people, each = int(rng.integers(3, 9)), int(rng.integers(6, 48))
    return {"n": people * each, "k": people, "right": each, "false": each + people}


def _train(rng: np.random.Generator) -> Values:
    hour, minute, ride = int(rng.integers(6, 21)), int(rng.integers(0, 12)) * 5, int(rng.integers(4, 20)) * 10
    end = hour * 60 + minute + ride
    off = end + 60
    return {
        "start": f"{hour}:{minute:02d}",
        "ride": ride,
        "right": f"{end // 60 % 24}:{end % 60:02d}",
        "false": f"{off // 60 % 24}:{off % 60:02d}",
    }


def _rice(rng: np.random.Generator) -> Values:
    cups = int(rng.integers(1, 9))
    return {"n": cups, "right": f"{cups * 1.5:g}", "false": f"{cups * 0.5:g}"}


def _eggs(rng: np.random.Generator) -> Values:
    return {"n": int(rng.integers(2, 13))}


def _names(rng: np.random.Generator) -> Values:
    return {"name": _among(rng, ("rows", "names", "scores", "events", "paths", "words", "totals", "days"))}


def _files(rng: np.random.Generator) -> Values:
    stem = _among(rng, ("orders", "access", "prices", "users", "notes", "results", "stock"))
    return {"file": stem + _among(rng, (".csv", ".txt", ".log", ".tsv"))}


def _branches(rng: np.random.Generator) -> Values:
    return {"branch": _among(rng, ("main", "fix-login", "new-menu", "tidy", "release", "try-cache"))}


def _stains(rng: np.random.Generator) -> Values:
    return {
        "stain": _among(rng, ("coffee", "tea", "red wine", "orange juice")),
        "cloth": _among(rng, ("a cotton shirt", "a linen tablecloth", "jeans", "a pillowcase")),
    }


def _plants(rng: np.random.Generator) -> Values:
    return {"plant": _among(rng, ("cactus", "aloe", "jade plant", "snake plant", "ZZ plant"))}


def _chinese_plants(rng: np.random.Generator) -> Values:
    return {"plant": _among(rng, ("仙人掌", "芦荟", "玉树", "虎皮兰", "金钱树"))}


def _lateness(rng: np.random.Generator) -> Values:
    minutes = int(rng.integers(1, 10)) * 5
    return {"n": minutes, "false": minutes + 30}


SUBJECTS: tuple[Subject, ...] = (
    Subject(
        language="en",
        fill=_length,
        questions=(
            "How many kilometres are {n} miles?",
            "What is {n} miles in km?",
            "{n} miles in km please",
        ),
        lead="{n} miles are about {right} km.",
        detail="A mile is 1.609 km, so you multiply.",
        wrong="{n} miles are about {false} km.",
    ),
    Subject(
        language="en",
        fill=_share,
        questions=("What is {p} % of {n}?", "How much is {p} per cent of {n}?"),
        lead="{p} % of {n} is {right}.",
        detail="Multiply by {p} and divide by 100.",
        wrong="{p} % of {n} is {false}.",
    ),
    Subject(
        language="en",
        fill=_heat,
        questions=(
            "What is {c} °C in Fahrenheit?",
            "My oven shows Fahrenheit. Where do I put it for {c} °C?",
        ),
        lead="{c} °C is {right} °F.",
        detail="Multiply by 1.8 and add 32.",
        wrong="{c} °C is {false} °F.",
    ),
    Subject(
        language="en",
        fill=_bill,
        questions=(
            "We are {k} people and the bill is {n}. What does each pay?",
            "Split {n} between {k} people",
        ),
        lead="Each of you pays {right}.",
        detail="That is {n} divided by {k}, without a tip.",
        wrong="Each of you pays {false}.",
    ),
    Subject(
        language="en",
        fill=_train,
        questions=("My train leaves at {start} and takes {ride} minutes. When am I there?",),
        lead="You arrive at {right}.",
        detail="Leave some minutes for getting off and finding the way out.",
        wrong="You arrive at {false}.",
    ),
    Subject(
        language="en",
        fill=_rice,
        questions=("How much water do I need for {n} cups of white rice?", "Water for {n} cups of rice?"),
        lead="About {right} cups of water.",
        detail="Bring it to the boil, cover it, and leave it on low heat for 15 minutes.",
        wrong="About {false} cups of water.",
    ),
    Subject(
        language="en",
        fill=_eggs,
        questions=("How long do {n} eggs take to be hard boiled?", "I want {n} hard eggs. How many minutes?"),
        lead="About ten minutes from the moment the water boils, however many there are.",
        detail="Put them in cold water afterwards, then they peel better.",
        wrong="A minute for each egg, so {n} minutes.",
    ),
    Subject(
        language="en",
        fill=_names,
        questions=("How do I reverse the list `{name}` in Python?", "Python: `{name}` backwards?"),
        lead="`{name}[::-1]` gives a reversed copy.",
        detail="`{name}.reverse()` turns the list itself round and returns nothing.",
        wrong="`{name}.sort()` reverses it.",
    ),
    Subject(
        language="en",
        fill=_files,
        questions=(
            "How do I count the lines of {file} in a terminal?",
            "How many lines has {file}? In bash.",
        ),
        lead="`wc -l {file}` prints the number.",
        detail="A last line without a line break is not counted.",
        wrong="`ls -l {file}` prints the number.",
    ),
    Subject(
        language="en",
        fill=_branches,
        questions=("How do I take back my last commit on {branch} but keep the changes?",),
        lead="`git reset --soft HEAD~1` does that.",
        detail="The changes stay staged. Do it only before you have pushed.",
        wrong="`git reset --hard HEAD~1` does that.",
    ),
    Subject(
        language="en",
        fill=_stains,
        questions=("How do I get {stain} out of {cloth}?", "I spilled {stain} on {cloth}, what now?"),
        lead="Rinse it with cold water at once, then rub in a little washing-up liquid.",
        detail="Wash it as usual after ten minutes, and do not dry it warm before the stain is gone.",
        wrong="Iron it while it is wet: heat draws the stain out.",
    ),
    Subject(
        language="en",
        fill=_plants,
        questions=("How often do I water a {plant} in winter?", "Does my {plant} need water in winter?"),
        lead="Rarely: only when the soil has been dry for a while.",
        detail="Every three to five weeks is usual. Too much water rots the roots.",
        wrong="Every day, because heated rooms are dry.",
    ),
    Subject(
        language="en",
        fill=_lateness,
        questions=("Write one sentence: I will be {n} minutes late for the meeting.",),
        lead="“I am running {n} minutes late, please start without me.”",
        detail="“I will read the notes and catch up.”",
        wrong="“I am running {false} minutes late, please start without me.”",
    ),
    Subject(
        language="zh",
        fill=_length,
        questions=("{n}英里是多少公里？", "请把{n}英里换算成公里"),
        lead="{n}英里约等于{right}公里。",
        detail="1英里等于1.609公里，相乘即可。",
        wrong="{n}英里约等于{false}公里。",
    ),
    Subject(
        language="zh",
        fill=_share,
        questions=("{n}的百分之{p}是多少？", "{n}乘以{p}%等于多少？"),
        lead="{n}的{p}%是{right}。",
        detail="乘以{p}再除以100。",
        wrong="{n}的{p}%是{false}。",
    ),
    Subject(
        language="zh",
        fill=_bill,
        questions=("我们{k}个人吃饭花了{n}元，每人付多少？", "{n}元，{k}个人平分"),
        lead="每人付{right}元。",
        detail="用{n}除以{k}即可。",
        wrong="每人付{false}元。",
    ),
    Subject(
        language="zh",
        fill=_train,
        questions=("火车{start}开，要坐{ride}分钟，几点到？",),
        lead="{right}到。",
        detail="下车和出站请再留几分钟。",
        wrong="{false}到。",
    ),
    Subject(
        language="zh",
        fill=_rice,
        questions=("煮{n}杯白米要放多少水？",),
        lead="大约{right}杯水。",
        detail="煮开后盖上盖子，小火焖15分钟。",
        wrong="大约{false}杯水。",
    ),
    Subject(
        language="zh",
        fill=_eggs,
        questions=("{n}个鸡蛋要煮多久才全熟？",),
        lead="水开后大约十分钟，与个数无关。",
        detail="煮好后放进冷水，更容易剥壳。",
        wrong="一个鸡蛋一分钟，所以是{n}分钟。",
    ),
    Subject(
        language="zh",
        fill=_names,
        questions=("Python里怎么把列表 `{name}` 反过来？",),
        lead="`{name}[::-1]` 得到一个反转的副本。",
        detail="`{name}.reverse()` 则反转列表本身，没有返回值。",
        wrong="`{name}.sort()` 就能反转。",
    ),
    Subject(
        language="zh",
        fill=_chinese_plants,
        questions=("冬天{plant}多久浇一次水？", "{plant}冬天需要浇水吗？"),
        lead="很少浇：土干透一段时间后再浇。",
        detail="一般三到五周一次，水太多会烂根。",
        wrong="每天都要浇，因为暖气房里很干。",
    ),
    Subject(
        language="zh",
        fill=_lateness,
        questions=("帮我写一句话：开会我会迟到{n}分钟。",),
        lead="“我会迟到{n}分钟，请先开始。”",
        detail="“之后我会看会议记录。”",
        wrong="“我会迟到{false}分钟，请先开始。”",
    ),
)
