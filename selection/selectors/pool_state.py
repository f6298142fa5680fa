"""What is known of a project's pool: its columns, its index, what is computed now, its refreshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count, Max, Q, Sum
from django.utils.translation import gettext as _

from annotation.models import Item, Project
from jobs.errors import BrokenArtifact
from jobs.models import Job
from jobs.models.job import ENDED
from selection.models import Column, PoolIndex, Refresh, RefreshPolicy, Round
from selection.programs import columns, losses
from selection.selectors import builds, column_files, integers
from selection.selectors.builds import BuildView
from training.models import ModelVersion
from training.selectors.models import scoring_precision

OPEN_KINDS = ("selection.embed_pool", "selection.build_index", "selection.refresh_batch")


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """One column: what it says and by which model, how many rows, shards and bytes it has, of how many items."""

    kind: str
    is_embedding: bool
    by: str
    rows: int
    shards: int
    megabytes: float
    share: float
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class PoolState:
    """What the page of the pool shows. `items`: usable ones, no duplicates and none held back."""

    items: int
    lacking: int  # of the encoder's vectors
    columns: list[ColumnView]
    index: PoolIndex | None
    newer: int  # rows that came after the index
    builds: list[BuildView]
    jobs: list[Job]  # of the pool, that wait or run
    policy: RefreshPolicy
    refreshes: list[Refresh]

    @property
    def is_working(self) -> bool:
        return bool(self.jobs) or any(build.is_running for build in self.builds)


def read(project: Project, encoder: str) -> PoolState:
    """The state of a project's pool; `encoder` is the key of the default encoder's column.

    A count of the project's items, the rows of those that may not be used, and a few small queries beside it.
    """
    items = Item.objects.filter(project=project, duplicate_of__isnull=True, held_back="").count()
    stored = list(_columns(project, encoder, items))
    embedded = sum(column.rows for column in stored if column.is_current and column.is_embedding)
    index = PoolIndex.objects.filter(project=project, model_key=encoder).first()
    return PoolState(
        items=items,
        lacking=max(0, items - _usable_held(project, encoder, embedded)),
        columns=stored,
        index=index,
        newer=max(0, embedded - index.count) if index else 0,
        builds=builds.newest(project, 3),
        jobs=list(Job.objects.filter(scope=project.uuid, kind__in=OPEN_KINDS).exclude(state__in=ENDED)),
        policy=RefreshPolicy.objects.filter(project=project).first() or RefreshPolicy(project=project),
        refreshes=list(
            Refresh.objects.filter(round__project=project).select_related("round").order_by("-pk")[:8]
        ),
    )


def _usable_held(project: Project, encoder: str, embedded: int) -> int:
    """How many rows of the encoder's column may still be used. What became a duplicate or was held back later
    keeps its vector, and would hide as many items that lack one.
    """
    if not embedded:
        return 0
    out = Item.objects.filter(project=project).filter(Q(duplicate_of__isnull=False) | ~Q(held_back=""))
    try:
        held = columns.held(column_files.shards(project, Column.Kind.EMBEDDING, encoder))
    except BrokenArtifact:  # the page still says what the rows know
        return embedded
    return len(held) - int(np.isin(held, integers.read(out.order_by().values_list("row"), 1)[:, 0]).sum())


def _columns(project: Project, encoder: str, items: int) -> list[ColumnView]:
    """Embeddings first, then the newest model's probabilities; older models' are named as such."""
    found = (
        Column.objects.filter(project=project)
        .order_by()
        .values("kind", "model_key")
        .annotate(
            rows=Sum("count"), shards=Count("pk"), newest=Max("pk"), width=Max("width"), dtype=Max("dtype")
        )
        .order_by("kind", "-newest")
    )
    names = {str(model.uuid): model for model in ModelVersion.objects.filter(project=project)}
    newest = Round.objects.filter(project=project, model__isnull=False).select_related("model").first()
    serving = str(newest.model.uuid) if newest and newest.model else ""
    return [_column(entry, names, encoder, serving, items) for entry in found]


def _column(
    entry: dict[str, Any], names: dict[str, ModelVersion], encoder: str, serving: str, items: int
) -> ColumnView:
    key = entry["model_key"]
    is_embedding = entry["kind"] == Column.Kind.EMBEDDING
    is_current = key == (encoder if is_embedding else serving)
    name = _("encoder %(key)s") % {"key": key[:8]}
    if entry["kind"] == Column.Kind.LOSS:
        is_current = losses.is_by(key, encoder)  # only the newest labels' are kept
        is_pool = key.endswith(losses.POOL)
        name = (
            _("labelled neighbours (pool items)")
            if is_pool
            else _("probes of the other folds (labelled items)")
        )
    elif (drawn := key.removesuffix("-dropout")) != key and drawn in names:
        name = f"{names[drawn]} · dropout"
    elif key in names:
        precision = scoring_precision(names[key])
        name = str(names[key]) if precision == "fp32" else f"{names[key]} · {precision}"
    return ColumnView(
        kind=str(Column.Kind(entry["kind"]).label),
        is_embedding=is_embedding,
        by=name,
        rows=entry["rows"],
        shards=entry["shards"],
        megabytes=entry["rows"] * entry["width"] * np.dtype(entry["dtype"]).itemsize / 1e6,
        share=min(1.0, entry["rows"] / max(1, items)),
        is_current=is_current,
    )


def refreshes_of(round_: Round) -> list[Refresh]:
    """The refreshes of one round, newest first."""
    return list(round_.refreshes.all()[:20])
