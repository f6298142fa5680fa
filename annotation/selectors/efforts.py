"""What is known of the effort of items: how long answers took, how long texts are, where items come from."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Length

from annotation.models import Item, Project
from annotation.quality.effort import MOST_ANSWERS
from annotation.selectors import looks


def timed(project: Project, *, most: int = MOST_ANSWERS) -> QuerySet[Any, Any]:
    """(characters, active milliseconds) of the newest timed looks of people, the newest first. The time that a
    page was left alone is not in it: the page counts none of that.
    """
    found = looks.standing(project).filter(active_ms__gt=0).order_by("-pk")
    return found.values_list(Length("item__text"), "active_ms")[:most]


def lengths(project: Project) -> QuerySet[Any, Any]:
    """(row, characters of the text) of every item of the train split, by row."""
    return _train(project).values_list("row", Length("text"))


def sources(project: Project) -> QuerySet[Any, Any]:
    """(row, id of the source) of every item of the train split, by row."""
    return _train(project).values_list("row", "source_id")


def _train(project: Project) -> QuerySet[Item]:
    return Item.objects.filter(project=project, split=Item.Split.TRAIN).order_by("row")
