"""Columns of the pool that come from people's work and from imports: expected seconds, and the source.

They are read for a strategy whose settings ask for them alone: a million texts are measured in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotation.models import Project
from annotation.quality import effort
from annotation.quality.effort import Effort
from annotation.selectors import efforts
from selection.programs.columns import Rows
from selection.selectors import integers
from selection.strategies.registry import STRATEGIES
from training import settings_schema

SECONDS, SOURCES = "seconds", "sources"  # as the pick program names them; files add .npy


def asked(strategy: str, settings: Mapping[str, Any]) -> list[str]:
    """Which of the columns the strategy reads with these settings."""
    given = settings_schema.read(STRATEGIES[strategy].settings, dict(settings))
    cost, share = getattr(given, "value_per_second", False), getattr(given, "source_share", 1.0)
    return [SECONDS] * bool(cost) + [SOURCES] * (share < 1)


def write(
    project: Project, rows: Rows, strategy: str, settings: Mapping[str, Any], folder: Path
) -> dict[str, str]:
    """Write what the strategy asks for into `folder`; the part of the pick program's spec that names it.

    Args:
        rows: (n,) ascending rows of items of the train split.
    """
    found = {}
    for name in asked(strategy, settings):
        path = folder / f"{name}.npy"
        np.save(path, expected_seconds(project, rows) if name == SECONDS else source_ids(project, rows))
        found[name] = str(path)
    return found


def expected_seconds(project: Project, rows: Rows) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n,) seconds that each item is expected to take a person."""
    return learnt(project).seconds(_at(rows, efforts.lengths(project)))


def source_ids(project: Project, rows: Rows) -> Rows:
    """(n,) id of each item's source."""
    return _at(rows, efforts.sources(project))


def learnt(project: Project) -> Effort:
    """What the project's own newest timed answers say of the time that a text takes."""
    found = integers.read(efforts.timed(project), 2)
    return effort.learn(found[:, 0], found[:, 1] / 1000)


def note(project: Project, strategy: str, settings: Mapping[str, Any]) -> str:
    """A sentence on what the expected seconds rest on, for the round's page; empty where they are not asked
    for.
    """
    if SECONDS not in asked(strategy, settings):
        return ""
    found = learnt(project)
    if found.is_learnt:
        words = _("Expected seconds by length of text, learnt from %(answers)s timed answers.")
    else:
        words = _(
            "Too little is known of how time grows with length (%(answers)s timed answers, %(least)s of "
            "unequal length are needed): every item counts as equally long."
        )
    return words % {"answers": found.answers, "least": effort.LEAST_ANSWERS}


def _at(rows: Rows, table: QuerySet[Any, Any]) -> Rows:
    """The second column of a (row, value) query at `rows`."""
    found = integers.read(table, 2)
    return np.ascontiguousarray(found[np.searchsorted(found[:, 0], rows), 1])
