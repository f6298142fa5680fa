from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types import preference
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidDefinition, InvalidValue

STRENGTHS = [{"id": "slightly", "name": "Slightly better"}, {"id": "much", "name": "Much better"}]
REASONS = [{"id": "correct", "name": "More correct"}, {"id": "polite", "name": "More polite"}]
FIELD: dict[str, Any] = {"name": "preferred", "type": "preference"}
FULL = {**FIELD, "strengths": STRENGTHS, "reasons": REASONS}
RESPONSES = [{"id": f"r{n}", "text": f"answer {n}"} for n in (1, 2, 3)]
CONTENT = content_of("Where is my money?", {"responses": RESPONSES})
PAIR = content_of("Where is my money?", {"responses": RESPONSES[:2]})


def ranked(*groups: str) -> dict[str, Any]:
    """ranked("r2", "r1 r3"): r2 first, then the other two tied."""
    return {"ranking": [group.split() for group in groups]}


@st.composite
def rankings(draw: Any) -> dict[str, Any]:
    """Four responses in groups, in any order."""
    ids = draw(st.permutations(["a", "b", "c", "d"]))
    cuts = sorted(draw(st.sets(st.integers(1, 3))))
    bounds = [0, *cuts, 4]
    return {"ranking": [list(ids[i:j]) for i, j in itertools.pairwise(bounds)]}


def places(answer: dict[str, Any]) -> list[set[str]]:
    return [set(group) for group in answer["ranking"]]


def test_it_keeps_a_whole_answer_with_ties_in_the_order_of_the_item() -> None:
    given_answer = {**ranked("r2", "r3 r1"), "strength": "much", "reasons": ["polite", "correct"]}
    assert preference.validate_answer(FULL, given_answer, CONTENT) == {
        "ranking": [["r2"], ["r1", "r3"]],
        "strength": "much",
        "reasons": ["correct", "polite"],
    }


def test_strength_says_nothing_where_all_are_tied() -> None:
    assert preference.validate_answer(FULL, {**ranked("r1 r2"), "strength": "much"}, PAIR) == {
        "ranking": [["r1", "r2"]],
        "reasons": [],
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("r1", 'expected {"ranking": [[id], ...]}'),
        ({"ranking": []}, "expected groups of response ids, best first"),
        ({"ranking": [["r1"], []]}, "expected groups of response ids, best first"),
        ({"ranking": ["r1", "r2"]}, "expected groups of response ids, best first"),
        (ranked("r1"), "the ranking names r1: rank each of r1, r2 once"),
        (ranked("r1", "r2", "r3"), "rank each of r1, r2 once"),
        (ranked("r1", "r1"), "rank each of r1, r2 once"),
        (ranked("r1", "r2"), "strength None of 'preferred': use one of slightly, much"),
        ({**ranked("r1", "r2"), "strength": "hugely"}, "use one of slightly, much"),
        ({**ranked("r1", "r2"), "strength": "much", "reasons": ["kind"]}, "use some of correct, polite"),
        ({**ranked("r1", "r2"), "strength": "much", "reasons": "polite"}, "use some of correct, polite"),
        ({**ranked("r1", "r2"), "note": ""}, "expected ranking, strength and reasons"),
    ],
)
def test_it_says_what_is_wrong_with_an_answer(answer: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        preference.validate_answer(FULL, answer, PAIR)
    assert words in str(caught.value)


def test_ties_and_missing_responses_have_sentences_of_their_own() -> None:
    with pytest.raises(InvalidValue, match="allows no ties: put one response first"):
        preference.validate_answer({**FIELD, "ties": False}, ranked("r1 r2"), PAIR)
    with pytest.raises(InvalidValue, match="no responses to compare: skip it"):
        preference.validate_answer(FIELD, ranked("r1", "r2"), content_of("text"))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({**FIELD, "ties": 1}, "ties of field 'preferred' is not true or false"),
        ({**FIELD, "reasons": [{"id": "A!", "name": "A"}]}, "label id 'A!' is not valid"),
        ({**FIELD, "strengths": "much"}, "has no list of strengths"),
    ],
)
def test_it_says_what_is_wrong_with_a_field(field: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        preference.validate_field(field)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (ranked("a", "b"), ranked("a", "b"), 0.0),
        (ranked("a", "b"), ranked("b", "a"), 1.0),
        (ranked("a", "b"), ranked("a b"), 0.5),
        (ranked("a", "b", "c"), ranked("c", "b", "a"), 1.0),
        (ranked("a", "b", "c"), ranked("b", "a", "c"), 1 / 3),
        (ranked("a", "b c"), ranked("a", "b", "c"), 1 / 6),
        (ranked("a b c"), ranked("a", "b", "c"), 1 / 2),
    ],
)
def test_the_distance_is_kendalls_with_half_a_point_for_a_tie(a: Any, b: Any, expected: float) -> None:
    assert preference.distance(FIELD, a, b) == pytest.approx(expected)


@given(rankings(), rankings(), rankings())
def test_the_distance_is_a_metric_between_rankings(a: Any, b: Any, c: Any) -> None:
    """With p = 1/2 it is Kemeny's, which is a metric on rankings with ties (Fagin et al., 2004)."""
    between = preference.distance(FIELD, a, b)
    assert 0.0 <= between <= 1.0
    assert between == preference.distance(FIELD, b, a)
    assert (between == 0.0) == (places(a) == places(b))
    through = preference.distance(FIELD, a, c) + preference.distance(FIELD, c, b)
    assert between <= through + 1e-12


