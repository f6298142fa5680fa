"""What a simulation says: curves with intervals, what picking has saved, a table and a drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from accounts.charts import Line, Point, line_chart
from accounts.charts.svg import as_percent
from selection.evidence import learning_curve
from selection.services.simulate import Course, SimulationSpec

Report = dict[str, Any]


def summary(spec: SimulationSpec, courses: list[Course]) -> Report:
    """The JSON of `manage.py simulate`: a curve a strategy, each held against random over the same seeds."""
    by_strategy = {name: [c for c in courses if c.strategy == name] for name in spec.strategies}
    random_final = None
    if by_strategy.get("random"):
        random_final = float(np.mean([course.accuracy[-1] for course in by_strategy["random"]]))
    curves = []
    for name, own in by_strategy.items():
        own = sorted(own, key=lambda course: course.seed)
        labels, accuracy = np.asarray(own[0].labels), np.asarray([course.accuracy for course in own])
        curve = learning_curve.summarise(labels, accuracy)
        curves.append(
            {
                "strategy": name,
                "labels": [int(count) for count in labels],
                "accuracy": _numbers(curve.mean),
                "low": _numbers(curve.low),
                "high": _numbers(curve.high),
                "accuracy_by_seed": accuracy.round(6).tolist(),
                "auc": round(curve.area.value, 6),
                "auc_gain": _gain(labels, accuracy, by_strategy.get("random", []), name),
                "labels_to_random_final": None
                if random_final is None
                else learning_curve.labels_to(labels, curve.mean, random_final),
                "seconds_a_round": round(float(np.mean([course.seconds for course in own])), 3),
            }
        )
    return {"spec_version": 1, "curves": curves, "random_final": random_final, "settings": spec.to_json()}


def _numbers(values: Any) -> list[float | None]:
    """Rounded; null stands for what one seed cannot give."""
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]


def _gain(labels: Any, accuracy: Any, baseline: list[Course], name: str) -> dict[str, float | None] | None:
    """Area under the curve less that of random, over paired seeds, with the interval of the paired t-test."""
    if name == "random" or not baseline:
        return None
    theirs = [course.accuracy for course in sorted(baseline, key=lambda course: course.seed)]
    gain = learning_curve.area_gain(labels, accuracy, np.asarray(theirs))
    return dict(zip(("value", "low", "high"), _numbers((gain.value, gain.low, gain.high)), strict=True))


def table(report: Report) -> Iterator[str]:
    """The curves as text: a line a batch, a column a strategy."""
    curves = report["curves"]
    width = max(14, *(len(curve["strategy"]) + 2 for curve in curves))
    yield "labels" + "".join(f"{curve['strategy']:>{width}}" for curve in curves)
    for index, labels in enumerate(curves[0]["labels"]):
        cells = (_cell(curve, index) for curve in curves)
        yield f"{labels:>6}" + "".join(f"{cell:>{width}}" for cell in cells)
    yield "   auc" + "".join(f"{curve['auc']:>{width}.4f}" for curve in curves)
    yield "  gain" + "".join(f"{_shown_gain(curve['auc_gain']):>{width}}" for curve in curves)
    yield "to rnd" + "".join(f"{_shown(curve['labels_to_random_final']):>{width}}" for curve in curves)
    yield "auc: mean accuracy on the way; gain: auc less that of random; to rnd: labels until the mean curve"
    yield "reaches the final accuracy of random. ± is half a 95 % interval over seeds."


def _cell(curve: dict[str, Any], index: int) -> str:
    low, high = curve["low"][index], curve["high"][index]
    half = "" if low is None else f" ±{(high - low) / 2:.3f}"
    return f"{curve['accuracy'][index]:.3f}{half}"


def _shown_gain(gain: dict[str, Any] | None) -> str:
    if gain is None:
        return "–"
    half = "" if gain["low"] is None else f" ±{(gain['high'] - gain['low']) / 2:.3f}"
    return f"{gain['value']:+.3f}{half}"


def _shown(labels: float | None) -> str:
    return "–" if labels is None else f"{labels:.0f}"


def plot(report: Report) -> str:
    """The curves as an SVG file that stands on its own."""
    chart = line_chart(
        [
            Line(
                curve["strategy"],
                [
                    Point(x=x, y=y, low=low, high=high)
                    for x, y, low, high in zip(
                        curve["labels"], curve["accuracy"], curve["low"], curve["high"], strict=True
                    )
                ],
            )
            for curve in report["curves"]
        ],
        title="Learning curves",
        x_label="labels",
        y_label="accuracy",
        y_format=as_percent,
        note="bands: 95 % intervals over seeds",
    )
    return _alone(str(chart.svg))


# The pages' style sheet is not there when the file is opened by itself.
_STYLE = """
svg{font:12px system-ui,sans-serif;background:#fff;color:#222}text{fill:#333}
.axis{stroke:#888}.grid{stroke:#e4e4e4}
.line{fill:none;stroke-width:2}.band{stroke:none;opacity:.14}.reference{stroke:#999;stroke-dasharray:4 3}
.s0{stroke:#2458c5;fill:#2458c5}.s1{stroke:#c2410c;fill:#c2410c}.s2{stroke:#15803d;fill:#15803d}
.s3{stroke:#7e22ce;fill:#7e22ce}.s4{stroke:#0e7490;fill:#0e7490}.s5{stroke:#6b7280;fill:#6b7280}.line{fill:none}
"""


def _alone(svg: str) -> str:
    head, rest = svg.split(">", 1)
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return f"{head}><style>{_STYLE}</style>{rest}\n"
