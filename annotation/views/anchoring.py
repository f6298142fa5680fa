"""The block of the agreement page that says how far suggestions pull people along."""

from __future__ import annotations

import math
from typing import Any

from django.utils.translation import gettext as _

from accounts.charts import Bar, Chart, bar_chart
from accounts.charts.svg import as_percent
from annotation.models import Project
from annotation.quality.anchoring import Anchoring
from annotation.quality.intervals import Estimate
from annotation.selectors import anchoring as selectors
from annotation.selectors import schemas
from annotation.selectors.choices import choices

DRAWN = 30  # bars that one chart can be read with


def block(project: Project) -> dict[str, Any]:
    """The context of annotation/agreement/_anchoring.html."""
    report = selectors.report(project)
    return {
        "is_empty": report.is_empty,
        "report": report,
        "verdict": "" if report.is_empty else _verdict(report.overall),
        "charts": [] if report.is_empty else _charts(project, report),
        "hidden_share": report.hidden_share,
    }


def points(value: float) -> str:
    """A difference of two shares: +12 for twelve percentage points more."""
    return "0" if abs(value) < 0.005 else f"{100 * value:+.0f}"


def _verdict(overall: Anchoring) -> str:
    figures = {
        "low": points(overall.difference.low),
        "high": points(overall.difference.high),
        "value": points(overall.difference.value),
    }
    if not overall.is_proven:
        sentence = _(
            "Showing suggestions changes the answers by %(value)s percentage points, between %(low)s and "
            "%(high)s: an effect is not proven."
        )
    elif overall.difference.value > 0:
        sentence = _(
            "People agree with a suggestion more often when they see it: %(value)s percentage points, between "
            "%(low)s and %(high)s. Spot checks of accepted suggestions tell whether that is help or anchoring."
        )
    else:
        sentence = _(
            "People agree with a suggestion less often when they see it: %(value)s percentage points, between "
            "%(low)s and %(high)s."
        )
    return sentence % figures


def _charts(project: Project, report: selectors.Report) -> list[Chart]:
    charts = [_shares(report.overall)]
    if len(report.by_label) > 1:
        field = schemas.label_field(schemas.require(project))
        names = {one.id: one.name for one in choices(field)}
        charts.append(_differences(report.by_label, names, _("Effect by suggested label"), _("Label")))
    if len(report.by_person) > 1:
        charts.append(_differences(report.by_person, {}, _("Effect by person"), _("Person")))
    return charts


def _shares(overall: Anchoring) -> Chart:
    return bar_chart(
        [_bar(_("suggestion shown"), overall.shown), _bar(_("suggestion hidden"), overall.hidden)],
        title=_("Answers that agree with the suggestion"),
        note=_("hidden at random on some items; intervals of 95 %"),
        x_label=_("share that agrees"),
        value_range=(0.0, 1.0),
        value_format=as_percent,
        name_label=_("Suggestion"),
    )


def _differences(rows: list[Anchoring], names: dict[str, str], title: str, name_label: str) -> Chart:
    """Rows that have both kinds of answers; the others have no difference."""
    known = [row for row in rows if not math.isnan(row.difference.value)][:DRAWN]
    bars = [_bar(names.get(str(row.key), str(row.key)), row.difference) for row in known]
    return bar_chart(
        bars,
        title=title,
        note=_("agreement with the suggestion, shown minus hidden; intervals of 95 %"),
        x_label=_("percentage points"),
        value_format=points,
        name_label=name_label,
    )


def _bar(name: str, estimate: Estimate) -> Bar:
    return Bar(name, estimate.value, estimate.low, estimate.high, estimate.n)
