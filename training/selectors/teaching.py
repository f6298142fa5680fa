"""How a finished run was taught, as its result tells it: precision, curriculum, the pull towards its base."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.models import ModelVersion, TrainingRun

_SOURCES: dict[str, str | Promise] = {
    "column": _("the dataset's column “difficulty”"),
    "cross-validated loss": _("the loss of probes that did not learn from the item"),
    "length": _("the length of the text"),
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
class Taught:
    """`scoring`: the precision in which the model reads the pool. `first`, `last`: shares of the items
    admitted by the curriculum; `looks`: how often that was decided. `met_together`: steps in which new and
    replayed items came together, `conflicts`: in what share of these their gradients pointed against each
    other. `base_distance`: how far the weights went, as a share of their size. `stopping`: None where it was
    to train to the end. `heard`: gradients of other runs, in so many `exchanges`; `unheard` could not be used.
    Empty or None: not of this run.
    """

    precision: str = ""
    scoring: str = ""
    curriculum: str = ""
    source: str | Promise = ""
    first: float = 0.0
    last: float = 0.0
    looks: int = 0
    met: int = 0
    once_right: int = 0
    forgotten: int = 0
    base_distance: float | None = None
    met_together: int = 0
    conflicts: float | None = None
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
    surgery, exchange = figures.get("surgery") or {}, figures.get("exchange") or {}
    basics = {
        "precision": figures["precision"],
        "scoring": figures.get("scoring", ""),
        "base_distance": figures.get("base_distance"),
        "met_together": surgery.get("steps", 0),
        "conflicts": surgery.get("conflict_rate"),
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
        curriculum=found["name"],
        source=_SOURCES.get(found["difficulty"], found["difficulty"]),
        first=levels[0],
        last=levels[-1],
        looks=len(levels),
        met=found["met"],
        once_right=found["once_right"],
        forgotten=found["forgotten"],
    )
