"""Which key does what on the labelling page: the usual ones, and what a person chose instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from annotation.models import KeyMap, Project

# Enter, ?, / and the arrows are fixed; these may be moved.
ACTIONS = {"undo": "u", "skip": "s", "flag": "f", "guide": "g"}


@dataclass(frozen=True)
class Keys:
    """`actions`: action -> key, all of them. `labels`: field -> label id -> key, only those that were chosen."""

    actions: dict[str, str] = field(default_factory=lambda: dict(ACTIONS))
    labels: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def reserved(self) -> frozenset[str]:
        """Keys that no label may have."""
        return frozenset(self.actions.values())


def keys_of(user: Any, project: Project) -> Keys:
    """One query."""
    chosen = KeyMap.objects.filter(project=project, user=user).first()
    return Keys({**ACTIONS, **chosen.actions}, chosen.labels) if chosen else Keys()
