"""The demo's grammar: seeded, varied, honestly ambiguous."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.demo import messages as grammar
from annotation.demo.messages import PEOPLE, Message, answer, messages, schema_definition
from annotation.demo.phrases import AMBIGUOUS, INTENTS, SLOTS


def test_it_gives_the_same_messages_for_the_same_seed():
    assert messages(200, np.random.default_rng(5)) == messages(200, np.random.default_rng(5))
    assert messages(200, np.random.default_rng(5)) != messages(200, np.random.default_rng(6))


def test_it_makes_three_thousand_different_messages_of_all_intents():
    made = messages(3000, np.random.default_rng(7))
    assert len({message.text for message in made}) == 3000
    assert {message.label for message in made} == set(INTENTS)
    ambiguous = sum(message.also is not None for message in made) / 3000
    assert 0.04 < ambiguous < 0.16


def test_it_leaves_no_slot_unfilled():
    assert all("{" not in message.text for message in messages(2000, np.random.default_rng(1)))
    used = " ".join(frame for *_, frames in INTENTS.values() for frame in frames)
    assert all("{" + slot + "}" in used for slot in SLOTS)


def test_it_says_when_the_grammar_runs_dry(monkeypatch):
    monkeypatch.setattr(grammar, "OPENERS", ("",))
    monkeypatch.setattr(grammar, "CLOSERS", ("",))
    monkeypatch.setattr(grammar, "SLOTS", {slot: words[:1] for slot, words in SLOTS.items()})
    with pytest.raises(ValueError, match="ask for fewer"):
        messages(1500, np.random.default_rng(0), ambiguous_share=1.0)


def test_it_lets_people_err_as_often_as_their_skill_says():
    rng = np.random.default_rng(3)
    plain = Message(text="x", label="refund", also=None)
    for person in PEOPLE:
        right = np.mean([answer(plain, person, rng) == "refund" for _ in range(4000)])
        assert abs(right - person.skill) < 0.02


def test_it_splits_people_on_ambiguous_messages():
    rng = np.random.default_rng(3)
    doubtful = Message(text="x", label="refund", also="return_item")
    first = np.mean([answer(doubtful, PEOPLE[0], rng) == "refund" for _ in range(4000)])
    assert abs(first - 0.97 / 2) < 0.03


def test_it_confuses_only_what_is_easily_confused():
    rng = np.random.default_rng(3)
    plain = Message(text="x", label="charged_twice", also=None)
    said = {answer(plain, PEOPLE[3], rng) for _ in range(2000)}
    assert said == {"charged_twice", "payment_failed"}


def test_it_describes_its_schema():
    labels = schema_definition()["fields"][0]["labels"]
    assert [label["id"] for label in labels] == list(INTENTS)
    assert all(label["name_zh"] for label in labels)
    assert {key for pair, _ in AMBIGUOUS for key in pair} <= set(INTENTS)
