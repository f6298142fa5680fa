"""The block of the agreement page that says whether the place of a response on the screen decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.charts import Bar, Chart, bar_chart
from accounts.charts.svg import as_percent
from annotation.models import Project
from annotation.quality.position_bias import PositionBias
from annotation.selectors import position_bias as selectors
from annotation.task_types.preference import letter


@dataclass(frozen=True)
class Block:
    bias: PositionBias
    verdict: str
    chart: Chart


def block(project: Project, field: Mapping[str, Any]) -> Block | None:
    """None where the field is no preference, or nobody has preferred anything yet."""
    bias = selectors.report(project, field)
    if bias is None or not bias.first.n:
        return None
    return Block(bias, _verdict(bias), _chart(bias))


def _verdict(bias: PositionBias) -> str:
    found = {
        "share": f"{100 * bias.first.value:.0f} %",
        "low": f"{100 * bias.first.low:.0f}",
        "high": f"{100 * bias.first.high:.0f} %",
        "n": bias.first.n,
        "expected": f"{100 * bias.expected:.0f} %",
    }
    said = _(
        "The response that stood first was the best in %(share)s (%(low)s to %(high)s) of %(n)s answers; "
        "without a bias it would be %(expected)s."
    )
    if not bias.is_seen:
        return f"{said % found} {_('No position bias is seen.')}"
    if bias.first.value > bias.expected:
        return f"{said % found} {_('People lean to what stands first: remind them to read all of it.')}"
    return f"{said % found} {_('People lean away from what stands first: remind them to read all of it.')}"


def _chart(bias: PositionBias) -> Chart:
    bars = [
        Bar(letter(at), one.value, one.low, one.high, one.n)
        for at, one in enumerate(bias.by_position)
        if one.n
    ]
    return bar_chart(
        bars,
        title=_("Best response by its place on the screen"),
        note=_("share of the answers in which the response at this place was the best; intervals of 95 %"),
        x_label=_("share of answers"),
        value_range=(0.0, 1.0),
        value_format=as_percent,
        name_label=_("Place"),
    )
