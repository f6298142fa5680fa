"""How far the search index of a project is. Each figure is one look at the end of an index."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotation.intake.words import WORDS_VERSION
from annotation.models import Import, Item, Project, Resolution, SearchState, Slot

KIND = "annotation.index_items"


@dataclass(frozen=True)
class Backlog:
    """What is not in the index yet: items by row, final labels and slots by the id that they end at."""

    text_row: int
    last_row: int
    resolution: int
    last_resolution: int
    slot: int
    last_slot: int

    @property
    def texts(self) -> int:
        return max(0, self.last_row - self.text_row)

    @property
    def is_behind(self) -> bool:
        return self.texts > 0 or self.last_resolution > self.resolution or self.last_slot > self.slot


def backlog(project: Project) -> Backlog:
    state = SearchState.objects.filter(project=project).first() or SearchState()
    last_row = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    current = Resolution.objects.filter(project=project, is_current=True).order_by("-pk")
    slots = Slot.objects.filter(project=project).order_by("-pk")
    return Backlog(
        text_row=state.text_row if state.version == WORDS_VERSION else -1,
        last_row=-1 if last_row is None else last_row,
        resolution=state.resolution,
        last_resolution=current.values_list("pk", flat=True).first() or 0,
        slot=state.slot,
        last_slot=slots.values_list("pk", flat=True).first() or 0,
    )


def unsearchable(project: Project) -> int:
    """How many items the search does not find yet, without counting them: rows are dense."""
    state = SearchState.objects.filter(project=project, version=WORDS_VERSION).first()
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    return 0 if last is None else max(0, last - (state.text_row if state else -1))


def behind() -> QuerySet[Project]:
    """Projects whose index lacks something; not those into which a file is coming in: the import goes first.
    One query, a few looks at ends of indexes a project.
    """
    own = OuterRef("pk")
    ends = {
        "last_row": Item.objects.filter(project=own).order_by("-row").values("row"),
        "last_resolution": Resolution.objects.filter(project=own, is_current=True)
        .order_by("-pk")
        .values("pk"),
        "last_slot": Slot.objects.filter(project=own).order_by("-pk").values("pk"),
    }
    marks = {name: Coalesce(Subquery(found[:1]), -1) for name, found in ends.items()}
    return Project.objects.annotate(**marks).filter(
        ~Exists(Import.objects.filter(project=own, state=Import.State.RUNNING)),
        Q(search_state__isnull=True)
        | ~Q(search_state__version=WORDS_VERSION)
        | Q(last_row__gt=F("search_state__text_row"))
        | Q(last_resolution__gt=F("search_state__resolution"))
        | Q(last_slot__gt=F("search_state__slot")),
        last_row__gte=0,
    )
