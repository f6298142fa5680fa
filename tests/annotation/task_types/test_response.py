from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types import response
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidDefinition, InvalidValue

FIELD: dict[str, Any] = {"name": "reply", "type": "response"}
SHORT = {**FIELD, "minimum": 3, "maximum": 5}
texts = st.text(max_size=30).map(lambda text: {"text": text})


def test_it_keeps_the_text_without_white_space_at_its_end() -> None:
    assert response.validate_answer(FIELD, {"text": "  one\r\ntwo \n"}) == {"text": "  one\ntwo"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("text", 'expected {"text": "..."}'),
        ({"text": 3}, 'expected {"text": "..."}'),
        ({"text": "ab  "}, "the response has 2 characters, expected 3 to 5: write more"),
        ({"text": "abcdef"}, "the response has 6 characters, expected 3 to 5: shorten it"),
    ],
)
def test_it_says_what_is_wrong_with_an_answer(answer: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        response.validate_answer(SHORT, answer)
    assert words in str(caught.value)


def test_it_counts_code_points() -> None:
    assert response.validate_answer(SHORT, {"text": "退款👩🏽‍💻"[:5]})["text"] == "退款👩🏽‍💻"[:5]
    with pytest.raises(InvalidValue, match="has 6 characters"):
        response.validate_answer(SHORT, {"text": "退款👩🏽‍💻"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"minimum": True}, "minimum of field 'reply' is True, expected a number"),
        ({"minimum": 9, "maximum": 3}, "asks for 9 to 3 characters"),
        ({"maximum": response.LONGEST + 1}, "give 0 <= minimum <= maximum <= 100000"),
        ({"markdown": "yes"}, "markdown of field 'reply' is not true or false"),
    ],
)
def test_it_says_what_is_wrong_with_a_field(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        response.validate_field({**FIELD, **options})
    assert words in str(caught.value)


@given(texts, texts)
def test_the_distance_is_symmetric_and_zero_for_equal_texts_alone(
    a: dict[str, str], b: dict[str, str]
) -> None:
    between = response.distance(FIELD, a, b)
    assert 0.0 <= between <= 1.0
    assert between == response.distance(FIELD, b, a)
    assert (between == 0.0) == (a == b)


def test_the_distance_is_levenshteins_by_the_longer_text() -> None:
    assert response.edit_distance("kitten", "sitting") == 3
    assert response.distance(FIELD, {"text": "kitten"}, {"text": "sitting"}) == pytest.approx(3 / 7)
    assert response.distance(FIELD, {"text": ""}, {"text": ""}) == 0.0


def test_more_than_half_of_the_same_text_decide() -> None:
    same, other = {"text": "Wait."}, {"text": "No."}
    assert response.combine(FIELD, [same, same, other]).answer == same
    assert response.combine(FIELD, [same, other]) == (None, {})


def test_it_begins_from_a_suggestion_before_the_items_own_draft() -> None:
    content = content_of("Where?", {"draft": "Please wait."})
    assert response.draft(FIELD, {"text": "Soon."}, content) == {"text": "Soon."}
    assert response.draft(FIELD, None, content) == {"text": "Please wait."}
    assert response.draft(FIELD, {"text": ""}, content) == {"text": "Please wait."}
    assert response.draft(FIELD, None, content_of("Where?")) is None


def test_the_trace_keeps_how_far_the_answer_is_from_its_draft() -> None:
    content = content_of("Where?")
    kept = response.trace(FIELD, content, {"text": "Please wait!"}, {"text": "Please wait."}, "seed")
    assert kept == {"edit_distance": 1, "draft_characters": 12}
    unchanged = response.trace(FIELD, content, {"text": "Wait."}, {"text": "Wait."}, "seed")
    assert unchanged == {"edit_distance": 0, "draft_characters": 5}
    assert response.trace(FIELD, content, {"text": "Wait."}, None, "seed") == {}


def test_it_gives_messages_as_trl_reads_them() -> None:
    assert response.training_examples(FIELD, content_of("Where?"), {"text": "Soon."}) == [
        {"messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Soon."}]}
    ]
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "Which?"},
        {"role": "user", "content": "The last."},
    ]
    [row] = response.training_examples(FIELD, content_of("text", {"messages": turns}), {"text": "Soon."})
    assert row == {"messages": [*turns, {"role": "assistant", "content": "Soon."}]}


def test_it_reads_a_form_without_scripts_and_exports_the_text() -> None:
    sent = {"reply": ["Soon.\r\n"]}
    answer = response.from_form(FIELD, lambda name: sent.get(name, []))
    stored = response.validate_answer(FIELD, answer)
    assert stored == {"text": "Soon."}
    assert response.export(FIELD, stored) == {"reply": "Soon."}
    assert response.columns(FIELD) == {"reply": "text"}
