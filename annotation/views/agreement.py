"""Agreement: how far people agree, where reviewers found them right, and which labels are mixed up."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.charts import Bar, Chart, Dot, Line, Point, bar_chart, heat_map, line_chart, point_chart
from accounts.charts.svg import as_percent
from annotation import permissions
from annotation.models import Project
from annotation.quality.intervals import Estimate, wilson
from annotation.selectors import agreement as selectors
from annotation.selectors import choices as choice_selectors
from annotation.selectors import schemas
from annotation.selectors.choices import in_language
from annotation.selectors.projects import get_project
from annotation.task_types.registry import field_of
from annotation.views import anchoring

DRAWN = 30  # a heat map of more labels or people than this cannot be read: the most disputed ones are drawn


@dataclass(frozen=True)
class Stat:
    """A figure of the first line; `note` says interval, n and target, or why there is no figure."""

    label: str
    value: str
    note: str


@login_required
@require_GET
def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_engineer)
    fields = schemas.require(project).definition["fields"]
    report = selectors.report(project, _field(request, fields))
    names = [in_language(label, "name") for label in report.labels]
    context = {
        "project": project,
        "fields": [(one["name"], in_language(one, "title") or one["name"]) for one in fields],
        "report": report,
        "stats": _stats(report),
        "coefficients": _coefficients(report),
        "charts": [] if report.is_empty else _charts(project, report, names),
        "confused": [
            (names[pair.a], names[pair.b], pair.pairs, _pair_url(project, report, pair.a, pair.b))
            for pair in report.most_confused[:10]
        ],
        "sources": report.sources,
        "anchoring": None if report.is_empty else anchoring.block(project),
    }
    return render(request, "annotation/agreement/agreement.html", context)


@login_required
@require_GET
def disagreements(request: HttpRequest, slug: str) -> HttpResponse:
    """The items behind one cell of the confusion matrix."""
    project = get_project(request.user, slug, permissions.can_engineer)
    fields = schemas.require(project).definition["fields"]
    name = _field(request, fields)
    field = field_of({"fields": fields}, name)
    names = {one.id: one.name for one in choice_selectors.choices(field)}
    first, second = request.GET.get("a", ""), request.GET.get("b", "")
    context = {
        "project": project,
        "first": names.get(first, first),
        "second": names.get(second, second),
        "found": selectors.disagreements(project, first, second, name=name),
        "label_names": names,
    }
    return render(request, "annotation/agreement/disagreements.html", context)


def _field(request: HttpRequest, fields: list[dict[str, Any]]) -> str | None:
    """The field that the address names; the first one where it names none that there is."""
    asked = request.GET.get("field", "")
    return asked if any(one["name"] == asked for one in fields) else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _interval(estimate: Estimate, shown: str = "share") -> str:
    if math.isnan(estimate.low) or math.isnan(estimate.value):
        return ""
    low, high = (
        f"{100 * v:.0f} %" if shown == "share" else f"{v:.2f}" for v in (estimate.low, estimate.high)
    )
    return _("%(low)s to %(high)s, n = %(n)s") % {"low": low, "high": high, "n": estimate.n}


def _share(label: str, estimate: Estimate, unknown: str) -> Stat:
    if math.isnan(estimate.value):
        return Stat(label, "–", unknown)
    return Stat(label, f"{100 * estimate.value:.0f} %", _interval(estimate))


def _stats(report: selectors.Report) -> list[Stat]:
    target = _("target %(target)s") % {"target": selectors.TARGET}
    alpha = report.alpha
    if math.isnan(alpha.value):
        first = Stat(_("Krippendorff's alpha"), "–", _("no item was labelled by two people yet"))
    else:
        note = " · ".join(filter(None, (_interval(alpha, "number"), target)))
        first = Stat(_("Krippendorff's alpha"), f"{alpha.value:.2f}", note)
    return [
        first,
        _share(_("Found right in spot checks"), report.spot_checks, _("no spot check is decided yet")),
        _share(_("Unresolved"), report.unresolved, _("nothing is labelled yet")),
        _share(_("Suggestions accepted"), report.acceptance, _("no suggestion was shown yet")),
    ]


def _coefficients(report: selectors.Report) -> list[Stat]:
    found = []
    shown_figures = [
        (_("Percent agreement"), report.percent, "share"),
        (_("Fleiss' kappa"), report.fleiss, "number"),
    ]
    if not report.is_categorical:
        shown_figures = [(_("Mean closeness of two answers"), report.percent, "share")]
    for label, estimate, shown in shown_figures:
        value = _known(estimate.value)
        text = "–" if value is None else (as_percent(value) if shown == "share" else f"{value:.2f}")
        found.append(Stat(label, text, _interval(estimate, shown) or estimate.note))
    return found


def _charts(project: Project, report: selectors.Report, names: list[str]) -> list[Chart]:
    charts = []
    if len(report.raters) > 1:
        charts.append(_kappa_chart(report) if report.is_categorical else _closeness_chart(report))
    if report.items_twice and report.is_categorical:
        charts += [_confusion_chart(project, report, names), _label_chart(report, names)]
    charts.append(_people_chart(report))
    if report.weeks:
        charts.append(_weeks_chart(report))
    return charts


def _kappa_chart(report: selectors.Report) -> Chart:
    people = report.raters[:DRAWN]
    table = [row[: len(people)] for row in report.kappa()[: len(people)]]
    return heat_map(
        table,
        rows=people,
        columns=people,
        title=_("Cohen's kappa of every two people"),
        note=_("0 is chance, 1 is full agreement; n = %(n)s items labelled twice")
        % {"n": report.items_twice},
        value_range=(0.0, 1.0),
        value_format=lambda value: f"{value:.2f}",
        row_label=_("Person"),
    )


def _closeness_chart(report: selectors.Report) -> Chart:
    people = report.raters[:DRAWN]
    return heat_map(
        [row[: len(people)] for row in report.closeness[: len(people)]],
        rows=people,
        columns=people,
        title=_("How close every two people are"),
        note=_("1 less the mean distance of their answers to the same items; 1 is the same; n = %(n)s items")
        % {"n": report.items_twice},
        value_range=(0.0, 1.0),
        value_format=lambda value: f"{value:.2f}",
        row_label=_("Person"),
    )


def _confusion_chart(project: Project, report: selectors.Report, names: list[str]) -> Chart:
    """With many labels only those that people disagree on most, in schema order."""
    shown = sorted(one.label for one in report.by_label[:DRAWN]) or list(range(len(names)))[:DRAWN]
    labels = [names[code] for code in shown]
    values: list[list[float | None]] = []
    links: list[list[str | None]] = []
    for row in shown:
        counts = [report.between[row][column] for column in shown]
        values.append([float(n) if n else None for n in counts])
        links.append(
            [
                _pair_url(project, report, row, column) if n and row != column else None
                for column, n in zip(shown, counts, strict=True)
            ]
        )
    return heat_map(
        values,
        rows=labels,
        columns=labels,
        title=_("What two people gave to one item"),
        note=_("pairs of answers; off the diagonal they differ: choose a cell to see the items"),
        value_format=lambda value: f"{value:.0f}",
        row_label=_("Label"),
        links=links,
    )


def _pair_url(project: Project, report: selectors.Report, first: int, second: int) -> str:
    a, b = report.labels[first]["id"], report.labels[second]["id"]
    asked = urlencode({"a": a, "b": b, "field": report.field})
    return f"{reverse('annotation:disagreements', args=[project.slug])}?{asked}"


def _label_chart(report: selectors.Report, names: list[str]) -> Chart:
    bars = []
    for one in report.by_label[:DRAWN]:
        interval = wilson(round(one.share * one.pairs), one.pairs)
        bars.append(Bar(names[one.label], one.share, interval.low, interval.high, one.pairs))
    return bar_chart(
        bars,
        title=_("Disagreement by label"),
        note=_(
            "share of the pairs with this label in which the other person chose another; intervals of 95 %"
        ),
        x_label=_("share that disagrees"),
        value_range=(0.0, max([0.1, *(bar.high or bar.value for bar in bars)])),
        value_format=as_percent,
        name_label=_("Label"),
    )


def _people_chart(report: selectors.Report) -> Chart:
    """Whoever has no measured time or no decided check cannot be placed, and stands in the table alone."""
    dots = [
        Dot(
            one.name,
            one.seconds.value,
            one.accuracy.value,
            _known(one.seconds.low),
            _known(one.seconds.high),
            _known(one.accuracy.low),
            _known(one.accuracy.high),
            one.accuracy.n,
        )
        for one in report.people
        if not math.isnan(one.seconds.value) and not math.isnan(one.accuracy.value)
    ]
    return point_chart(
        dots,
        title=_("Pace and accuracy"),
        note=_("median seconds a label against the share found right in spot checks; intervals of 95 %"),
        x_label=_("seconds a label"),
        y_label=_("found right"),
        y_format=as_percent,
        y_range=(min([0.5, *(dot.y_low or dot.y for dot in dots)]), 1.0),
        name_label=_("Person"),
    )


def _weeks_chart(report: selectors.Report) -> Chart:
    """Agreement by week, with the versions of the guideline as marks."""
    points = [
        Point(
            float(one.start.toordinal()),
            one.alpha.value,
            _known(one.alpha.low),
            _known(one.alpha.high),
            one.alpha.n,
        )
        for one in report.weeks
        if not math.isnan(one.alpha.value)
    ]
    first = report.weeks[0].start
    marks = [(float(day.toordinal()), f"v{number}") for day, number in report.guidelines if day >= first]
    return line_chart(
        [Line(_("alpha"), points)],
        title=_("Agreement over time"),
        note=_("Krippendorff's alpha by week with its interval of 95 %; marks are versions of the guideline"),
        x_label=_("week from"),
        y_label=_("alpha"),
        x_format=_day,
        marks=marks,
        target=(selectors.TARGET, _("target %(target)s") % {"target": selectors.TARGET}),
    )


def _day(ordinal: float) -> str:
    return date_format(datetime.date.fromordinal(round(ordinal)), "MONTH_DAY_FORMAT")
