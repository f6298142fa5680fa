"""What the pages of runs and evaluations draw."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
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
from accounts.templatetags.gyre import file_size
from jobs.models import Job
from training.selectors import runs
from training.selectors.evaluations import Report, Table
from training.selectors.resources import Spent


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


def reward(job: Job) -> Chart | None:
    """Mean reward of the replies drawn in each step; None of a run that draws none."""
    points = [Point(x=step, y=value) for step, value in runs.metrics(job, "reward")]
    if not points:
        return None
    line = Line(_("replies drawn"), points)
    return line_chart([line], title=_("Reward"), x_label=_("step"), y_label=_("mean reward"), height=220)


def time_spent(spent: Spent) -> Chart:
    """What the time of training went into."""
    names = {
        "compute": _("arithmetic"),
        **({"drawing": _("replies and rewards")} if "drawing" in spent.shares else {}),
        "communication": _("sending gradients"),
        "together": _("arithmetic and sending"),
        "waiting": _("waiting for data"),
        "beside": _("validation and the rest"),
    }
    note = _("n = %(n)s steps.") % {"n": spent.steps}
    return _shares(spent.shares, names, _("Time by what it went into"), note)


def time_profiled(profiled: dict[str, Any]) -> Chart:
    """What the steps that the profiler looked at went into."""
    names = {
        "compute": _("arithmetic"),
        "communication": _("sending gradients"),
        "waiting": _("waiting for data"),
        "idle": _("idle"),
    }
    note = _(
        "%(steps)s steps of %(seconds)s s from step %(first)s on; looking closely makes them slower."
    ) % {
        "steps": profiled["steps"],
        "seconds": number_format(profiled["seconds_a_step"], 3),
        "first": profiled["first_step"],
    }
    return _shares(profiled["shares"], names, _("Time in the profiled steps"), note)


def memory_spent(spent: Spent) -> Chart:
    """The estimate by part, with the measured peak beside."""
    names = {
        "weights": _("weights"),
        "gradients": _("gradients"),
        "optimizer": _("optimizer"),
        "activations": _("activations"),
        "working": _("working space"),
        "saved": _("copy for checkpoints"),
        "between": _("between steps"),
    }
    total = file_size(spent.memory["total"])
    note = (
        _(
            "Estimated %(estimate)s; measured peak %(measured)s, of which %(before)s were there before training."
        )
        % {"estimate": total, "measured": file_size(spent.peak), "before": file_size(spent.before)}
        if spent.peak
        else _("Estimated %(estimate)s; the peak could not be measured on this system.") % {"estimate": total}
    )
    return bar_chart(
        [Bar(name, float(spent.memory[key])) for key, name in names.items() if spent.memory.get(key)],
        title=_("Memory of the fullest process, estimated"),
        note=note,
        value_format=lambda value: file_size(int(value)),
    )


def losses(one: tuple[str, Job | None], other: tuple[str, Job | None]) -> Chart | None:
    """Training loss of two runs by step; None where neither has a point."""
    lines = [
        Line(name, [Point(x=step, y=value) for step, value in points])
        for name, job in (one, other)
        if job is not None and (points := runs.metrics(job, "loss"))
    ]
    if not lines:
        return None
    return line_chart(
        lines, title=_("Loss of both runs"), x_label=_("step"), y_label=_("loss (nats)"), height=220
    )


def _shares(shares: dict[str, float], names: dict[str, str], title: str, note: str) -> Chart:
    return bar_chart(
        [Bar(name, shares[key]) for key, name in names.items() if key in shares],
        title=title,
        note=note,
        x_label=_("share of training time"),
        value_range=(0.0, 1.0),
        value_format=as_percent,
    )


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


def confusion(table: Table, n: int) -> Chart:
    """Which labels, or which points of one dimension, are taken for which."""
    note = _("Test items, n = %(n)s; rows: the label people gave, columns: the model's.") % {"n": n}
    title = _("Confusion")
    return heat_map(
        [[float(count) for count in row] for row in table.counts],
        rows=table.names,
        columns=table.names,
        title=f"{title} · {table.title}" if table.title else title,
        note=note,
        row_label=_("label"),
        column_label=_("model"),
        value_format=lambda value: f"{value:.0f}",
    )


def levels(report: Report) -> Chart:
    """Of a tree: how often the path is right down to each level, and how far paths overlap."""
    return bar_chart(
        [
            Bar(one.name, one.measured.value, low=one.measured.low, high=one.measured.high, n=one.measured.n)
            for one in report.levels
        ],
        title=_("By level of the tree"),
        note=_("Share of test items that are right down to a level; intervals of 95 %."),
        value_range=(0.0, 1.0),
        value_format=as_percent,
        name_label=_("level"),
    )


def of_report(report: Report) -> list[Chart]:
    """What there is to draw of an evaluation."""
    found = []
    if report.bins:
        found.append(reliability(report))
    if report.levels:
        found.append(levels(report))
    return [*found, per_class(report), *(confusion(table, report.n) for table in report.tables)]


def per_class(report: Report) -> Chart:
    """Recall of each label, the hardest first; of a rating, of each point in the order of its scale."""
    rows = [row for row in report.classes if row.recall]
    if not report.is_scale:
        rows.sort(key=lambda row: row.recall.value)  # type: ignore[union-attr]
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
