"""Bringing the search index up to date: texts, final labels and score parts, a block at a time, after the fact.

Nothing that people wait for writes here: an import or an answer costs what it did without an index. The marks
of `SearchState` move in the transaction of the block that they speak of, by conditional update, so that two
who index at once do no block twice, and one who is killed leaves whole blocks. All of it can be thrown away:
`rebuild` makes it again.
"""

from __future__ import annotations

import datetime
import math
import time
from collections import defaultdict
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.selectors.prepared import insert_many
from annotation.intake.words import WORDS_VERSION
from annotation.models import IndexedLabel, IndexedScore, Item, Project, Resolution, SearchState, Slot
from annotation.selectors import search_states as reads
from annotation.selectors import search_text as text_reads
from annotation.selectors.label_keys import label_keys
from annotation.selectors.queue import is_anybody_labelling
from annotation.selectors.search_states import KIND
from annotation.services import search_text
from jobs.models import Job, State
from jobs.services import jobs
from jobs.services.context import JobContext
from jobs.services.pacing import giving_way

BLOCK = 1000  # rows of one transaction
SMALL_BLOCK = 200  # while people are at work: some 10 ms on SQLite, which has one writer
TICK_SECONDS = 0.5  # what the scheduler spends itself; a longer backlog becomes a job
# On PostgreSQL ids are not committed in their order: labels this young are left for the next time. Until then
# the page looks at them one by one (selectors/item_labels.py).
SETTLED = datetime.timedelta(seconds=20)


def tick() -> None:
    """Index what is new, here where it is little and by a job where it is much. Idempotent."""
    recover()
    until = time.monotonic() + TICK_SECONDS
    for project in reads.behind():
        while time.monotonic() < until and _block(project):
            pass
        if reads.backlog(project).texts > 0:
            _start_job(project)


def _start_job(project: Project) -> None:
    open_ones = Job.objects.filter(kind=KIND, scope=project.uuid, state__in=[State.QUEUED, State.RUNNING])
    if not open_ones.exists():
        jobs.enqueue(KIND, subject=project, scope=project.uuid)


def run(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.index_items": its subject is the project."""
    project: Project | None = ctx.subject
    if project is None:
        return None
    begin = reads.backlog(project)
    total = max(1, begin.texts)
    while _block(project):
        left = reads.backlog(project).texts
        done = max(0, total - left)
        ctx.progress(done, total, _("%(count)s items are searchable") % {"count": f"{done:,}"})
    return {"items": begin.texts}


def catch_up(project: Project, *, settled: datetime.timedelta = datetime.timedelta(0)) -> None:
    """Index all that is new, now."""
    recover()
    while _block(project, settled):
        pass


def rebuild(project: Project) -> None:
    """Throw the project's index away, for `catch_up` to make anew."""
    with transaction.atomic():
        SearchState.objects.filter(project=project).delete()
        IndexedLabel.objects.filter(project=project).delete()
        IndexedScore.objects.filter(project=project).delete()
        search_text.clear(project.pk)


def recover() -> None:
    """Make the table of texts again where it was lost, or came back empty from a backup."""
    if not text_reads.is_there():
        with transaction.atomic():
            search_text.create()
            SearchState.objects.update(text_row=-1)
    elif text_reads.is_empty():
        SearchState.objects.filter(text_row__gte=0).update(text_row=-1)


def forget(project: Project, item_ids: list[int]) -> None:
    """Take deleted items out of the index, in the transaction that deletes them.

    The row of the marks is held first, as `_texts` does: else a block that read the texts before could put
    them back.
    """
    list(SearchState.objects.select_for_update(no_key=True).filter(project=project).values("pk"))
    search_text.remove(project.pk, item_ids)
    IndexedLabel.objects.filter(item_id__in=item_ids).delete()
    IndexedScore.objects.filter(item_id__in=item_ids).delete()


def _block(project: Project, settled: datetime.timedelta = SETTLED) -> bool:
    """One block of each kind; whether there may be more."""
    state, in_company = _state(project), is_anybody_labelling()
    size = SMALL_BLOCK if in_company and connection.vendor == "sqlite" else BLOCK
    with giving_way(in_company=in_company):
        done = [
            _texts(project, state, size),
            _labels(project, state, size, settled),
            _scores(project, state, size),
        ]
    return any(done)


def _state(project: Project) -> SearchState:
    state, _made = SearchState.objects.get_or_create(project=project, defaults={"version": WORDS_VERSION})
    if state.version != WORDS_VERSION:
        with transaction.atomic():
            SearchState.objects.filter(pk=state.pk).update(version=WORDS_VERSION, text_row=-1)
            search_text.clear(project.pk)
        state.refresh_from_db()
    return state


def _moved(state: SearchState, mark: str, to: int) -> bool:
    """Move a mark; False where somebody else was first, whose block it is then."""
    before = getattr(state, mark)
    mine = SearchState.objects.filter(pk=state.pk, **{mark: before})
    return bool(mine.update(**{mark: to, "updated_at": timezone.now()}))


def _texts(project: Project, state: SearchState, size: int) -> bool:
    rows = Item.objects.filter(project=project, row__gt=state.text_row).order_by("row")
    found = list(rows.values_list("row", "pk", "normalised")[:size])
    if not found:
        return False
    cut = [(pk, text) for _row, pk, normalised in found if (text := search_text.cut(normalised))]
    with transaction.atomic():
        if _moved(state, "text_row", found[-1][0]):
            deleted = Item.objects.filter(pk__in=[pk for pk, _text in cut], held_back=Item.DELETED)
            gone = set(deleted.values_list("pk", flat=True))  # since they were read
            search_text.store(project.pk, [(pk, text) for pk, text in cut if pk not in gone])
    return True


def _labels(project: Project, state: SearchState, size: int, settled: datetime.timedelta) -> bool:
    current = Resolution.objects.filter(project=project, is_current=True, pk__gt=state.resolution)
    young = timezone.now() - settled
    found = []
    for pk, item_id, value, made in current.order_by("pk").values_list(
        "pk", "item_id", "value", "created_at"
    )[:size]:
        if made > young:
            break
        found.append((pk, item_id, value))
    if not found:
        return False
    fresh = [
        IndexedLabel(project=project, item_id=item_id, key=key)
        for _pk, item_id, value in found
        for key in label_keys(value)
    ]
    with transaction.atomic():
        if _moved(state, "resolution", found[-1][0]):
            IndexedLabel.objects.filter(item_id__in=[item_id for _pk, item_id, _value in found]).delete()
            insert_many(fresh, on_conflict="DO NOTHING")
    return True


def _scores(project: Project, state: SearchState, size: int) -> bool:
    slots = Slot.objects.filter(project=project, pk__gt=state.slot).order_by("pk")
    found = list(slots.values_list("pk", "item_id", "explanation", "purpose")[:size])
    if not found:
        return False
    parts: dict[int, dict[str, float]] = defaultdict(dict)
    for _pk, item_id, explanation, purpose in found:
        if purpose in Slot.MEASURING:
            continue  # its explanation is lent
        given = explanation.get("parts") if isinstance(explanation, dict) else None
        for name, value in (given or {}).items():
            if isinstance(value, (int, float)) and math.isfinite(value):
                parts[item_id][str(name)[:60]] = float(value)
    fresh = [
        IndexedScore(project=project, item_id=item_id, name=name, value=value)
        for item_id, values in parts.items()
        for name, value in values.items()
    ]
    with transaction.atomic():
        if _moved(state, "slot", found[-1][0]):
            insert_many(fresh, on_conflict="(item_id, name) DO UPDATE SET value = excluded.value")
    return True
