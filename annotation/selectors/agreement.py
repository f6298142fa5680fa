"""How far people agree, how right they are where a reviewer looked, and which labels they mix up."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils.translation import gettext as _

from annotation.models import Annotation, Labeller, Project, Review
from annotation.quality import agreement, closeness, confusion, spot_checks
from annotation.quality.agreement import PairAgreement
from annotation.quality.confusion import ConfusedPair, LabelDisagreement
from annotation.quality.intervals import Estimate, median, undefined, wilson
from annotation.quality.ratings import Codes as RatingCodes
from annotation.quality.ratings import Ratings
from annotation.selectors import answer_codes, looks, schemas
from annotation.selectors.answer_codes import Codes
from annotation.selectors.looks import Look
from annotation.task_types import registry

TARGET = 0.8  # Krippendorff's own threshold for conclusions one may rely on
WEEKS = 26
WEEKLY_RESAMPLES = 400
_MODE = Annotation.PrelabelMode


@dataclass(frozen=True, kw_only=True)
class Person:
    """One labeller. `seconds`: median active time a label; `accuracy`: share that spot checks found right."""

    name: str
    labels: int
    seconds: Estimate
    accuracy: Estimate


@dataclass(frozen=True, kw_only=True)
class Week:
    """Agreement on the items whose second look was in the week that begins on `start`, a Monday."""

    start: datetime.date
    alpha: Estimate


@dataclass(frozen=True, kw_only=True)
class Source:
    """What spot checks say of suggestions that were accepted unchanged (`name`: whose), or of people's own
    answers (`name` empty).
    """

    name: str
    checked: int
    accuracy: Estimate


@dataclass(frozen=True, kw_only=True)
class Report:
    """All codes are positions: labels in `labels` (schema order), people in `raters`.

    `between` counts, for every two people on one item, what they gave: (labels, labels), symmetric, an
    agreeing pair twice on the diagonal. `pairs` is ordered by the codes of its two people.

    A field whose answers are no categories (spans, texts, sets of labels) has no `labels`; its alpha and
    `closeness` (of every two people, (raters, raters)) come from the distance of its type, and `percent` is the
    mean closeness.
    """

    field: str
    labels: list[dict[str, Any]]
    raters: list[str]
    looks: int
    items: int
    items_twice: int
    alpha: Estimate
    percent: Estimate
    fleiss: Estimate
    pairs: list[PairAgreement]
    between: list[list[int]]
    by_label: list[LabelDisagreement]
    most_confused: list[ConfusedPair]
    people: list[Person]
    spot_checks: Estimate
    sources: list[Source]
    unresolved: Estimate
    acceptance: Estimate
    weeks: list[Week]
    guidelines: list[tuple[datetime.date, int]]
    closeness: list[list[float | None]]

    @property
    def is_categorical(self) -> bool:
        return bool(self.labels)

    @property
    def is_empty(self) -> bool:
        return self.looks == 0

    def kappa(self) -> list[list[float | None]]:
        """Cohen's kappa of every two people (raters, raters), symmetric; None where it is not defined."""
        size = len(self.raters)
        table: list[list[float | None]] = [[None] * size for _ in range(size)]
        for pair in self.pairs:
            value = pair.kappa.value
            if value == value:  # not NaN
                table[pair.rater_a][pair.rater_b] = table[pair.rater_b][pair.rater_a] = value
        return table


def report(project: Project, name: str | None = None) -> Report:
    """The whole page, on the field called `name` or the schema's first. About ten queries; reads at most
    `looks.MOST` looks.

    Raises:
        SchemaMissing: the project has no labels yet.
        InvalidDefinition: the schema has no field of that name.
    """
    field = registry.field_of(schemas.require(project).definition, name)
    coded = answer_codes.codes(field, looks.newest(project, field["name"]))
    seen = coded.looks
    twice = looks.on_items_seen_twice(seen)
    names = looks.names({look.labeller for look in seen})
    checks = _checks(project)
    return Report(
        field=field["name"],
        labels=coded.labels,
        looks=len(seen),
        items=len({look.item for look in seen}),
        people=_people(seen, names, checks),
        spot_checks=spot_checks.overall_accuracy((None, check.right) for check in checks),
        sources=_sources(checks),
        unresolved=_unresolved(project, seen),
        acceptance=_acceptance(seen),
        weeks=_weeks(project, twice, coded),
        guidelines=[(one.created_at.date(), one.number) for one in project.guidelines.order_by("number")],
        **(_by_category(coded, twice, names) if coded.is_categorical else _by_distance(coded, twice, names)),
    )


def _by_category(coded: Codes, twice: list[Look], names: Mapping[int, str]) -> dict[str, Any]:
    ratings, found = _ratings(twice, coded)
    between = confusion.between_people(ratings)
    return {
        "raters": [names[labeller] for labeller in found.raters],  # type: ignore[index]
        "items_twice": ratings.n_items,
        "alpha": agreement.krippendorff_alpha(ratings, coded.apart()),
        "percent": agreement.percent_agreement(ratings),
        "fleiss": agreement.fleiss_kappa(ratings),
        "pairs": agreement.pairwise(ratings),
        "between": between.tolist(),
        "by_label": sorted(confusion.by_label(between), key=lambda one: (-one.share, one.label)),
        "most_confused": confusion.most_confused(between),
        "closeness": [],
    }


