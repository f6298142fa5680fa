from __future__ import annotations

from annotation.selectors.value_text import value_text

DEFINITION = {
    "fields": [
        {
            "name": "label",
            "type": "classification",
            "labels": [{"id": "refund", "name": "Refund request"}, {"id": "other", "name": "Other"}],
        },
        {"name": "topics", "type": "multilabel", "labels": [{"id": "card", "name": "Card"}]},
    ]
}


def test_an_answer_is_shown_by_its_names() -> None:
    assert value_text(DEFINITION, {"label": "refund", "topics": ["card"]}) == "Refund request · Card"


def test_nothing_is_shown_as_nothing() -> None:
    assert value_text(DEFINITION, None) == value_text(DEFINITION, {}) == value_text(None, {}) == ""


def test_what_does_not_fit_the_schema_is_shown_as_it_is_stored() -> None:
    assert value_text(DEFINITION, {"label": "other", "topics": 5}) == "Other · 5"
    assert value_text(None, {"label": "refund"}) == '"refund"'
    unknown = {"fields": [{"name": "x", "type": "not-installed"}]}
    assert value_text(unknown, {"x": [1, "二"]}) == '[1,"二"]'


def test_a_long_value_is_cut() -> None:
    shown = value_text(None, {"reply": "word " * 200}, longest=50)
    assert len(shown) == 50
    assert shown.endswith("…")


def test_responses_have_the_letters_of_the_screen_where_it_is_told() -> None:
    definition = {"fields": [{"name": "preferred", "type": "preference"}]}
    value = {"preferred": {"ranking": [["r2"], ["r1"]]}}
    assert value_text(definition, value) == "r2 > r1"
    assert value_text(definition, value, order=["r2", "r1"]) == "A > B"


def test_spans_are_told_by_their_words_where_the_text_is_at_hand() -> None:
    labels = [{"id": "person", "name": "Person"}, {"id": "place", "name": "Place"}]
    field = {"name": "names", "type": "spans", "labels": labels, "relations": [{"id": "in", "name": "is in"}]}
    spans = [{"start": 0, "end": 3, "label": "person"}, {"start": 7, "end": 13, "label": "place"}]
    value = {"names": {"spans": spans, "relations": [{"from": 0, "to": 1, "label": "in"}]}}
    definition = {"fields": [field]}
    assert value_text(definition, value) == "Person 0–3, Place 7–13, 1 → 2 is in"
    said = value_text(definition, value, text="Ana in Berlin")
    assert said == "Person “Ana”, Place “Berlin”, “Ana” → “Berlin” is in"
    long = {"names": {"spans": [{"start": 0, "end": 60, "label": "person"}], "relations": []}}
    assert value_text(definition, long, text="x" * 60) == f"Person “{'x' * 39}…”"
