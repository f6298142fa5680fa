"""How a finished run was taught, as its result tells it: precision, curriculum, gradient surgery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from training.models import ModelVersion, TrainingRun
from training.objectives.parts import INCREMENT
from training.selectors.evaluations import names_in
from training.setting_words import value_words

_SOURCES: dict[str, str | Promise] = {
    "column": _("the dataset's column “difficulty”"),
    "cross-validated loss": _("the loss of probes that did not learn from the item"),
    "length": _("the length of the text"),
    "base loss": _("how unlikely the base model finds each word of the response"),
    "base preference": _("how much the base model prefers the worse response"),
}


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """Of a run that might stop early: the step it ended at of so many planned, and the checkpoint that was kept
    with its loss on the validation items; `kept` None: there were none to watch.
    """

    planned: int
    step: int
    kept: int | None
    validation_loss: float | None

    @property
    def is_early(self) -> bool:
        return self.step < self.planned


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Two tasks: in how many `steps` they came together, in what share of these their gradients pointed against
    each other (None where in none), and how dark that is shown, 0 to 4."""

    steps: int
    rate: float | None
    shade: int


@dataclass(frozen=True, kw_only=True)
class Surgery:
    """Between which tasks a run had gradients give way. `steps`: how often two of them came together, all pairs
    counted; `rate`: the share of these in which they conflicted. `rows`: of more than two tasks, each with its
    cells; None for a task and itself.
    """

    among: str
    steps: int
    rate: float
    rows: list[tuple[str, list[Cell | None]]]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """`scoring`: the precision in which the model reads the pool. `first`, `last`: shares of the items
    admitted by the curriculum; `looks`: how often that was decided. `forgotten`: how often a right answer
    became wrong, among `met` items, of which `once_right` were right once; None where nothing is right or wrong.
    `surgery`: None where there was none, or no two tasks came together. `base_distance`: how far the weights
    went, as a share of their size. `stopping`: None where it was to train to the end. `heard`: gradients of
    other runs, in so many `exchanges`; `unheard` could not be used. Empty or None: not of this run.
    """

    precision: str = ""
    scoring: str = ""
    curriculum: str | Promise = ""
    source: str | Promise = ""
    first: float = 0.0
    last: float = 0.0
    looks: int = 0
    met: int | None = None
    once_right: int | None = None
    forgotten: int | None = None
    base_distance: float | None = None
    surgery: Surgery | None = None
    stopping: Stopping | None = None
    exchanges: int = 0
    heard: int = 0
    unheard: int = 0


def taught(run: TrainingRun) -> Taught | None:
    """None of a run without a model, or one whose result says nothing of it."""
    model = ModelVersion.objects.filter(run=run).first()
    if model is None or "precision" not in model.figures:
        return None
    figures = model.figures
    exchange = figures.get("exchange") or {}
    basics = {
        "precision": figures["precision"],
        "scoring": figures.get("scoring", ""),
        "base_distance": figures.get("base_distance"),
        "surgery": _surgery(figures.get("surgery") or {}, figures.get("field") or {}),
        "stopping": Stopping(**figures["stopping"]) if figures.get("stopping") else None,
        "exchanges": exchange.get("times", 0),
        "heard": exchange.get("heard", 0),
        "unheard": sum(exchange.get("skipped", {}).values()),
    }
    if not (found := figures.get("curriculum")):
        return Taught(**basics)
    levels = found["competences"]
    return Taught(
        **basics,
        curriculum=value_words("curriculum", found["name"]),
        source=_SOURCES.get(found["difficulty"], found["difficulty"]),
        first=levels[0],
        last=levels[-1],
        looks=len(levels),
        met=found.get("met"),
        once_right=found.get("once_right"),
        forgotten=found.get("forgotten"),
    )


def _surgery(found: Mapping[str, Any], field: Mapping[str, Any]) -> Surgery | None:
    if found.get("conflict_rate") is None:
        return None
    tasks, rows = found["tasks"], []
    if len(tasks) > 2:
        cells = {
            frozenset(pair["tasks"]): Cell(
                steps=pair["steps"], rate=pair["conflict_rate"], shade=round(4 * (pair["conflict_rate"] or 0))
            )
            for pair in found["pairs"]
        }
        names = names_in(field)
        rows = [
            (_task_name(one, found["among"], names), [cells.get(frozenset((one, other))) for other in tasks])
            for one in tasks
        ]
    among = found.get("among", INCREMENT)  # older runs had no other
    return Surgery(among=among, steps=found["steps"], rate=found["conflict_rate"], rows=rows)


def _task_name(task: str, among: str, names: Mapping[str, str]) -> str:
    """Of a group of levels by their numbers, of one of dimensions or labels by their names."""
    if among == "levels":
        return _now("level %(number)s") % {"number": task.replace(" ", ", ")}
    return ", ".join(names.get(part, part) for part in task.split())
