from __future__ import annotations

import hashlib
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.intake.normalise import _INVISIBLE, content_hash, normalise

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello\t\n WORLD!  ", "hello world!"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("ﬁne ①", "fine 1"),
        ("Straße", "strasse"),
        ("cafe\u0301", "café"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("a\x07b\x1fc", "ab c"),
        ("❤\ufe0f ok", "❤ ok"),
        ("退款！", "退款!"),
        ("ΐ", "ΐ"),
        ("\u200b \x00", ""),
        ("", ""),
        ("Don't stop-now.", "don't stop-now."),
    ],
)
def test_it_makes_texts_that_read_alike_equal(text, expected):
    assert normalise(text) == expected


@given(texts)
def test_it_changes_nothing_the_second_time(text):
    once = normalise(text)
    assert normalise(once) == once


@given(texts)
def test_it_does_not_care_for_spacing_width_or_composition(text):
    assert normalise(f" {text}\u3000\n") == normalise(text)
    if "\u0345" not in unicodedata.normalize(
        "NFD", text
    ):  # an iota below moves among other marks when it folds
        assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_it_gives_ascii_the_same_answer_on_its_short_way(text):
    assert normalise(text) == normalise(text + "é").removesuffix("é").rstrip()


@pytest.mark.slow
def test_it_changes_no_character_the_second_time():
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code <= 0xDFFF:
            once = normalise(f"a{chr(code)}b")
            assert normalise(once) == once, hex(code)


def test_it_takes_out_what_the_unicode_database_calls_invisible():
    def expected(character: str) -> bool:
        code = ord(character)
        selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
        return selector or (unicodedata.category(character) in ("Cc", "Cf") and not character.isspace())

    wrong = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if bool(_INVISIBLE.fullmatch(chr(code))) != expected(chr(code))
        # format characters that came with a later Unicode than this Python knows, or an earlier one did not
        and unicodedata.category(chr(code)) != "Cn"
    ]
    assert len(wrong) <= (0 if unicodedata.unidata_version == "14.0.0" else 20)


def test_it_hashes_to_32_hex_digits_of_blake2b():
    assert content_hash("hello world!") == hashlib.blake2b(b"hello world!", digest_size=16).hexdigest()
    assert len(content_hash("")) == 32
    assert content_hash("a") != content_hash("b")