def _by_distance(coded: Codes, twice: list[Look], names: Mapping[int, str]) -> dict[str, Any]:
    """The same figures where only a distance is known; what needs categories is empty or undefined."""
    items = np.array([look.item for look in twice], dtype=np.int64)
    raters = sorted({look.labeller for look in twice}, key=lambda one: names[one].casefold())
    return {
        "raters": [names[labeller] for labeller in raters],
        "items_twice": len(set(items.tolist())),
        "alpha": closeness.alpha_by_distance(items, _apart(coded, twice)),
        "percent": closeness.mean_closeness(items, _apart(coded, twice)),
        "fleiss": undefined(0, _("answers of this type are no categories")),
        "pairs": [],
        "between": [],
        "by_label": [],
        "most_confused": [],
        "closeness": _pair_closeness(coded, twice, raters),
    }


def _apart(coded: Codes, own: Sequence[Look]) -> Callable[[int, int], float]:
    return lambda i, j: coded.distance(own[i].label, own[j].label)


def _pair_closeness(coded: Codes, twice: Iterable[Look], raters: Sequence[int]) -> list[list[float | None]]:
    """1 − the mean distance of every two people on the items that both answered; None where there is none."""
    place = {labeller: at for at, labeller in enumerate(raters)}
    by_item: dict[int, list[Look]] = defaultdict(list)
    for look in twice:
        by_item[look.item].append(look)
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for own in by_item.values():
        for one, two in combinations(own, 2):
            pair = place[one.labeller], place[two.labeller]
            found[min(pair), max(pair)].append(1.0 - coded.distance(one.label, two.label))
    table: list[list[float | None]] = [[None] * len(raters) for _rater in raters]
    for (a, b), close in found.items():
        table[a][b] = table[b][a] = sum(close) / len(close)
    return table


def _ratings(twice: Iterable[Look], coded: Codes) -> tuple[Ratings, RatingCodes]:
    triples = ((look.item, look.labeller, look.label) for look in twice)
    return Ratings.from_triples(triples, labels=[label["id"] for label in coded.labels])


@dataclass(frozen=True)
class _Check:
    labeller: int
    right: bool
    accepted_of: str | None  # whose suggestion was accepted unchanged


def _checks(project: Project) -> list[_Check]:
    """Decided spot checks; where the reviewer was unsure nothing is known."""
    decided = Review.objects.filter(
        project=project,
        kind=Review.Kind.SPOT_CHECK,
        state=Review.State.DONE,
        verdict__in=[Review.Verdict.RIGHT, Review.Verdict.WRONG],
        annotation__labeller__kind=Labeller.Kind.PERSON,
    ).order_by("pk")
    rows = decided.values_list(
        "annotation__labeller_id",
        "verdict",
        "annotation__accepted_prelabel",
        "annotation__prelabel__labeller__name",
    )
    return [
        _Check(labeller, verdict == Review.Verdict.RIGHT, (name or "?") if accepted else None)
        for labeller, verdict, accepted, name in rows
    ]


def _people(seen: Iterable[Look], names: dict[int, str], checks: Iterable[_Check]) -> list[Person]:
    """By name. Whoever has no spot check yet has an accuracy of NaN in [0, 1]."""
    own: dict[int, list[Look]] = defaultdict(list)
    for look in seen:
        own[look.labeller].append(look)
    table = spot_checks.accuracy_table((check.labeller, check.right) for check in checks)
    accuracy = {row.key: row.accuracy for row in table}
    people = [
        Person(
            name=names[labeller],
            labels=len(mine),
            seconds=median([look.active_ms / 1000 for look in mine if look.active_ms]),
            accuracy=accuracy.get(labeller) or wilson(0, 0),
        )
        for labeller, mine in own.items()
    ]
    return sorted(people, key=lambda person: person.name.casefold())


def _sources(checks: Iterable[_Check]) -> list[Source]:
    table = spot_checks.accuracy_table((check.accepted_of or "", check.right) for check in checks)
    rows = [Source(name=str(row.key), checked=row.checked, accuracy=row.accuracy) for row in table]
    return sorted(rows, key=lambda row: row.name)


def _unresolved(project: Project, seen: Iterable[Look]) -> Estimate:
    """Of the items that people have looked at (or passed on), the share that waits for a decision."""
    open_disputes = Review.objects.filter(
        project=project, kind=Review.Kind.DISPUTE, state=Review.State.PENDING
    )
    disputed = set(open_disputes.values_list("item_id", flat=True))
    return wilson(len(disputed), len({look.item for look in seen} | disputed))


def _acceptance(seen: Iterable[Look]) -> Estimate:
    """Of the suggestions that were shown, the share that was submitted unchanged."""
    shown = [look for look in seen if look.prelabel_mode == _MODE.SHOWN]
    return wilson(sum(look.accepted_prelabel for look in shown), len(shown))


def _weeks(project: Project, twice: Iterable[Look], coded: Codes) -> list[Week]:
    """The newest `WEEKS` weeks with items seen twice, in the project's own time zone."""
    zone = ZoneInfo(project.time_zone)
    by_item: dict[int, list[Look]] = defaultdict(list)
    for look in twice:
        by_item[look.item].append(look)
    by_week: dict[datetime.date, list[Look]] = defaultdict(list)
    for own in by_item.values():
        day = sorted(look.at for look in own)[1].astimezone(zone).date()
        by_week[day - datetime.timedelta(days=day.weekday())] += own
    return [
        Week(start=start, alpha=_weekly_alpha(by_week[start], coded)) for start in sorted(by_week)[-WEEKS:]
    ]


def _weekly_alpha(own: list[Look], coded: Codes) -> Estimate:
    if coded.is_categorical:
        ratings, _found = _ratings(own, coded)
        return agreement.krippendorff_alpha(ratings, coded.apart(), resamples=WEEKLY_RESAMPLES)
    items = np.array([look.item for look in own], dtype=np.int64)
    return closeness.alpha_by_distance(items, _apart(coded, own), resamples=WEEKLY_RESAMPLES)
