"""What the pages of runs and evaluations draw."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.charts import (
    Bar,
    Bin,
    Chart,
    Line,
    Point,
    bar_chart,
    heat_map,
    line_chart,
    reliability_chart,
)
from accounts.charts.svg import as_percent
from jobs.models import Job
from training.selectors import runs
from training.selectors.evaluations import Report


def loss(job: Job) -> Chart | None:
    """Training loss, and that on the validation items, by step; None before the first point."""
    named = ((_("training"), "loss"), (_("validation"), "validation_loss"))
    lines = [
        Line(name, [Point(x=step, y=value) for step, value in points])
        for name, key in named
        if (points := runs.metrics(job, key))
    ]
    if not lines:
        return None
    return line_chart(lines, title=_("Loss"), x_label=_("step"), y_label=_("loss (nats)"), height=220)


def reliability(report: Report) -> Chart:
    """How often the model is right when it is so sure."""
    return reliability_chart(
        [Bin(confidence=confidence, accuracy=accuracy, n=n) for confidence, accuracy, n in report.bins],
        title=_("Reliability"),
        x_label=_("confidence"),
        y_label=_("accuracy"),
        note=_("Test items, n = %(n)s; on the diagonal the model is as often right as it says.")
        % {"n": report.n},
    )


def confusion(report: Report) -> Chart:
    """Which labels are taken for which."""
    return heat_map(
        [[float(count) for count in row] for row in report.confusion],
        rows=report.names,
        columns=report.names,
        title=_("Confusion"),
        note=_("Test items, n = %(n)s; rows: the label people gave, columns: the model's.") % {"n": report.n},
        row_label=_("label"),
        column_label=_("model"),
        value_format=lambda value: f"{value:.0f}",
    )


def per_class(report: Report) -> Chart:
    """Recall of each label, the hardest first."""
    rows = sorted((row for row in report.classes if row.recall), key=lambda row: row.recall.value)  # type: ignore[union-attr]
    return bar_chart(
        [
            Bar(row.name, row.recall.value, low=row.recall.low, high=row.recall.high, n=row.n)
            for row in rows
            if row.recall
        ],
        title=_("Recall by label"),
        note=_("Share of a label's test items that the model finds; intervals of 95 %."),
        value_range=(0.0, 1.0),
        value_format=as_percent,
        name_label=_("label"),
    )
