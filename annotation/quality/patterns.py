"""Suggestions by keywords and regular expressions: matching in bounded time, how right each is, what they
say together.

A pattern belongs to one label of one field. In a classification the surest label that matches is suggested; in a
multi-label field all labels that match; in a span field every match is a span.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _
from annotation.quality.intervals import Estimate, wilson, wilson_centre

KEYWORD, REGEX = "keyword", "regex"
FIELD_TYPES = ("classification", "multilabel", "spans")
LONGEST_PATTERN = 300
LONGEST_TEXT = 20_000  # characters of a text that are looked at
SECONDS = 0.05  # for one pattern on one text
MOST_MATCHES = 200
# scripts without spaces between words: a keyword in them may stand anywhere
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"

Span = tuple[int, int]


class BadPattern(SentenceError):
    """A pattern that cannot be used; the message says why and what to do."""


class TooSlow(Exception):
    """A pattern took more than `SECONDS` on one text."""


@dataclass(frozen=True)
class Matcher:
    expression: Any

    def spans(self, text: str) -> list[Span]:
        """Where the pattern matches, in code points, without white space at the edges; `TooSlow` past
        `SECONDS`.
        """
        found = []
        try:
            for match in self.expression.finditer(text[:LONGEST_TEXT], timeout=SECONDS):
                start, end = match.span()
                piece = match.group()
                start += len(piece) - len(piece.lstrip())
                end -= len(piece) - len(piece.rstrip())
                if start < end:
                    found.append((start, end))
                if len(found) >= MOST_MATCHES:
                    break
        except TimeoutError as error:
            raise TooSlow from error
        return found


def matcher(kind: str, pattern: str) -> Matcher:
    """The matcher of a keyword or a regular expression; upper and lower case are the same.

    A keyword matches whole words where its script has spaces between words, and its own spaces match any white
    space. `BadPattern` where it is empty, too long, no valid expression, or would match the empty text.

    >>> matcher("keyword", "card").spans("Card, cards and postcard")
    [(0, 4)]
    >>> matcher("keyword", "退款").spans("我要退款吗")
    [(2, 4)]
    """
    if not pattern.strip():
        raise BadPattern(_("the pattern is empty: write a word or an expression"))
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern(
            _("the pattern has %(count)s characters, the limit is %(most)s: shorten it"),
            count=len(pattern),
            most=LONGEST_PATTERN,
        )
    written = _keyword(pattern) if kind == KEYWORD else pattern
    try:
        expression = regex.compile(written, regex.IGNORECASE | regex.VERSION0)
        is_empty = expression.fullmatch("", timeout=SECONDS) is not None
    except (regex.error, OverflowError, RecursionError) as error:
        raise BadPattern(
            _("this is no regular expression (%(reason)s): mend it, or make it a keyword"), reason=error
        ) from error
    except TimeoutError as error:
        raise BadPattern(_("the expression takes too long even on an empty text: make it simpler")) from error
    if is_empty:
        raise BadPattern(
            _("the expression matches nothing at all as well, so it matches everywhere: require a letter")
        )
    return Matcher(expression)


def _keyword(keyword: str) -> str:
    words = [regex.escape(word) for word in keyword.split()]
    first, last = keyword.split()[0][0], keyword.split()[-1][-1]
    before = r"(?<!\w)" if _stands_alone(first) else ""
    after = r"(?!\w)" if _stands_alone(last) else ""
    return before + r"\s+".join(words) + after


def _stands_alone(character: str) -> bool:
    return character.isalnum() and not regex.match(_UNSPACED, character)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How right a pattern is on resolved items (`precision`: of `n` matches), and how many of the texts
    looked at it matches (`coverage`)."""

    precision: Estimate
    coverage: Estimate

    @property
    def confidence(self) -> float:
        """The precision, drawn to one half where little is known: the centre of Wilson's interval."""
        return confidence(
            round(self.precision.value * self.precision.n) if self.precision.n else 0, self.precision.n
        )


def confidence(right: int, n: int) -> float:
    """What a suggestion of a pattern is worth that was right in `right` of `n` matches.

    >>> round(confidence(0, 0), 2), round(confidence(9, 10), 2), round(confidence(99, 100), 2)
    (0.5, 0.79, 0.97)
    """
    return wilson_centre(right, n)


def judge(field: Mapping[str, Any], label: str, spans: Sequence[Span], answer: Any) -> tuple[int, int]:
    """(right, of) for one resolved text that the pattern matches at `spans`: of its matches in a span
    field, else of one."""
    if field["type"] == "spans":
        given = {
            (one["start"], one["end"]) for one in (answer or {}).get("spans", ()) if one["label"] == label
        }
        return sum(span in given for span in spans), len(spans)
    if field["type"] == "multilabel":
        return int(label in (answer or ())), 1
    return int(answer == label), 1


def measured(right: int, of: int, matched: int, looked_at: int) -> Measure:
    return Measure(precision=wilson(right, of), coverage=wilson(matched, looked_at))


@dataclass(frozen=True)
class Rule:
    """One pattern at work."""

    field: str
    label: str
    confidence: float
    matcher: Matcher


@dataclass(frozen=True)
class Suggested:
    """What the rules say of one text. `scores`: label -> confidence, of all fields; `slow`: rules that were left
    out because they took too long on it."""

    value: dict[str, Any]
    confidence: float
    scores: dict[str, float]
    slow: tuple[int, ...] = ()


def suggest(fields: Iterable[Mapping[str, Any]], rules: Sequence[Rule], text: str) -> Suggested:
    """The rules' value for a text, empty where none matches; its confidence is that of the least sure rule
    in it.
    """
    matches: list[tuple[Rule, list[Span]]] = []
    slow = []
    for number, rule in enumerate(rules):
        try:
            spans = rule.matcher.spans(text)
        except TooSlow:
            slow.append(number)
            continue
        if spans:
            matches.append((rule, spans))
    value: dict[str, Any] = {}
    sure = [1.0]
    for field in fields:
        own = [(rule, spans) for rule, spans in matches if rule.field == field["name"]]
        if own:
            value[field["name"]], certainty = _answer(field, own)
            sure.append(certainty)
    scores: dict[str, float] = {}
    for rule, _spans in matches:
        scores[rule.label] = max(rule.confidence, scores.get(rule.label, 0.0))
    return Suggested(value, min(sure), scores, tuple(slow))


def _answer(field: Mapping[str, Any], own: Sequence[tuple[Rule, list[Span]]]) -> tuple[Any, float]:
    order = [label["id"] for label in field["labels"]]
    best: dict[str, float] = {}
    for rule, _spans in own:
        best[rule.label] = max(rule.confidence, best.get(rule.label, 0.0))
    if field["type"] == "multilabel":
        found = [label for label in order if label in best]
        return found, min(best[label] for label in found)
    if field["type"] == "spans":
        return _apart(own)
    label = max(best, key=lambda one: (best[one], -order.index(one)))
    return label, best[label]


def _apart(own: Sequence[tuple[Rule, list[Span]]]) -> tuple[dict[str, Any], float]:
    """Matches that do not overlap: the longest first, then the surest, then the first."""
    every = [(start, end, rule) for rule, spans in own for start, end in spans]
    every.sort(key=lambda one: (one[0] - one[1], -one[2].confidence, one[0]))
    kept: list[tuple[int, int, Rule]] = []
    for start, end, rule in every:
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, rule))
    kept.sort(key=lambda one: one[0])
    spans = [{"start": start, "end": end, "label": rule.label} for start, end, rule in kept]
    return {"spans": spans}, min(rule.confidence for _start, _end, rule in kept)
