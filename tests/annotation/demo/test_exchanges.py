"""The second demo's grammar and its simulated judges: seeded, true, and biased where they are said to be."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from annotation.demo import exchanges as grammar
from annotation.demo.exchanges import KINDS, Exchange, exchanges
from annotation.demo.judges import IDS, SCHEMA, judge, verdict
from annotation.demo.messages import PEOPLE
from annotation.demo.subjects import SUBJECTS
from annotation.task_types import registry
from annotation.task_types.content import check_data, content_of


@pytest.fixture(scope="module")
def made() -> list[Exchange]:
    return exchanges(200, np.random.default_rng(2027))


def test_the_same_seed_gives_the_same_exchanges(made: list[Exchange]) -> None:
    assert exchanges(200, np.random.default_rng(2027)) == made
    assert exchanges(200, np.random.default_rng(2028)) != made
    assert (made[0].question, made[0].kinds) == ("380的百分之40是多少？", ("curt", "wordy"))
    assert made[0].answers[0] == "这个自己查一下就知道了。380的40%是152。"
    assert made[0].ideal == "380的40%是152。乘以40再除以100。"


def test_it_has_both_languages_dialogues_and_all_kinds_of_answers(made: list[Exchange]) -> None:
    assert len({one.question for one in made}) == 200
    assert Counter(one.language for one in made) == {"zh": 53, "en": 147}
    assert sum(bool(one.opening) for one in made) == 83
    assert {kind for one in made for kind in one.kinds} == set(KINDS)


def test_no_slot_is_left_unfilled_and_no_language_is_mixed(made: list[Exchange]) -> None:
    for one in made:
        texts = [one.question, one.draft, one.ideal, *one.answers, *one.opening]
        assert not any(re.search(r"\{\w+\}", text) for text in texts)
        assert {bool(re.search(r"[一-鿿]", text)) for text in texts} == {one.language == "zh"}


def test_a_wrong_answer_never_says_what_is_right() -> None:
    rng = np.random.default_rng(4)
    for subject in SUBJECTS:
        for _ in range(50):
            values = subject.fill(rng)
            assert subject.lead.format(**values) != subject.wrong.format(**values)


def test_it_says_when_the_grammar_runs_dry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "SUBJECTS", SUBJECTS[-4:-1])
    monkeypatch.setattr(grammar, "CHINESE_SHARE", 1.0)
    with pytest.raises(ValueError, match="ask for fewer"):
        exchanges(100, np.random.default_rng(0))


def test_the_careful_reader_prefers_what_is_worth_more() -> None:
    def of(first: str, second: str) -> dict:
        one = Exchange(
            question="q",
            language="en",
            opening=(),
            answers=("a", "b"),
            kinds=(first, second),
            draft="d",
            ideal="It is 5.",
        )
        return verdict(one)

    assert of("wrong", "full") == {
        "preferred": {"ranking": [["r2"], ["r1"]], "strength": "much", "reasons": ["correct"]},
        "quality": {"helpful": 5, "correct": 5},
        "faults": [],
    }
    assert of("short", "wordy") == {
        "preferred": {"ranking": [["r1", "r2"]], "reasons": []},
        "quality": {"helpful": 4, "correct": 5},
        "faults": [],
    }
    assert of("vague", "wrong") == {
        "preferred": {"ranking": [["r1"], ["r2"]], "strength": "slightly", "reasons": ["correct"]},
        "quality": {"helpful": 1, "correct": 3},
        "faults": ["incomplete"],
        "rewrite": {"text": "It is 5."},
    }


def test_whatever_anybody_answers_fits_the_schema(made: list[Exchange]) -> None:
    assert registry.complaints(SCHEMA) == []
    rng = np.random.default_rng(3)
    for one in made:
        content = content_of(one.question, check_data(one.data))
        for value in [verdict(one), *(judge(one, person, IDS, rng) for person in PEOPLE)]:
            assert registry.validate_value(SCHEMA, value, content) == value


def test_people_agree_with_the_careful_reader_as_often_as_their_skill_says(made: list[Exchange]) -> None:
    rng = np.random.default_rng(6)
    clear = [one for one in made if one.lead]
    for person in PEOPLE[:3]:
        same = [
            judge(one, person, IDS, rng)["preferred"]["ranking"] == verdict(one)["preferred"]["ranking"]
            for one in clear * 10
        ]
        assert abs(np.mean(same) - person.skill) < 0.02


def test_only_the_hurried_one_leans_to_what_stands_first(made: list[Exchange]) -> None:
    def first_wins(person) -> float:
        rng = np.random.default_rng(7)
        answers = [judge(one, person, order, rng) for one in made * 5 for order in (IDS, IDS[::-1])]
        firsts = [order[0] for _one in made * 5 for order in (IDS, IDS[::-1])]
        decided = [
            (answer["preferred"]["ranking"][0][0], first)
            for answer, first in zip(answers, firsts, strict=True)
            if len(answer["preferred"]["ranking"]) == 2
        ]
        return float(np.mean([best == first for best, first in decided]))

    ana, dora = first_wins(PEOPLE[0]), first_wins(PEOPLE[3])
    assert abs(ana - 0.5) < 0.02
    assert abs(dora - 0.65) < 0.02
