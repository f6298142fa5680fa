"""Choosing one's own keys."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from accounts.models import User
from annotation.errors import KeysRefused
from annotation.models import KeyMap, Project
from annotation.selectors.choices import ALL_KEYS
from annotation.selectors.key_maps import ACTIONS


def choose(
    project: Project,
    user: User,
    *,
    actions: Mapping[str, str],
    labels: Mapping[str, Mapping[str, str]],
) -> KeyMap:
    """Keep the keys that differ from the usual ones; empty ones fall back to the usual.

    Raises:
        KeysRefused: a key is not one letter or digit, or would do two things at once.
    """
    chosen = {name: key.strip().lower() for name, key in actions.items() if name in ACTIONS and key.strip()}
    in_force = {**ACTIONS, **chosen}
    _check(in_force, {})
    cleaned: dict[str, dict[str, str]] = {}
    for name, keys in labels.items():
        own = {identity: key.strip().lower() for identity, key in keys.items() if key.strip()}
        _check(own, in_force)
        if own:
            cleaned[name] = own
    kept = {name: key for name, key in chosen.items() if key != ACTIONS[name]}
    found, _made = KeyMap.objects.update_or_create(
        project=project, user=user, defaults={"actions": kept, "labels": cleaned}
    )
    return found


def reset(project: Project, user: User) -> None:
    """Back to the usual keys."""
    KeyMap.objects.filter(project=project, user=user).delete()


def _check(keys: Mapping[str, str], taken: Mapping[str, str]) -> None:
    seen: set[str] = set(taken.values())
    for key in keys.values():
        if key not in ALL_KEYS:
            raise KeysRefused(
                _("“%(key)s” cannot be a key here: choose one letter a to z or one digit 1 to 9.")
                % {"key": key}
            )
        if key in seen:
            raise KeysRefused(
                _("The key “%(key)s” would do two things: give one of them another key.")
                % {"key": key.upper()}
            )
        seen.add(key)
