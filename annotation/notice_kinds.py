"""The sentences by which people are told of work and of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.notice_kinds import register

AVAILABLE = "annotation.work_available"
ASSIGNED = "annotation.work_assigned"
CORRECTED = "annotation.answer_corrected"
PAUSED = "annotation.project_paused"
RESUMED = "annotation.project_resumed"
FLAGGED = "annotation.item_flagged"
REPLIED = "annotation.discussion_replied"


def _available(params: Mapping[str, Any], count: int) -> str:
    return _("New items are waiting to be labelled in “%(project)s”.") % params


def _assigned(params: Mapping[str, Any], count: int) -> str:
    text = ngettext(
        "%(count)s item of “%(project)s” was given to you.",
        "%(count)s items of “%(project)s” were given to you.",
        count,
    )
    return text % {**params, "count": count}


def _corrected(params: Mapping[str, Any], count: int) -> str:
    text = ngettext(
        "A reviewer looked at %(count)s of your answers in “%(project)s” and changed it or left a note.",
        "A reviewer looked at %(count)s of your answers in “%(project)s” and changed them or left notes.",
        count,
    )
    return text % {**params, "count": count}


def _paused(params: Mapping[str, Any], count: int) -> str:
    return _("“%(project)s” is paused: what you hold you may still submit.") % params


def _resumed(params: Mapping[str, Any], count: int) -> str:
    return _("“%(project)s” goes on: items are handed out again.") % params


def _flagged(params: Mapping[str, Any], count: int) -> str:
    text = ngettext(
        "%(count)s item of “%(project)s” was flagged for discussion.",
        "%(count)s items of “%(project)s” were flagged for discussion.",
        count,
    )
    return text % {**params, "count": count}


def _replied(params: Mapping[str, Any], count: int) -> str:
    text = ngettext(
        "%(count)s new answer in a discussion of “%(project)s”, by %(author)s.",
        "%(count)s new answers in a discussion of “%(project)s”, the last one by %(author)s.",
        count,
    )
    return text % {**params, "count": count}


register(AVAILABLE, _available)
register(ASSIGNED, _assigned)
register(CORRECTED, _corrected)
register(PAUSED, _paused)
register(RESUMED, _resumed)
register(FLAGGED, _flagged)
register(REPLIED, _replied)
