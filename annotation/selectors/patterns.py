"""Patterns of a project: what one matches and how right it is, measured on items that are resolved."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.wording import said
from annotation.errors import PatternRefused
from annotation.models import Item, Pattern, PatternPass, Prelabel, Project
from annotation.quality import patterns as core
from annotation.quality.intervals import Estimate, wilson
from annotation.quality.patterns import BadPattern, Matcher, TooSlow
from annotation.selectors import schemas, suggestible
from annotation.selectors.choices import Choice, choices, in_language

KIND = "annotation.suggest_by_patterns"
LABELLER_KEY = "patterns:"  # of the labellers under which patterns suggest, one for each set of them
JUDGED_ON = 3000  # the newest resolved items
SAMPLED = 2000  # items drawn for what a pattern matches at all
PATIENCE_SECONDS = 3.0  # for one pattern on all of these
EXAMPLES = 12


@dataclass(frozen=True)
class FieldOption:
    """A field that patterns can suggest for."""

    name: str
    title: str
    labels: list[Choice]


@dataclass(frozen=True)
class Piece:
    text: str
    is_match: bool


@dataclass(frozen=True)
class Example:
    """A text that the pattern matches; `right` is None where it is not resolved."""

    pieces: list[Piece]
    right: bool | None


@dataclass(frozen=True, kw_only=True)
class Tested:
    """`right` of `judged` matches on resolved items; `matched` of `looked_at` items drawn from all."""

    right: int
    judged: int
    matched: int
    looked_at: int
    examples: list[Example]

    @property
    def precision(self) -> Estimate:
        return wilson(self.right, self.judged)

    @property
    def coverage(self) -> Estimate:
        return wilson(self.matched, self.looked_at)

    @property
    def confidence(self) -> float:
        return core.confidence(self.right, self.judged)


@dataclass(frozen=True)
class Row:
    """A pattern of the list, with its figures as they were last measured."""

    pattern: Pattern
    field: str
    label: str
    is_known: bool  # the schema still has field and label
    precision: Estimate
    coverage: Estimate


def field_options(project: Project) -> list[FieldOption]:
    """The fields with labels that patterns can suggest, each with the labels that may be answered."""
    found = []
    for field in schemas.require(project).definition["fields"]:
        if field["type"] in core.FIELD_TYPES:
            labels = [one for one in choices(field) if not one.is_group or field.get("any_node")]
            found.append(FieldOption(field["name"], in_language(field, "title") or field["name"], labels))
    return found


def rows(project: Project) -> list[Row]:
    """All patterns in the order of fields, labels and age. Two queries."""
    options = field_options(project)
    names = {(option.name, label.id): label.name for option in options for label in option.labels}
    titles = {option.name: option.title for option in options}
    place = {key: at for at, key in enumerate(names)}
    found = sorted(project.patterns.all(), key=lambda one: place.get((one.field, one.label), len(place)))
    return [
        Row(
            pattern=one,
            field=titles.get(one.field, one.field) if len(options) > 1 else "",
            label=names.get((one.field, one.label), one.label),
            is_known=(one.field, one.label) in names,
            precision=wilson(one.right, one.judged),
            coverage=wilson(one.matched, one.looked_at),
        )
        for one in found
    ]


def field_for(project: Project, name: str, label: str) -> Mapping[str, Any]:
    """The schema's field; PatternRefused where it takes no patterns or lacks the label."""
    for option in field_options(project):
        if option.name == name and any(one.id == label for one in option.labels):
            definition = schemas.require(project).definition
            return next(field for field in definition["fields"] if field["name"] == name)
    raise PatternRefused(
        _("There is no label “%(label)s” to suggest in “%(field)s”: choose one of the list.")
        % {"label": label, "field": name}
    )


def compiled(kind: str, pattern: str) -> Matcher:
    try:
        return core.matcher(kind, pattern)
    except BadPattern as error:
        raise PatternRefused(_("This pattern cannot be used: %(why)s.") % {"why": said(error)}) from error


def test(project: Project, field: Mapping[str, Any], label: str, matcher: Matcher) -> Tested:
    """What a pattern matches and how right it is. Three queries, at most `PATIENCE_SECONDS` of matching.

    Raises:
        PatternRefused: it is too slow.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    right = judged = matched = looked_at = 0
    examples: list[Example] = []
    try:
        for _row, text, answer in suggestible.judged(project, field["name"], JUDGED_ON):
            if spans := _spans(matcher, text, until):
                agreed, of = core.judge(field, label, spans, answer)
                right, judged = right + agreed, judged + of
                examples.append(Example(_pieces(text, spans), agreed == of))
        for text in _drawn(project):
            looked_at += 1
            if spans := _spans(matcher, text, until):
                matched += 1
                if len(examples) < 10 * EXAMPLES:
                    examples.append(Example(_pieces(text, spans), None))
    except TooSlow as error:
        raise PatternRefused(
            _("This expression is too slow: make it simpler, above all repetitions inside repetitions.")
        ) from error
    return Tested(right=right, judged=judged, matched=matched, looked_at=looked_at, examples=_mixed(examples))


def _spans(matcher: Matcher, text: str, until: float) -> list[tuple[int, int]]:
    if time.monotonic() > until:
        raise TooSlow
    return matcher.spans(text)


def _mixed(examples: list[Example]) -> list[Example]:
    """A few of each: wrong ones first, since they teach most, then right ones, then open ones."""
    share = EXAMPLES // 3
    by_kind = [[one for one in examples if one.right is kind] for kind in (False, True, None)]
    return [one for kind in by_kind for one in kind[:share]]


def _pieces(text: str, spans: list[tuple[int, int]]) -> list[Piece]:
    """The surroundings of the first matches, cut at their edges."""
    start, end = max(0, spans[0][0] - 120), spans[0][0] + 240
    pieces, at = [Piece("…", False)] if start else [], start
    for first, last in spans:
        if first >= end:
            break
        pieces += [Piece(text[at:first], False), Piece(text[first:last], True)]
        at = last
    pieces.append(Piece(text[at : max(at, end)] + ("…" if len(text) > max(at, end) else ""), False))
    return [piece for piece in pieces if piece.text]


def _drawn(project: Project) -> Iterator[str]:
    """Texts of items drawn at random by row, the same ones each time until items come in."""
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    if last is None:
        return
    rng = random.Random(f"{project.seed} {last}")
    wanted = rng.sample(range(last + 1), min(SAMPLED, last + 1))
    found = Item.objects.filter(project=project, row__in=wanted, duplicate_of__isnull=True, held_back="")
    yield from found.exclude(split=Item.Split.TEST).values_list("text", flat=True)


def open_items(project: Project, start: int, end: int) -> QuerySet[Item]:
    """Train items of these rows that nobody has decided."""
    return suggestible.open_items(project).filter(row__gte=start, row__lt=end).order_by("row")


def outdated(project: Project, labeller_id: int | None) -> QuerySet[Prelabel]:
    """Suggestions of earlier sets of patterns that nobody has acted on."""
    return suggestible.untouched(project, LABELLER_KEY).exclude(labeller=labeller_id)


def last_row(project: Project) -> int:
    """The highest row, -1 without items."""
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    return -1 if last is None else last


def behind() -> list[Project]:
    """Projects with patterns that have not gone over all items."""
    passes = PatternPass.objects.select_related("project").exclude(project__state=Project.State.ARCHIVED)
    return [one.project for one in passes if one.is_stale or one.rows_done <= last_row(one.project)]
