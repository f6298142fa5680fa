"""Actions on many items over the API."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.item_pages import FilterShape, filters_of
from annotation.api.shapes import checked
from annotation.models import Item, Project
from annotation.permissions import can_see_items
from annotation.selectors import items, row_ranges
from annotation.selectors.projects import get_project
from annotation.services import item_actions


class ActionOptions(serializers.Serializer):
    """What the action asks for: assign and relabel `to`, tag and untag `tag`, hold_back `reason`."""

    to = serializers.CharField(required=False, help_text="everybody, person:UUID (of a user) or group:UUID.")
    tag = serializers.CharField(required=False, help_text="A tag's name; `tag` makes it if it is new.")
    reason = serializers.CharField(required=False)


class ActionRequest(serializers.Serializer):
    """The items are named in one of three ways: `items`, `rows`, or all that pass `filter`, up to 10,000."""

    action = serializers.ChoiceField(list(item_actions.ACTIONS))
    options = ActionOptions(default=dict)
    items = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=item_actions.MOST, allow_empty=False
    )
    rows = serializers.CharField(required=False, help_text="Ranges of rows: 0-41,57")
    filter = FilterShape(required=False)


class ActionAnswer(serializers.Serializer):
    """`done` items; `left`: reason to how many others. With a `job` it is under way, and both are null."""

    done = serializers.IntegerField(allow_null=True)
    left = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    job = serializers.UUIDField(allow_null=True)
    is_whole = serializers.BooleanField(help_text="False: more items pass the filter than were taken.")


@extend_schema(
    summary="Do something to many items",
    parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)],
    request=ActionRequest,
    responses={200: ActionAnswer, 202: ActionAnswer},
)
@api_view(["POST"])
def act(request: Request, slug: str) -> Response:
    """Few items at once (200), many by a job (202). Reviewers may assign, queue first, relabel, tag and untag;
    engineers also hold back, release and delete."""
    project = get_project(request.user, slug, can_see_items)
    asked = checked(ActionRequest, request.data)
    rows, is_whole = _chosen(project, asked)
    options = {name: str(value) for name, value in asked["options"].items()}
    outcome, job = item_actions.start(project, asked["action"], rows, options, by=request.user)
    done = outcome.to_json() if outcome is not None else {"done": None, "left": None}
    body = {**done, "job": job.uuid if job else None, "is_whole": is_whole}
    return Response(body, status=202 if job else 200)


def _chosen(project: Project, asked: dict) -> tuple[list[int], bool]:
    """Rows, and whether they are all that were asked for."""
    ways = [way for way in ("items", "rows", "filter") if way in asked]
    if len(ways) != 1:
        raise ValidationError({"items": [_("Name the items in one way: as items, rows or filter.")]})
    if ways == ["rows"]:
        return row_ranges.from_text(asked["rows"], most=item_actions.MOST + 1), True
    if ways == ["items"]:
        ids = list(items.ids(project, asked["items"]).values())
        if len(ids) < len(set(asked["items"])):
            raise ValidationError({"items": [_("Some of the items are not in this project.")]})
        is_whole = True
    else:
        selection = items.select(project, filters_of(project, asked["filter"]))
        ids, is_whole = selection.ids, selection.is_whole
    return list(Item.objects.filter(pk__in=ids).values_list("row", flat=True)), is_whole
