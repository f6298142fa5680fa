"""Dialogues, responses and drafts as files write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.intake.content import BadContent, hash_of, of_row, prompt_hash_of
from annotation.intake.records import BadRow, Row
from annotation.intake.validate import Candidate, Mapping, candidate

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SHAREGPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
PAIR = Mapping(text="prompt", responses=("chosen", "rejected"))


def dialogue(*replies: str) -> list[dict[str, str]]:
    return [
        {"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(replies)
    ]


@pytest.mark.parametrize("cell", [TURNS, json.dumps(TURNS), SHAREGPT, json.dumps(SHAREGPT)])
def test_it_reads_turns_of_both_kinds_as_lists_and_as_json(cell: Any) -> None:
    assert of_row({"m": cell}, Mapping(text="", messages="m")) == {"messages": TURNS}


def test_it_reads_responses_from_columns_and_leaves_out_empty_ones() -> None:
    mapping = Mapping(text="t", responses=("a", "b", "c"))
    found = of_row({"a": "One", "b": None, "c": "Three"}, mapping)
    assert found == {"responses": [{"id": "r1", "text": "One"}, {"id": "r3", "text": "Three"}]}
    assert of_row({"a": "", "b": None}, mapping) == {}


@pytest.mark.parametrize("cell", [["One", "Two"], '["One", "Two"]', [{"text": "One"}, {"content": "Two"}]])
def test_it_reads_responses_from_a_list(cell: Any) -> None:
    found = of_row({"r": cell}, Mapping(text="t", responses=("r",)))
    assert found == {"responses": [{"id": "r1", "text": "One"}, {"id": "r2", "text": "Two"}]}


def test_it_takes_the_dialogue_out_of_responses_that_are_whole_dialogues() -> None:
    row = {"chosen": dialogue("Hi", "Hello!"), "rejected": json.dumps(dialogue("Hi", "What?"))}
    found = of_row(row, PAIR)
    assert found["messages"] == dialogue("Hi")
    assert [one["text"] for one in found["responses"]] == ["Hello!", "What?"]


def test_a_response_that_happens_to_be_json_stays_text() -> None:
    row = {"chosen": '[{"a": 1}]', "rejected": "[]"}
    assert [one["text"] for one in of_row(row, PAIR)["responses"]] == ['[{"a": 1}]', "[]"]


@pytest.mark.parametrize(
    ("row", "mapping", "words"),
    [
        ({"m": "[oops"}, Mapping(text="", messages="m"), "has no JSON in 'm'"),
        ({"m": [{"role": "pirate", "content": "Arr"}]}, Mapping(text="", messages="m"), "the role 'pirate'"),
        ({"m": [{"from": "pirate", "value": "Arr"}]}, Mapping(text="", messages="m"), "the role 'pirate'"),
        ({"m": TURNS * 300}, Mapping(text="", messages="m"), "the limit is 500"),
        ({"chosen": "only"}, PAIR, "found 1 responses, expected 2 to 10"),
        ({"r": '{"a": 1}'}, Mapping(text="t", responses=("r",)), "has no list in 'r'"),
        ({"r": [1, 2]}, Mapping(text="t", responses=("r",)), "found 1 for response 1, expected text"),
        (
            {"chosen": dialogue("Hi", "Hello"), "rejected": dialogue("Ho", "Hello")},
            PAIR,
            "responses to different dialogues",
        ),
        ({"chosen": dialogue("Hi", "Hello"), "rejected": "Hello"}, PAIR, "responses to different dialogues"),
        ({"d": "x" * 200_001}, Mapping(text="t", draft="d"), "the limit is 200,000"),
    ],
)
def test_it_says_why_content_cannot_be_taken(row: dict[str, Any], mapping: Mapping, words: str) -> None:
    with pytest.raises(BadContent) as caught:
        of_row(row, mapping)
    assert words in caught.value.sentence


def test_a_dialogue_stands_for_the_text_where_no_column_is_chosen() -> None:
    found = candidate(Row(1, {"m": TURNS}, ""), Mapping(text="", messages="m"))
    assert isinstance(found, Candidate)
    assert found.text == "user: Hi\nassistant: Hello"
    refused = candidate(Row(1, {"m": None}, ""), Mapping(text="", messages="m"))
    assert isinstance(refused, BadRow)
    assert (refused.code, "neither a text nor a dialogue" in refused.message) == ("empty_text", True)


def test_one_prompt_with_other_responses_is_another_item_with_the_same_prompt() -> None:
    one, two = (
        candidate(Row(1, {"prompt": "Where?", "chosen": good, "rejected": "No"}, ""), PAIR)
        for good in ("Here", "There")
    )
    alone = candidate(Row(1, {"prompt": " where? "}, ""), Mapping(text="prompt"))
    assert isinstance(one, Candidate) and isinstance(two, Candidate) and isinstance(alone, Candidate)
    assert one.content_hash != two.content_hash
    assert one.prompt == two.prompt == alone.prompt == alone.content_hash


def test_the_prompt_of_a_dialogue_is_the_dialogue_whatever_text_stands_beside_it() -> None:
    data = {"messages": TURNS}
    assert prompt_hash_of("first", data) == prompt_hash_of("second", data)
    assert hash_of("first", data) != hash_of("second", data)
    assert prompt_hash_of("first", {"draft": "x"}) == hash_of("first", {"draft": "x"})
