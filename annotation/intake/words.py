"""A text as words that a search index can hold, and what a person types as words to look for.

Scripts that put no space between words (Chinese, Japanese, Thai ...) are cut into single characters: a phrase
of characters then finds a word. All else is cut where neither letter nor digit stands. Index and query are
cut by the same function, so whatever can be typed finds what can be read, and nothing that is typed is ever
read as the database's own query language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from annotation.intake.normalise import normalise

# Raise it with any change of the answer of `words`: an index names the version that it was made with.
WORDS_VERSION = 1
MOST_WORDS = 16_000  # of one text; PostgreSQL keeps no position behind the 16,383rd
LONGEST_WORD = 60
MOST_TERMS = 20
SHORTEST_BEGINNING = 2  # a shorter word is looked for as it is, not as the beginning of others

_APART = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana and iteration marks
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_MARKS = r"\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff"
_ALONE = re.compile(f"[{_APART}]")
_WORD = re.compile(rf"(?:[^\W_]|[{_APART}{_MARKS}])+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_PART = re.compile(r'"([^"]*)"?|(\S+)')


@dataclass(frozen=True)
class Term:
    """Words that must stand side by side. `is_beginning`: the last one may go on."""

    words: tuple[str, ...]
    is_beginning: bool = False


def words(normalised: str) -> list[str]:
    """The words of a normalised text in their order, the first `MOST_WORDS` of them. O(length).

    >>> words("don't wait: 退款 2x")
    ['don', 't', 'wait', '退', '款', '2x']
    """
    if normalised.isascii():
        found = _ASCII_WORD.findall(normalised)
    else:
        found = _WORD.findall(_ALONE.sub(r" \g<0> ", normalised))
    return [word[:LONGEST_WORD] for word in found[:MOST_WORDS]]


def terms(typed: str) -> list[Term]:
    """What a person typed, to be found all together; none where there is no word in it.

    A word finds what begins with it, a quoted phrase what is exactly so, and characters of a script without
    spaces what has them side by side.

    >>> terms('card "not paid" 退款')
    [Term(words=('card',), is_beginning=True), Term(words=('not', 'paid'), is_beginning=False), \
Term(words=('退', '款'), is_beginning=False)]
    """
    found = []
    for quoted, plain in _PART.findall(re.sub("[“”„«»＂]", '"', typed)):
        cut = tuple(words(normalise(quoted or plain)))
        if not cut:
            continue
        last = cut[-1]
        goes_on = not quoted and len(last) >= SHORTEST_BEGINNING and not _ALONE.match(last)
        found.append(Term(cut, goes_on))
    return found[:MOST_TERMS]


def matches(text_words: list[str], wanted: list[Term]) -> bool:
    """Whether all terms stand in a text that was cut by `words`: what the index would say of it."""
    return all(_stands(text_words, term) for term in wanted)


def _stands(text_words: list[str], term: Term) -> bool:
    *firsts, last = term.words
    length = len(term.words)
    for start in range(len(text_words) - length + 1):
        end = text_words[start + length - 1]
        if (end.startswith(last) if term.is_beginning else end == last) and (
            text_words[start : start + length - 1] == firsts
        ):
            return True
    return False
