from __future__ import annotations

import pytest

from annotation.intake.normalise import normalise
from annotation.intake.words import LONGEST_WORD, MOST_TERMS, MOST_WORDS, Term, terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't wait: 2x, foo_bar", ["don", "t", "wait", "2x", "foo", "bar"]),
        ("我的钱还没到账", ["我", "的", "钱", "还", "没", "到", "账"]),
        ("iPhone退款ＯＫ", ["iphone", "退", "款", "ok"]),
        ("Straße café", ["strasse", "café"]),
        ("\U00020000𠮷野家", ["\U00020000", "𠮷", "野", "家"]),
        ("ありがとう", ["あ", "り", "が", "と", "う"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("환불 요청", ["환불", "요청"]),
        ("", []),
        ("!? — …", []),
    ],
)
def test_it_cuts_a_text_into_words(text: str, expected: list[str]) -> None:
    assert words(normalise(text)) == expected


def test_it_bounds_what_one_text_gives() -> None:
    assert words("a" * 500) == ["a" * LONGEST_WORD]
    assert len(words("ab " * (MOST_WORDS + 5))) == MOST_WORDS


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("refund card", [Term(("refund",), True), Term(("card",), True)]),
        ('"not paid"', [Term(("not", "paid"))]),
        ("“not paid” x", [Term(("not", "paid")), Term(("x",))]),
        ("退款", [Term(("退", "款"))]),
        ("退款iph", [Term(("退", "款", "iph"), True)]),
        ("e-mail", [Term(("e", "mail"), True)]),
        ('"open', [Term(("open",))]),
        ('* OR NEAR( ^ "" -', [Term(("or",), True), Term(("near",), True)]),
        ("", []),
    ],
)
def test_it_reads_what_people_type(typed: str, expected: list[Term]) -> None:
    assert terms(typed) == expected


def test_it_takes_so_many_terms_and_no_more() -> None:
    assert len(terms("ab " * 100)) == MOST_TERMS
