"""What the pages of rounds draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from accounts.charts import Bar, Chart, Line, Point, bar_chart, line_chart, scatter_chart
from accounts.charts.svg import as_percent
from jobs.models import Job
from selection.selectors.progress import Turn
from training import charts as training_charts
from training.selectors.evaluations import Measured


def accuracy_by_round(turns: Sequence[Turn]) -> Chart:
    """Accuracy on the test items by round, and what equally many control and picked labels teach a probe."""
    lines = [Line(_("model"), [_point(turn, turn.accuracy) for turn in turns])]
    note = _("Test items, n = %(n)s; bands are 95 %% intervals.") % {"n": turns[-1].accuracy.n}
    if any(turn.control for turn in turns):
        lines += [
            Line(_("probe on picks"), [_point(turn, turn.picks) for turn in turns if turn.picks]),
            Line(_("probe on control arm"), [_point(turn, turn.control) for turn in turns if turn.control]),
        ]
        note += " " + _("The two probes learn from equally many labels: their gap is what picking gains.")
    return line_chart(
        lines,
        title=_("Accuracy by round"),
        x_label=_("round"),
        y_label=_("accuracy"),
        y_format=as_percent,
        note=note,
    )


def _point(turn: Turn, value: Measured) -> Point:
    return Point(x=turn.round_number, y=value.value, low=value.low, high=value.high, n=value.n)


def pool_map(points: dict[str, Any]) -> Chart:
    """Pool, labelled and picked items on the plane of greatest variance of their embeddings."""
    shown = round(100 * sum(points["shares"]))
    return scatter_chart(
        {
            _("pool (sample)"): [tuple(point) for point in points["pool"]],
            _("labelled (sample)"): [tuple(point) for point in points["labelled"]],
            _("picked"): [tuple(point) for point in points["picked"]],
        },
        title=_("Where the picks lie"),
        note=_("First two principal components of the embeddings; they show %(share)s %% of the variance.")
        % {"share": shown},
        group_label=_("items"),
        count_label=_("n"),
    )


def loss(job: Job) -> Chart | None:
    return training_charts.loss(job)


def value_by_source(sources: list[dict[str, Any]]) -> Chart:
    """What an item of each source is worth on average, with its interval."""
    return bar_chart(
        [
            Bar(name=one["source"], value=one["mean"], low=one["low"], high=one["high"], n=one["n"])
            for one in sources
        ],
        title=_("What an item of each source is worth"),
        note=_(
            "Mean KNN-Shapley value with its interval: the share of right votes that an item adds. Buy "
            "more where it is high; below zero a source misleads."
        ),
        x_label=_("value of an item"),
        name_label=_("source"),
        value_format=lambda value: f"{value:.5f}",
    )
