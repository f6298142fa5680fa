"""Comparisons of a model that went on from the deployed one with a fresh start, in the shape that pages show."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.figures import number
from training.models import Comparison, ModelVersion
from training.selectors import evaluations
from training.selectors.evaluations import Figure


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two. `items`: texts it learnt from, of which so many were `replayed` (None: a fresh start);
    None for what an older result does not tell.
    """

    model: ModelVersion
    start: str
    figure: Figure | None
    items: int | None
    replayed: int | None
    steps: int | None
    seconds: float | None
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """`difference`: of the first side to the second, in the figure that decides; None where it is not defined.
    `verdict`: which was put forward and why, in a sentence; `reason`: and by which figures.
    """

    comparison: Comparison
    sides: list[Side]
    difference: Figure | None
    n: int
    verdict: str
    reason: str


def for_model(model: ModelVersion) -> QuerySet[Comparison]:
    """Those that a model stands in, on either side, newest first."""
    return Comparison.objects.filter(Q(model=model) | Q(fresh=model)).select_related(
        "model__run", "fresh__run", "chosen", "dataset"
    )


def view(comparison: Comparison) -> View:
    """Everything that pages and commands tell of a comparison."""
    figures = comparison.figures
    name = figures["headline"]
    sides = [
        _side(comparison, comparison.model, "model", _start_of(comparison.model)),
        _side(comparison, comparison.fresh, "baseline", _("the base model")),
    ]
    verdict, given = _verdict(comparison, sides), figures["difference"]
    difference = evaluations.figure_of(name, evaluations.Measured(**given)) if given else None
    return View(
        comparison=comparison,
        sides=sides,
        difference=difference,
        n=figures["n"],
        verdict=verdict,
        reason=" ".join(filter(None, [verdict, _seen(sides, difference)])),
    )


def _start_of(model: ModelVersion) -> str:
    """The model that it went on from."""
    start = model.run.spec.get("start_model")
    known = ModelVersion.objects.filter(uuid=start).first() if start else None
    return str(known) if known else _("the deployed model")


def _side(comparison: Comparison, model: ModelVersion, key: str, start: str) -> Side:
    own, told = comparison.figures[key], model.figures
    return Side(
        model=model,
        start=start,
        figure=evaluations.measured_figure(own, comparison.figures["headline"]),
        items=told.get("train_count"),
        replayed=told.get("replayed"),
        steps=told.get("steps"),
        seconds=told.get("seconds"),
        is_chosen=model.pk == comparison.chosen_id,
    )


def _verdict(comparison: Comparison, sides: list[Side]) -> str:
    chosen, over = sorted(sides, key=lambda side: not side.is_chosen)
    words = {
        "chosen": chosen.model,
        "over": over.model,
        "why": comparison.get_why_display(),
        "start": chosen.start,
        "cost": _cost(chosen),
        "others": _cost(over),
    }
    first = _(
        "%(chosen)s (from %(start)s, %(cost)s) is put forward instead of %(over)s (%(others)s): %(why)s."
    )
    return first % words


def _seen(sides: list[Side], difference: Figure | None) -> str:
    if difference is None:
        return ""
    measured, share = difference.measured, difference.is_share
    return _(
        "%(figure)s of %(one)s less %(other)s: %(value)s (95 %% interval %(low)s to %(high)s, n = %(n)s)."
    ) % {
        "figure": difference.name,
        "one": sides[0].model,
        "other": sides[1].model,
        **{name: _signed(getattr(measured, name), share) for name in ("value", "low", "high")},
        "n": measured.n,
    }


def _signed(value: float | None, is_share: bool) -> str:
    if value is None:
        return "–"
    return f"{100 * value:+.1f} %" if is_share else f"{value:+.3f}"


def _cost(side: Side) -> str:
    seconds = "–" if side.seconds is None else number(side.seconds, 1)
    steps = ngettext("%(count)s step", "%(count)s steps", side.steps or 0) % {"count": side.steps or 0}
    return _("%(steps)s, %(seconds)s s") % {"steps": steps, "seconds": seconds}
