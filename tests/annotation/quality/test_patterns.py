"""Patterns: what they match, how right they are, what they suggest together; never for long."""

from __future__ import annotations

import time

import pytest

from annotation.quality.intervals import wilson
from annotation.quality.patterns import (
    BadPattern,
    Rule,
    TooSlow,
    confidence,
    judge,
    matcher,
    measured,
    suggest,
)

LABELS = [{"id": "refund"}, {"id": "lost"}, {"id": "fee"}]


def field(kind: str, name: str = "label") -> dict:
    return {"name": name, "type": kind, "labels": LABELS}


def rule(label: str, pattern: str, sure: float = 0.5, *, kind: str = "keyword", name: str = "label") -> Rule:
    return Rule(name, label, sure, matcher(kind, pattern))


@pytest.mark.parametrize(
    ("kind", "pattern", "text", "spans"),
    [
        ("keyword", "card", "Card, cards, postcard: CARD", [(0, 4), (23, 27)]),
        ("keyword", "money back", "money\n back, moneyback", [(0, 11)]),
        ("keyword", "退款", "我要退款，退款！", [(2, 4), (5, 7)]),
        ("keyword", "c++", "C++ and c++11", [(0, 3), (8, 11)]),
        ("keyword", "5€", "only 5€!", [(5, 7)]),
        ("keyword", "café", "👩🏽 CAFÉ", [(3, 7)]),
        ("regex", r"card\w*", "cards and card", [(0, 5), (10, 14)]),
        ("regex", r"\s*lost\s*", "I lost it", [(2, 6)]),
        ("regex", r"(?i)iban [A-Z]{2}\d+", "iban de12", [(0, 9)]),
    ],
)
def test_it_finds_where_a_pattern_matches(kind: str, pattern: str, text: str, spans: list) -> None:
    assert matcher(kind, pattern).spans(text) == spans


@pytest.mark.parametrize(
    ("kind", "pattern", "said"),
    [
        ("keyword", "  ", "is empty"),
        ("regex", "(", "no regular expression"),
        ("regex", "a*", "matches nothing at all"),
        ("regex", "x" * 301, "the limit is 300"),
        ("regex", "[z-a]", "no regular expression"),
    ],
)
def test_it_says_what_is_wrong_with_a_pattern(kind: str, pattern: str, said: str) -> None:
    with pytest.raises(BadPattern, match=said):
        matcher(kind, pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+b"])
def test_an_expression_that_explodes_is_stopped(pattern: str) -> None:
    try:
        found = matcher("regex", pattern)
    except BadPattern:
        return
    started = time.monotonic()
    with pytest.raises(TooSlow):
        found.spans("a" * 5000 + "c " * 2000)
    assert time.monotonic() - started < 1.0


def test_the_confidence_is_the_precision_drawn_to_one_half() -> None:
    assert confidence(0, 0) == 0.5
    assert confidence(10, 10) == pytest.approx((10 + 1.920729) / (10 + 3.841459), abs=1e-5)
    assert [round(confidence(n, n), 2) for n in (1, 10, 100, 1000)] == [0.6, 0.86, 0.98, 1.0]
    assert confidence(3, 10) < confidence(30, 100) + 0.1


def test_it_measures_by_field_type() -> None:
    assert judge(field("classification"), "refund", [(0, 4)], "refund") == (1, 1)
    assert judge(field("classification"), "refund", [(0, 4)], "lost") == (0, 1)
    assert judge(field("multilabel"), "refund", [(0, 4)], ["lost", "refund"]) == (1, 1)
    assert judge(field("multilabel"), "refund", [(0, 4)], None) == (0, 1)
    answer = {"spans": [{"start": 0, "end": 4, "label": "lost"}, {"start": 9, "end": 12, "label": "fee"}]}
    assert judge(field("spans"), "lost", [(0, 4), (9, 12)], answer) == (1, 2)
    found = measured(8, 10, 30, 200)
    assert (found.precision, found.coverage) == (wilson(8, 10), wilson(30, 200))
    assert found.confidence == confidence(8, 10)


def test_the_surest_label_wins_and_the_first_of_equals() -> None:
    rules = [rule("lost", "card", 0.6), rule("refund", "money", 0.9), rule("fee", "money", 0.9)]
    found = suggest([field("classification")], rules, "money for my card")
    assert (found.value, found.confidence) == ({"label": "refund"}, 0.9)
    assert found.scores == {"lost": 0.6, "refund": 0.9, "fee": 0.9}
    assert suggest([field("classification")], rules, "nothing here").value == {}


def test_several_labels_come_together_as_sure_as_the_least() -> None:
    rules = [rule("fee", "fee", 0.7), rule("refund", "money", 0.9)]
    found = suggest([field("multilabel")], rules, "a fee and my money")
    assert (found.value, found.confidence) == ({"label": ["refund", "fee"]}, 0.7)


def test_matches_become_spans_that_do_not_overlap() -> None:
    rules = [rule("lost", "lost card", 0.6), rule("fee", "card", 0.9), rule("refund", "card", 0.5)]
    found = suggest([field("spans")], rules, "lost card and card")
    assert found.value == {
        "label": {
            "spans": [{"start": 0, "end": 9, "label": "lost"}, {"start": 14, "end": 18, "label": "fee"}]
        }
    }
    assert found.confidence == 0.6


def test_each_field_has_its_own_rules_and_a_slow_one_is_left_out() -> None:
    fields = [field("classification"), field("multilabel", "topics")]
    rules = [
        rule("fee", "fee", 0.8),
        rule("lost", "fee", 0.7, name="topics"),
        rule("lost", r"(x+x+)+y", kind="regex"),
    ]
    found = suggest(fields, rules, "fee " + "x" * 4000)
    assert found.value == {"label": "fee", "topics": ["lost"]}
    assert found.confidence == 0.7
    assert found.slow == (2,)
