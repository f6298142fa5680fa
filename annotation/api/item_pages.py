"""The table of items over the API: the same filters, sorts and rights as the page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.shapes import checked
from annotation.models import Item, Project
from annotation.permissions import can_see_items
from annotation.selectors import item_filters, items, schemas
from annotation.selectors.item_rows import ItemRow
from annotation.selectors.projects import get_project


class ItemShape(serializers.Serializer):
    """`label`: the id of the final label where the first field asks for one label; other answers in words."""

    row = serializers.IntegerField()
    uuid = serializers.UUIDField()
    text = serializers.CharField()
    split = serializers.CharField()
    state = serializers.ChoiceField(item_filters.STATES)
    held_back = serializers.CharField(help_text="Why it must not be used; empty: it may.")
    label = serializers.CharField(allow_null=True)
    value = serializers.DictField(allow_null=True, help_text="The final answer: field name to answer.")
    method = serializers.CharField(help_text="How the final label was found; empty without one.")
    suggested = serializers.DictField(allow_null=True, help_text="What a model or rule suggests.")
    confidence = serializers.FloatField(allow_null=True)
    is_waiting = serializers.BooleanField(help_text="It has a free or leased slot.")
    tags = serializers.ListField(child=serializers.CharField())
    scores = serializers.DictField(child=serializers.FloatField(), help_text="Why it was picked.")
    rounds = serializers.ListField(child=serializers.CharField(), help_text="Titles of its batches.")
    people = serializers.ListField(child=serializers.CharField(), help_text="Who answered.")
    source = serializers.CharField()
    external_id = serializers.CharField()
    meta = serializers.DictField()


class ItemsAnswer(serializers.Serializer):
    items = ItemShape(many=True)
    cursor = serializers.CharField(allow_null=True, help_text="Give it as ?cursor= for the next page.")
    stopped = serializers.IntegerField(
        allow_null=True,
        help_text="So many items were looked at and the page is not full: go on with the cursor.",
    )


class FilterShape(serializers.Serializer):
    """All together; what is left out filters nothing."""

    text = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text='Words, beginnings of words, "phrases"; Chinese as it stands.',
    )
    state = serializers.ChoiceField(item_filters.STATES, required=False)
    label = serializers.CharField(
        required=False, allow_blank=True, help_text="field:label, or a label of the first field."
    )
    suggested = serializers.CharField(required=False, help_text="The label of the suggestion, as `label`.")
    sure_from = serializers.FloatField(required=False, min_value=0, max_value=1)
    sure_to = serializers.FloatField(required=False, min_value=0, max_value=1)
    decided = serializers.ChoiceField(item_filters.DECIDED, required=False)
    person = serializers.UUIDField(required=False, help_text="A labeller who answered.")
    tag = serializers.CharField(required=False, help_text="Name or uuid of a tag.")
    source = serializers.CharField(required=False, help_text="Name or id of a source.")
    batch = serializers.IntegerField(required=False, min_value=0, help_text="Number of a batch.")
    split = serializers.ChoiceField(Item.Split.choices, required=False)
    meta = serializers.CharField(required=False, help_text="column=value; looks at item after item.")


class PageRequest(FilterShape):
    sort = serializers.CharField(default="row", help_text="row, -row, newest, unsure, or score.NAME.")
    cursor = serializers.CharField(required=False)
    size = serializers.IntegerField(default=items.PAGE, min_value=1, max_value=500)

    def validate_sort(self, sort: str) -> str:
        if item_filters.sort_of(sort) != sort:
            raise ValidationError(
                _("found “%(sort)s”: sort by row, -row, newest, unsure or score.NAME") % {"sort": sort}
            )
        return sort


def filters_of(project: Project, asked: Any) -> item_filters.Filters:
    """The filters of a request; ValidationError where a name in it is not the project's."""
    named = dict(asked)
    for name, known in (("tag", project.tags), ("source", project.sources)):
        given = named.get(name)
        if given is None:
            continue
        found = known.filter(name=given).first()
        if found is not None:
            named[name] = found.uuid if name == "tag" else found.pk
        elif not getattr(item_filters.from_params({name: given}, project), name):
            raise ValidationError({name: [_("There is no “%(name)s” in this project.") % {"name": given}]})
    return item_filters.from_params(named, project)


def answer(request: Request, slug: str) -> Response:
    """A page of items; what `GET /items` answers."""
    project = get_project(request.user, slug, can_see_items)
    asked = checked(PageRequest, request.query_params)
    filters = filters_of(project, asked)
    page = items.page(project, filters, sort=asked["sort"], after=asked.get("cursor"), size=asked["size"])
    schema = schemas.current(project)
    first = schemas.label_field(schema)["name"] if schema else ""
    return Response(
        {
            "items": [_shape(row, first) for row in page.rows],
            "cursor": page.after,
            "stopped": page.stopped,
        }
    )


def _shape(row: ItemRow, field: str) -> dict[str, Any]:
    label = (row.value or {}).get(field)
    found = {name: getattr(row, name) for name in ItemShape().fields if name not in ("label", "tags")}
    return {
        **found,
        "label": label if isinstance(label, str) else row.label or None,
        "tags": [tag.name for tag in row.tags],
    }
