"""The columns of the table of items: which there are, and which a person sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from annotation.models import ColumnChoice, Project

# `text` is always there
COLUMNS: dict[str, Any] = {
    "label": _("Label"),
    "suggestion": _("Suggestion"),
    "state": _("State"),
    "tags": _("Tags"),
    "split": _("Split"),
    "scores": _("Scores"),
    "rounds": _("Rounds"),
    "people": _("People"),
    "source": _("Source"),
    "external_id": _("Own id"),
    "meta": _("Metadata"),
    "added": _("Added"),
}
DEFAULT = ("label", "suggestion", "state", "tags", "split")


def known(names: Iterable[str]) -> list[str]:
    """Those of the names that are columns, in the order of the table."""
    wanted = set(names)
    return [name for name in COLUMNS if name in wanted]


def of(project: Project, user: Any, given: str | None) -> list[str]:
    """The columns that the address names, else those that the person chose last, else the usual ones."""
    if given is not None:
        return known(given.split(","))
    chosen = ColumnChoice.objects.filter(project=project, user=user).first()
    return known(chosen.columns) if chosen else list(DEFAULT)
