"""Items in bulk, and models' suggestions for them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.wording import said
from annotation.api import item_pages
from annotation.api.shapes import checked
from annotation.errors import PrelabelRefused
from annotation.models import Item
from annotation.permissions import can_engineer
from annotation.selectors import items as item_reads
from annotation.selectors.projects import get_project
from annotation.services import items, labellers, prelabels

MOST = 5000  # records a request; a larger set comes in several, or as a file


class RecordShape(serializers.Serializer):
    """One text. `label`: an id or name, or the answer to the first field as JSON; `value`: the answers to all
    fields, which goes before it. Without `split` the project draws one.
    """

    text = serializers.CharField(trim_whitespace=False, allow_blank=True)
    external_id = serializers.CharField(default="", allow_blank=True, max_length=200)
    label = serializers.JSONField(default=None, allow_null=True)
    value = serializers.DictField(default=None, allow_null=True)
    split = serializers.ChoiceField(Item.Split.choices, default=None, allow_null=True)
    meta = serializers.DictField(default=dict)
    data = serializers.DictField(
        default=dict,
        help_text="messages (a dialogue), responses (to compare), draft (to edit); each may be missing.",
    )


class AddRequest(serializers.Serializer):
    """`source` names where they come from; sending (source, external_id, text) again adds nothing."""

    source = serializers.CharField(max_length=200)
    items = RecordShape(many=True, max_length=MOST, allow_empty=False)


class RefusedShape(serializers.Serializer):
    index = serializers.IntegerField(help_text="Place in the request, from 0.")
    code = serializers.CharField()
    message = serializers.CharField()


class AddAnswer(serializers.Serializer):
    items = serializers.ListField(child=serializers.UUIDField(allow_null=True))
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    labelled = serializers.IntegerField()
    refused = RefusedShape(many=True)


class SuggestionShape(serializers.Serializer):
    item = serializers.UUIDField()
    value = serializers.DictField(help_text="Field name to value, labels by id.")
    confidence = serializers.FloatField(min_value=0, max_value=1)
    scores = serializers.DictField(child=serializers.FloatField(), default=dict)


class LabellerShape(serializers.Serializer):
    kind = serializers.ChoiceField(["model", "rule"], default="model")
    key = serializers.CharField(max_length=100, help_text="Stays the same for one version of a model.")
    name = serializers.CharField(max_length=200)


class SuggestRequest(serializers.Serializer):
    labeller = LabellerShape()
    prelabels = SuggestionShape(many=True, max_length=MOST, allow_empty=False)


class SuggestAnswer(serializers.Serializer):
    stored = serializers.IntegerField()


@extend_schema(
    methods=["GET"],
    summary="Items, filtered and sorted, page by page",
    parameters=[item_pages.PageRequest],
    responses=item_pages.ItemsAnswer,
)
@extend_schema(methods=["POST"], summary="Add items", request=AddRequest, responses=AddAnswer)
@api_view(["GET", "POST"])
def item_list(request: Request, slug: str) -> Response:
    """Good records are stored whatever the others are; the refused ones come back with their reasons."""
    if request.method == "POST":
        return _add(request, slug)
    return item_pages.answer(request, slug)


def _add(request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, can_engineer)
    asked = checked(AddRequest, request.data)
    records = [items.Record(**record) for record in asked["items"]]
    added = items.add_items(project, records, source=asked["source"], by=request.user)
    uuids = item_reads.uuids(pk for pk in added.item_ids if pk is not None)
    body: dict[str, Any] = {
        "items": [None if pk is None else uuids[pk] for pk in added.item_ids],
        **{name: getattr(added, name) for name in ("added", "duplicates", "unchanged", "labelled")},
        "refused": [
            {"index": bad.line - 1, "code": bad.code, "message": said(bad.message)} for bad in added.refused
        ],
    }
    return Response(body)


@extend_schema(
    summary="Store a model's suggestions",
    parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)],
    request=SuggestRequest,
    responses=SuggestAnswer,
)
@api_view(["POST"])
def prelabel_list(request: Request, slug: str) -> Response:
    """All or none. What the same labeller said of an item before stays; a new version needs a new key."""
    project = get_project(request.user, slug, can_engineer)
    asked = checked(SuggestRequest, request.data)
    of_uuid = item_reads.ids(project, [one["item"] for one in asked["prelabels"]])
    unknown = [str(one["item"]) for one in asked["prelabels"] if one["item"] not in of_uuid]
    if unknown:
        raise PrelabelRefused(
            _("%(count)s of the items are not in this project, %(first)s among them: name its own items.")
            % {"count": len(unknown), "first": unknown[0]},
            details={"items": unknown[:100]},
        )
    who = asked["labeller"]
    labeller = getattr(labellers, who["kind"])(project, who["key"], who["name"])
    try:
        stored = prelabels.store(
            project,
            labeller,
            [
                (of_uuid[one["item"]], one["value"], one["confidence"], one["scores"])
                for one in asked["prelabels"]
            ],
        )
    except ValueError as error:
        raise PrelabelRefused(said(error)) from error
    return Response({"stored": stored})
