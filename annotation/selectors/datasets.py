"""Frozen dataset versions and their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import QuerySet

from annotation.models import DatasetVersion, Item, Project, Resolution
from jobs.services import artifacts

SPLITS = tuple(Item.Split.values)  # train, validation, test: also the names of the files


class LabelledItem(NamedTuple):
    row: int
    text: str
    split: str
    cluster: int
    content_hash: str
    prompt: str  # empty where it is the content
    source: str
    data: dict[str, Any]
    value: dict[str, Any]
    posterior: dict[str, Any]  # field -> label or option -> share of belief


def versions(project: Project) -> QuerySet[DatasetVersion]:
    return project.datasets.select_related("schema_version", "base", "created_by").order_by("-number")


def latest(project: Project) -> DatasetVersion | None:
    return versions(project).first()


def by_origin(project: Project, origin: str) -> DatasetVersion | None:
    return versions(project).filter(origin=origin).first() if origin else None


def folder(dataset: DatasetVersion) -> Path:
    """Where train.parquet, validation.parquet, test.parquet and dataset.json lie."""
    return artifacts.path(dataset.artifact)


def labelled_items(project: Project) -> Iterator[LabelledItem]:
    """Every item with a final label, by row; duplicates and items that are held back are left out."""
    found = (
        Resolution.objects.filter(
            project=project, is_current=True, item__duplicate_of=None, item__held_back=""
        )
        .order_by("item__row")
        .values_list(
            "item__row",
            "item__text",
            "item__split",
            "item__cluster",
            "item__content_hash",
            "item__prompt",
            "item__source__name",
            "item__data",
            "value",
            "posterior",
        )
    )
    for columns in found.iterator(5000):
        yield LabelledItem(*columns)


def test_items(project: Project) -> Iterator[tuple[int, int, str]]:
    """(row, cluster, hash of the prompt) of every test item, labelled or not, duplicates too."""
    found = Item.objects.filter(project=project, split=Item.Split.TEST)
    columns = found.values_list("row", "cluster", "prompt", "content_hash").iterator(20_000)
    return ((row, cluster, prompt or content_hash) for row, cluster, prompt, content_hash in columns)
