"""What the pages of rounds draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from accounts.charts import Bar, Chart, Line, Point, bar_chart, heat_map, line_chart, scatter_chart
from accounts.charts.svg import as_percent
from annotation.quality.intervals import bootstrap_mean
from jobs.models import Job
from selection.selectors.progress import Turn
from selection.selectors.prompts import Prompt
from selection.strategies.blend import BlendSettings
from selection.strategies.schedule import Weights, course
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


SHOWN_BEYOND = 2  # rounds of the schedule that are drawn behind its end


def blend_schedule(settings: BlendSettings, turn: int) -> Chart:
    """The weights of the blend by round, with the round to come (`turn`, from 0) as a mark."""
    first = Weights(settings.alpha, settings.beta, settings.gamma)
    last = Weights(settings.last_alpha, settings.last_beta, settings.last_gamma)
    rounds = settings.moving_rounds
    weights = course(first, last, rounds, shown=max(rounds, turn) + 1 + SHOWN_BEYOND)
    names = {"alpha": _("α uncertainty"), "beta": _("β diversity"), "gamma": _("γ hardness")}
    lines = [
        Line(names[key], [Point(x=number, y=value) for number, value in enumerate(values, 1)])
        for key, values in weights.items()
    ]
    if rounds:
        note = _("They go to their last values over %(n)s rounds and then stay.") % {"n": rounds}
    else:
        note = _("They stay as they are: give “Rounds until the last weights” a number to let them move.")
    return line_chart(
        lines,
        title=_("Weights of the blend by round"),
        x_label=_("round"),
        y_label=_("weight"),
        note=note,
        y_range=(0.0, max(max(values) for values in weights.values())),
        marks=[(turn + 1, _("this round"))],
        height=240,
    )


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


def unsureness(by_temperature: Sequence[tuple[float, Sequence[float]]]) -> Chart:
    """Mean semantic entropy of the prompts at each temperature, with its 95 % interval over prompts."""
    points = []
    for temperature, values in by_temperature:
        mean = bootstrap_mean(values)
        points.append(Point(x=temperature, y=mean.value, low=mean.low, high=mean.high, n=mean.n))
    return line_chart(
        [Line(_("semantic entropy"), points)],
        title=_("How early the answers fall apart"),
        x_label=_("temperature"),
        y_label=_("nats"),
        note=_("Mean over the prompts with its interval of 95 %; 0: one meaning at all times."),
    )


def attention_by_layer(by_layer: Sequence[Sequence[float]]) -> Chart:
    """Mean dispersion of attention over the prompts in each layer, with its 95 % interval over prompts."""
    points = []
    for number, values in enumerate(by_layer, 1):
        mean = bootstrap_mean(values)
        points.append(Point(x=number, y=mean.value, low=mean.low, high=mean.high, n=mean.n))
    return line_chart(
        [Line(_("spread of attention"), points)],
        title=_("How widely each layer spreads its attention"),
        x_label=_("layer"),
        y_label=_("share of the greatest entropy"),
        note=_(
            "Entropy of the attention of the prompt’s last token over its words, mean over heads and prompts, "
            "with its interval of 95 %; 1: on all words alike."
        ),
        y_range=(0.0, 1.0),
    )


def attention_of_prompts(prompts: Sequence[Prompt]) -> Chart | None:
    """Dispersion of attention of each prompt in each layer; None where nothing was looked at."""
    seen = [one for one in prompts if one.by_layer]
    if not seen:
        return None
    return heat_map(
        [one.by_layer for one in seen],
        rows=[one.text for one in seen],
        columns=[str(number) for number in range(1, len(seen[0].by_layer) + 1)],
        title=_("Spread of attention by prompt and layer"),
        note=_("The first prompts of the list above; the darker, the more words a layer looks at."),
        value_range=(0.0, 1.0),
        row_label=_("prompt"),
        column_label=_("layer"),
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