def test_strength_and_reasons_do_not_count_for_distance() -> None:
    assert preference.distance(FULL, {**ranked("a", "b"), "strength": "much"}, ranked("a", "b")) == 0.0


def test_it_combines_to_the_ranking_that_most_gave() -> None:
    answers = [
        {**ranked("r1", "r2"), "strength": "much", "reasons": ["correct"]},
        {**ranked("r1", "r2"), "strength": "much", "reasons": ["correct", "polite"]},
        {**ranked("r2", "r1"), "strength": "slightly", "reasons": []},
    ]
    combined = preference.combine(FULL, answers)
    assert combined.answer == {**ranked("r1", "r2"), "strength": "much", "reasons": ["correct", "polite"]}
    assert combined.posterior == {"r1>r2": 2 / 3, "r2>r1": 1 / 3}


def test_a_tie_between_rankings_waits_for_a_person() -> None:
    combined = preference.combine(FIELD, [ranked("r1", "r2"), ranked("r2 r1")])
    assert combined.answer is None
    assert combined.posterior == {"r1>r2": 0.5, "r1=r2": 0.5}


def test_a_suggestion_is_the_draft_while_it_fits_the_item_and_the_schema() -> None:
    whole = {**ranked("r2", "r1"), "strength": "much", "reasons": ["polite"]}
    assert preference.draft(FULL, whole, PAIR) == whole
    assert preference.draft(FIELD, whole, PAIR) == ranked("r2", "r1")
    assert preference.draft(FULL, {**whole, "strength": "hugely", "reasons": ["kind"]}, PAIR) == ranked(
        "r2", "r1"
    )
    assert preference.draft(FULL, ranked("r2", "r1", "r9"), PAIR) is None
    assert preference.draft(FULL, None, PAIR) is None


def test_the_order_of_the_screen_is_the_persons_own_and_is_kept() -> None:
    ids = [f"r{n}" for n in range(10)]
    orders = {tuple(preference.shown_order(ids, f"person {n}")) for n in range(50)}
    assert len(orders) > 45
    assert all(sorted(order) == ids for order in orders)
    assert preference.shown_order(ids, "person 1") == preference.shown_order(ids[::-1], "person 1")
    trace = preference.trace(FIELD, CONTENT, ranked("r1", "r2", "r3"), None, "person 1")
    assert trace == {"order": preference.shown_order(["r1", "r2", "r3"], "person 1")}


def test_each_response_stands_first_equally_often() -> None:
    firsts = [preference.shown_order(["r1", "r2"], f"person {n}")[0] for n in range(2000)]
    assert 920 < firsts.count("r1") < 1080  # 3.6 standard deviations


def test_it_gives_a_pair_of_texts_as_trl_reads_them() -> None:
    assert preference.training_examples(FIELD, PAIR, ranked("r2", "r1")) == [
        {"prompt": "Where is my money?", "chosen": "answer 2", "rejected": "answer 1"}
    ]


def test_it_gives_messages_where_the_item_is_a_dialogue() -> None:
    messages = [{"role": "user", "content": "Where is my money?"}]
    dialogue = content_of("text", {"responses": RESPONSES[:2], "messages": messages})
    assert preference.training_examples(FIELD, dialogue, ranked("r1", "r2")) == [
        {
            "prompt": messages,
            "chosen": [{"role": "assistant", "content": "answer 1"}],
            "rejected": [{"role": "assistant", "content": "answer 2"}],
        }
    ]


def test_a_longer_ranking_gives_every_strict_pair_and_ties_give_none() -> None:
    rows = preference.training_examples(FIELD, CONTENT, ranked("r3", "r1 r2"))
    assert [(row["chosen"], row["rejected"]) for row in rows] == [
        ("answer 3", "answer 1"),
        ("answer 3", "answer 2"),
    ]
    assert preference.training_examples(FIELD, CONTENT, ranked("r1 r2 r3")) == []


def test_it_exports_flat_columns() -> None:
    answer = {**ranked("r2", "r1"), "strength": "much", "reasons": ["polite"]}
    assert preference.export(FULL, answer) == {
        "preferred_ranking": [["r2"], ["r1"]],
        "preferred_best": "r2",
        "preferred_strength": "much",
        "preferred_reasons": ["polite"],
    }
    assert preference.export(FIELD, ranked("r1 r2"))["preferred_best"] == ""
    assert set(preference.export(FULL, answer)) == set(preference.columns(FULL))


def test_it_reads_places_of_a_form_without_scripts() -> None:
    sent = {
        "preferred.responses": ["r3", "r1", "r2"],
        "preferred.r1": ["2"],
        "preferred.r2": ["1"],
        "preferred.r3": ["2"],
        "preferred.strength": ["much"],
        "preferred.reasons": ["polite"],
    }
    answer = preference.from_form(FULL, lambda name: sent.get(name, []))
    assert preference.validate_answer(FULL, answer, CONTENT) == {
        "ranking": [["r2"], ["r1", "r3"]],
        "strength": "much",
        "reasons": ["polite"],
    }


def test_words_call_responses_by_the_letters_of_the_screen() -> None:
    answer = {**ranked("r2", "r1 r3"), "strength": "much"}
    named = preference.lettered(answer, ["r3", "r2", "r1"])
    assert preference.describe(FULL, named, lambda option: option["name"]) == "B > A = C, Much better"
    assert answer["ranking"] == [["r2"], ["r1", "r3"]]
