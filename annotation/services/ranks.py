"""Places in the queue other than its end: in front of everything, and below where people are already.

A cursor says what was handed to a person, and the walk starts behind it (services/queue.py). Whatever becomes
open to people below their cursors therefore moves the cursors back, in the same transaction. The walk over
what they have passed is paid once, by the next lease.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Min

from annotation.models import Cursor, Project, Slot


def front_ranks(project: Project, count: int) -> range:
    """So many ranks before all that were ever given, rising. The caller holds `batches.lock_ranks`."""
    first = Slot.objects.filter(project=project).aggregate(first=Min("rank"))["first"]
    end = min(0, first if first is not None else 0)
    return range(end - count, end)


def open_from(project: Project, rank: int, people: Iterable[int] | None = None) -> None:
    """Let the next lease of these people (ids; None: everybody's) look at `rank` and all behind it.

    A lease under way holds its cursor: this waits for it, and is not undone by it.
    """
    cursors = Cursor.objects.filter(project=project, rank__gte=rank)
    if people is not None:
        cursors = cursors.filter(person__in=list(people))
    # in one order, as two of us at once would wait for each other
    held = cursors.select_for_update(of=("self",), no_key=True).order_by("pk")
    Cursor.objects.filter(pk__in=[cursor.pk for cursor in held]).update(rank=rank - 1)
