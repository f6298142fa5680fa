"""How far people agree, how right they are where a reviewer looked, and which labels they mix up."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from annotation.models import Annotation, Item, Labeller, Project, Review
from annotation.quality import agreement, confusion, spot_checks
from annotation.quality.agreement import PairAgreement
from annotation.quality.confusion import ConfusedPair, LabelDisagreement
from annotation.quality.intervals import Estimate, median, wilson
from annotation.quality.ratings import Codes, Ratings
from annotation.selectors import looks, schemas
from annotation.selectors.looks import Look

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
    """

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


def report(project: Project) -> Report:
    """The whole page. About ten queries; reads at most `looks.MOST` looks.

    Raises:
        SchemaMissing: the project has no labels yet.
    """
    field = schemas.label_field(schemas.require(project))
    labels = list(field["labels"])
    known = {label["id"] for label in labels}
    seen = [look for look in looks.newest(project, field["name"]) if look.label in known]
    twice = on_items_seen_twice(seen)
    names = _names({look.labeller for look in seen})
    ratings, codes = _ratings(twice, [label["id"] for label in labels])
    between = confusion.between_people(ratings)
    checks = _checks(project)
    return Report(
        labels=labels,
        raters=[names[labeller] for labeller in codes.raters],  # type: ignore[index]
        looks=len(seen),
        items=len({look.item for look in seen}),
        items_twice=ratings.n_items,
        alpha=agreement.krippendorff_alpha(ratings),
        percent=agreement.percent_agreement(ratings),
        fleiss=agreement.fleiss_kappa(ratings),
        pairs=agreement.pairwise(ratings),
        between=between.tolist(),
        by_label=sorted(confusion.by_label(between), key=lambda one: (-one.share, one.label)),
        most_confused=confusion.most_confused(between),
        people=_people(seen, names, checks),
        spot_checks=spot_checks.overall_accuracy((None, check.right) for check in checks),
        sources=_sources(checks),
        unresolved=_unresolved(project, seen),
        acceptance=_acceptance(seen),
        weeks=_weeks(project, twice, [label["id"] for label in labels]),
        guidelines=[(one.created_at.date(), one.number) for one in project.guidelines.order_by("number")],
    )


def on_items_seen_twice(seen: Iterable[Look]) -> list[Look]:
    """Each person's first look at an item, of items that at least two people have looked at; order kept."""
    first: dict[tuple[int, int], Look] = {}
    for look in seen:
        first.setdefault((look.item, look.labeller), look)
    counts: dict[int, int] = defaultdict(int)
    for item, _labeller in first:
        counts[item] += 1
    return [look for look in first.values() if counts[look.item] > 1]


def _ratings(twice: Iterable[Look], label_ids: Sequence[str]) -> tuple[Ratings, Codes]:
    triples = ((look.item, look.labeller, look.label) for look in twice)
    return Ratings.from_triples(triples, labels=label_ids)


def _names(labellers: Iterable[int]) -> dict[int, str]:
    """Names by labeller; users' names, since those are what colleagues know."""
    found = Labeller.objects.filter(pk__in=list(labellers)).select_related("user")
    return {one.pk: str(one.user) if one.user else one.name for one in found}


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


def _weeks(project: Project, twice: Iterable[Look], label_ids: Sequence[str]) -> list[Week]:
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
        Week(
            start=start,
            alpha=agreement.krippendorff_alpha(
                _ratings(by_week[start], label_ids)[0], resamples=WEEKLY_RESAMPLES
            ),
        )
        for start in sorted(by_week)[-WEEKS:]
    ]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One item on which two people chose different labels; `given`: (name, label id), oldest first."""

    row: int
    text: str
    given: list[tuple[str, str]]


def disagreements(project: Project, label_a: str, label_b: str, *, limit: int = 50) -> list[Disagreement]:
    """The newest items to which people gave both labels: the cell of the confusion matrix, opened."""
    field = schemas.label_field(schemas.require(project))
    by_item: dict[int, list[Look]] = defaultdict(list)
    for look in on_items_seen_twice(looks.newest(project, field["name"])):
        by_item[look.item].append(look)
    wanted = {label_a, label_b}
    found = [item for item, own in by_item.items() if wanted <= {look.label for look in own}][-limit:]
    items = Item.objects.in_bulk(found)
    names = _names({look.labeller for item in found for look in by_item[item]})
    return [
        Disagreement(
            row=items[item].row,
            text=items[item].text,
            given=[(names[look.labeller], look.label) for look in by_item[item]],
        )
        for item in reversed(found)
    ]
