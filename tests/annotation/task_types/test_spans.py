from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types import registry, spans
from annotation.task_types.content import Content
from annotation.task_types.values import InvalidDefinition, InvalidValue

LABELS = [{"id": "person", "name": "Person"}, {"id": "place", "name": "Place"}]
FIELD: dict[str, Any] = {"name": "entities", "type": "spans", "labels": LABELS}
NESTED = FIELD | {"nested": True}
OVERLAPPING = FIELD | {"overlapping": True}
RELATED = FIELD | {"relations": [{"id": "in", "name": "is in"}, {"id": "near", "name": "near"}]}
TEXT = "Ana 👩🏽‍💻 lives in Berlin."
CONTENT = Content(text=TEXT)


def span(start: int, end: int, label: str = "person") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def answer(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spans": list(found), **more}


def link(start: int, end: int, label: str = "in") -> dict[str, Any]:
    return {"from": start, "to": end, "label": label}


PLACES = st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from(["person", "place"]))


def made_answer(places: list[tuple[int, int, str]], pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """A valid answer with overlaps: the same span once, relations between those of the pairs that are there."""
    found = [span(start, start + size, label) for start, size, label in dict.fromkeys(places)]
    related = [link(a, b) for a, b in pairs if a != b and max(a, b) < len(found)]
    return spans.validate_answer(RELATED | {"overlapping": True}, answer(*found, relations=related))


ENDS = st.integers(0, 4)
any_answer = st.builds(made_answer, st.lists(PLACES, max_size=5), st.lists(st.tuples(ENDS, ENDS), max_size=3))


def test_offsets_count_code_points_as_python_slices_do() -> None:
    start = TEXT.index("Berlin")
    found = spans.validate_answer(FIELD, answer(span(start, start + 6, "place"), span(0, 3)), CONTENT)
    assert found == answer(span(0, 3), span(start, start + 6, "place"))
    assert [TEXT[one["start"] : one["end"]] for one in found["spans"]] == ["Ana", "Berlin"]


def test_spans_stand_in_one_order_and_relations_follow_them() -> None:
    found = spans.validate_answer(
        RELATED | {"nested": True},
        answer(
            span(18, 24, "place"),
            span(0, 3),
            span(0, 7),
            relations=[link(1, 0), link(2, 0, "near"), link(1, 0)],
        ),
        CONTENT,
    )
    assert found["spans"] == [span(0, 7), span(0, 3), span(18, 24, "place")]
    assert found["relations"] == [link(0, 2, "near"), link(1, 2)]


@pytest.mark.parametrize(
    ("field", "given_answer", "words"),
    [
        (FIELD, None, "found None for 'entities', expected"),
        (FIELD, [], "found [] for 'entities', expected"),
        (FIELD, {"spans": "abc"}, "found {'spans': 'abc'} for 'entities'"),
        (FIELD, answer(3), "found 3 among the spans, expected start, end and label"),  # type: ignore[arg-type]
        (FIELD, answer(span(3, 3)), "found a span from 3 to 3, expected 0 <= start < end"),
        (FIELD, answer(span(-1, 3)), "found a span from -1 to 3"),
        (FIELD, answer(span(True, 3)), "found a span from True to 3"),
        (FIELD, answer({"start": 0.0, "end": 2, "label": "person"}), "found a span from 0.0 to 2"),
        (FIELD, answer(span(20, 99)), "a span ends at 99 and the text has 25 characters: count in Unicode"),
        (FIELD, answer(span(3, 4)), "the span from 3 to 4 holds only white space: mark words"),
        (FIELD, answer(span(0, 3, "thing")), "label 'thing' is not in the schema: use one of person, place"),
        (FIELD, answer(span(0, 3), span(0, 3)), "the same span with the same label comes twice"),
        (FIELD, answer(span(0, 7), span(0, 3)), "the span 0–3 lies inside the span 0–7, which this project"),
        (FIELD, answer(span(0, 5), span(4, 9)), "the span 4–9 overlaps the span 0–5"),
        (NESTED, answer(span(0, 5), span(4, 9)), "the span 4–9 overlaps the span 0–5"),
        (FIELD, answer(span(0, 3), relations=[link(0, 0)]), "field 'entities' has no relations"),
        (RELATED, answer(span(0, 3), relations=5), "found 5 for relations, expected a list"),
        (RELATED, answer(span(0, 3), relations=[7]), "found the relation 7, expected from and to"),
        (RELATED, answer(span(0, 3), relations=[link(0, 0)]), "expected from and to of two different spans"),
        (RELATED, answer(span(0, 3), relations=[link(0, 1)]), "expected from and to of two different spans"),
        (
            RELATED,
            answer(span(0, 3), span(18, 24), relations=[link(0, 1, "of")]),
            "relation 'of' is not in the schema: use in, near",
        ),
    ],
)
def test_it_says_what_is_wrong_with_an_answer(field: Any, given_answer: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        spans.validate_answer(field, given_answer, CONTENT)
    assert words in str(caught.value)


def test_too_many_spans_are_refused_before_they_are_read() -> None:
    with pytest.raises(InvalidValue, match="found 2001 spans, the limit is 2000: mark fewer"):
        spans.validate_answer(FIELD, {"spans": [None] * 2001}, CONTENT)


def test_nested_allows_inside_and_overlapping_allows_all() -> None:
    inside = answer(span(0, 7), span(0, 3))
    same = answer(span(0, 7), span(0, 7, "place"))
    crossing = answer(span(0, 5), span(4, 9))
    for field, taken in ((NESTED, [inside, same]), (OVERLAPPING, [inside, same, crossing])):
        for one in taken:
            assert spans.validate_answer(field, one, CONTENT) == one


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": []}, "has 0 labels, it needs 1"),
        ({"nested": "yes"}, "nested of field 'entities' is not true or false"),
        ({"whole_words": 1}, "whole_words of field 'entities' is not true or false"),
        ({"relations": [{"id": "In!", "name": "in"}]}, "label id 'In!' is not valid"),
    ],
)
def test_it_says_what_is_wrong_with_a_field(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        registry.validate_definition({"fields": [FIELD | changes]})
    assert words in str(caught.value)


@given(any_answer, any_answer)
def test_distance_is_symmetric_bounded_and_nothing_for_the_same(a: Any, b: Any) -> None:
    field = RELATED | {"overlapping": True}
    there = spans.distance(field, a, b)
    assert there == spans.distance(field, b, a)
    assert 0 <= there <= 1
    assert spans.distance(field, a, a) == 0
    assert (there == 0) == (
        spans._characters(a) == spans._characters(b) and set(spans._links(a)) == set(spans._links(b))
    )


def test_distance_is_small_at_borders_and_whole_for_another_label() -> None:
    assert spans.distance(FIELD, answer(span(0, 10)), answer(span(0, 9))) == pytest.approx(1 - 18 / 19)
    assert spans.distance(FIELD, answer(span(0, 3)), answer(span(0, 3, "place"))) == 1
    assert spans.distance(FIELD, answer(), answer()) == 0
    assert spans.distance(FIELD, answer(), answer(span(0, 3))) == 1
    two = [span(0, 3), span(18, 24, "place")]
    related = spans.distance(RELATED, answer(*two, relations=[link(0, 1)]), answer(*two, relations=[]))
    assert related == 0.5


def test_each_span_is_decided_by_its_own_majority() -> None:
    found = spans.combine(
        RELATED,
        [
            answer(span(0, 3), span(18, 24, "place"), relations=[link(0, 1)]),
            answer(span(0, 3), span(18, 24, "place"), relations=[link(0, 1)]),
            answer(span(0, 3), span(4, 8, "place"), relations=[link(0, 1)]),
        ],
    )
    assert found.answer == answer(span(0, 3), span(18, 24, "place"), relations=[link(0, 1)])
    assert found.posterior == {"0-3-person": 1.0, "18-24-place": 2 / 3, "4-8-place": 1 / 3}


@given(st.lists(any_answer, min_size=1, max_size=5))
def test_what_people_come_to_does_not_hang_on_their_order_and_is_valid(answers: list[Any]) -> None:
    field = RELATED | {"overlapping": True}
    found = spans.combine(field, answers)
    assert found == spans.combine(field, answers[::-1])
    assert all(0 < share <= 1 for share in found.posterior.values())
    if found.answer is not None:
        assert spans.validate_answer(field, found.answer) == found.answer
    if len(answers) == 1:
        assert found.answer == answers[0]


def test_halves_and_winners_that_exclude_each_other_wait_for_a_person() -> None:
    assert spans.combine(FIELD, [answer(span(0, 3)), answer()]).answer is None
    crossing = [answer(span(0, 5), span(4, 9))] * 2
    assert spans.combine(OVERLAPPING, crossing).answer == crossing[0]
    assert spans.combine(FIELD, crossing).answer is None
    assert spans.combine(FIELD, [answer(), answer()]).answer == answer()


def test_a_draft_keeps_what_still_fits() -> None:
    given_answer = answer(
        span(0, 3), span(4, 8, "gone"), span(18, 24, "place"), relations=[link(0, 2), link(0, 1)]
    )
    found = spans.draft(RELATED, given_answer, CONTENT)
    assert found == answer(span(0, 3), span(18, 24, "place"), relations=[link(0, 1)])
    assert spans.draft(FIELD, given_answer, CONTENT) == answer(span(0, 3), span(18, 24, "place"))
    assert spans.draft(FIELD, answer(), CONTENT) == answer()


@pytest.mark.parametrize(
    "given_answer",
    [
        None,
        "x",
        {},
        {"spans": 5},
        answer(span(0, 99)),
        answer(span(0, 3, "gone")),
        answer(span(0, 5), span(4, 9)),
    ],
)
def test_there_is_no_draft_of_what_does_not_fit(given_answer: Any) -> None:
    assert spans.draft(FIELD, given_answer, CONTENT) is None


def test_training_rows_exports_and_words() -> None:
    found = answer(span(0, 3), span(18, 24, "place"), relations=[link(0, 1)])
    rows = spans.training_examples(RELATED, CONTENT, found)
    assert rows == [{"text": TEXT, **found, "unit": "unicode code points"}]
    assert spans.export(RELATED, found) == {
        "entities": found["spans"],
        "entities_relations": [link(0, 1)],
        "entities_unit": "unicode code points",
    }
    assert set(spans.columns(RELATED)) == set(spans.export(RELATED, found))
    said = spans.describe(RELATED, found, lambda one: one["name"])
    assert said == "Person 0–3, Place 18–24, 1 → 2 is in"
    assert spans.describe(FIELD, answer(), lambda one: one["name"]) == "∅"
    assert spans.uses(found) == {"person", "place", "in"}


def test_a_form_without_scripts_sends_json() -> None:
    sent = {"entities": ['{"spans": [{"start": 0, "end": 3, "label": "person"}]}'], "empty": [""]}
    assert spans.from_form(FIELD, lambda name: sent.get(name, [])) == answer(span(0, 3))
    assert spans.from_form(FIELD | {"name": "empty"}, lambda name: sent[name]) == answer()
    with pytest.raises(InvalidValue, match="expected JSON with spans"):
        spans.from_form(FIELD, lambda name: ["{"])
