"""Agreement: how far people agree, where reviewers found them right, and which labels are mixed up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.charts.svg import as_percent
from accounts.wording import said
from annotation import charts, permissions
from annotation.quality.intervals import Estimate
from annotation.selectors import agreement as selectors
from annotation.selectors import choices as choice_selectors
from annotation.selectors import consensus, schemas
from annotation.selectors import disagreements as disagreement_reads
from annotation.selectors.choices import in_language
from annotation.selectors.projects import get_project
from annotation.task_types.registry import field_of
from annotation.views import anchoring, position_bias


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
        "charts": [] if report.is_empty else charts.agreement_charts(project, report, names),
        "confused": [
            (names[pair.a], names[pair.b], pair.pairs, charts.pair_url(project, report, pair.a, pair.b))
            for pair in report.most_confused[:10]
        ],
        "sources": report.sources,
        "learnt": consensus.learnt(project, report.field),
        "anchoring": None if report.is_empty else anchoring.block(project),
        "position": position_bias.block(project, field_of({"fields": fields}, report.field)),
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
        "found": disagreement_reads.disagreements(project, first, second, name=name),
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
        found.append(Stat(label, text, _interval(estimate, shown) or said(estimate.note)))
    return found
