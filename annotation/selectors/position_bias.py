"""Whether the place on the screen wins in one project's preferences: see quality.position_bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotation.models import Project
from annotation.quality.position_bias import PositionBias, Shown, position_bias
from annotation.selectors import looks


def report(project: Project, field: Mapping[str, Any]) -> PositionBias | None:
    """Of the newest answers to this field; None where it is no preference. One query."""
    if field["type"] != "preference":
        return None
    name = field["name"]
    found = looks.standing(project).filter(
        **{f"value__{name}__isnull": False, f"trace__{name}__isnull": False}
    )
    rows = found.order_by("-pk").values_list(f"value__{name}__ranking", f"trace__{name}__order")
    return position_bias(Shown(ranking, order) for ranking, order in rows[: looks.MOST] if ranking and order)
