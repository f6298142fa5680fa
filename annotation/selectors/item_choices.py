"""What the filters of the items offer: labels, tags, sources, rounds, people, saved views. Lists are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from annotation import score_words
from annotation.models import (
    Batch,
    Group,
    Item,
    Labeller,
    Membership,
    Project,
    Resolution,
    SavedView,
    SchemaVersion,
    Source,
    Tag,
)
from annotation.selectors import item_orders
from annotation.selectors.choices import choices, in_language
from annotation.selectors.item_filters import SCORE

MOST = 300


@dataclass(frozen=True)
class Option:
    value: str
    name: str


@dataclass(frozen=True)
class OptionGroup:
    name: str
    options: list[Option]


@dataclass(frozen=True)
class Offers:
    states: list[Option]
    splits: list[Option]
    decided: list[Option]
    labels: list[OptionGroup]
    tags: list[Tag]
    sources: list[Source]
    batches: list[Batch]
    people: list[Labeller]
    sorts: list[Option]


def state_names() -> dict[str, str]:
    return {
        "labelled": _("labelled"),
        "waiting": _("waiting for a label"),
        "unlabelled": _("not labelled"),
        "unclear": _("skipped or disputed"),
        "duplicate": _("duplicate"),
        "held_back": _("held back"),
        "deleted": _("deleted"),
    }


def offers(project: Project, schema: SchemaVersion | None) -> Offers:
    decided = [Option(value, str(name)) for value, name in Resolution.Method.choices]
    return Offers(
        states=[Option(value, name) for value, name in state_names().items()],
        splits=[Option(value, str(name)) for value, name in Item.Split.choices],
        decided=[*decided, Option("disputed", _("disputed, undecided"))],
        labels=_labels(schema),
        tags=list(Tag.objects.filter(project=project)[:MOST]),
        sources=list(Source.objects.filter(project=project).order_by("-pk")[:MOST]),
        batches=list(Batch.objects.filter(project=project).order_by("-number")[:MOST]),
        people=list(Labeller.objects.filter(project=project).order_by("-kind", "name")[:MOST]),
        sorts=sorts(project),
    )


def sorts(project: Project) -> list[Option]:
    scores = [
        Option(f"{SCORE}{name}", _("score “%(name)s”, highest first") % {"name": score_words.name_of(name)})
        for name in item_orders.score_names(project)
    ]
    return [
        Option("row", _("by row")),
        Option("-row", _("last row first")),
        Option("newest", _("newest label first")),
        Option("unsure", _("suggestion least sure first")),
        *scores,
    ]


def _labels(schema: SchemaVersion | None) -> list[OptionGroup]:
    fields: list[Mapping[str, Any]] = schema.definition["fields"] if schema else []
    return [
        OptionGroup(
            str(in_language(field, "title") or field["name"]),
            [Option(f"{field['name']}:{choice.id}", choice.name) for choice in choices(field)],
        )
        for field in fields
        if field.get("labels")
    ]


def views(project: Project, user: Any) -> QuerySet[SavedView]:
    """Those of the person, and those that others share."""
    found = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True), project=project)
    return found.select_related("owner", "project").order_by("name")


def assignees(project: Project) -> list[OptionGroup]:
    """Whom items can be assigned to."""
    members = Membership.objects.filter(project=project, is_active=True, user__is_active=True)
    people = [
        Option(f"person:{one.user.uuid}", str(one.user))
        for one in members.select_related("user").order_by("user__username")[:MOST]
    ]
    groups = [
        Option(f"group:{group.uuid}", group.name) for group in Group.objects.filter(project=project)[:MOST]
    ]
    found = [OptionGroup(_("Groups"), groups), OptionGroup(_("People"), people)]
    return [group for group in found if group.options]
