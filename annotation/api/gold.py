"""Items whose answer is known: set by engineers, never told to those who label."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.shapes import checked
from annotation.models import GoldItem
from annotation.permissions import can_engineer
from annotation.selectors.projects import get_project
from annotation.services import gold


class GoldShape(serializers.Serializer):
    """One item, named by `item`, `row` or `external_id`, and its answer: `value`, or `label` for the first
    field."""

    item = serializers.UUIDField(default=None, allow_null=True)
    row = serializers.IntegerField(default=None, allow_null=True, min_value=0)
    external_id = serializers.CharField(default="", allow_blank=True, max_length=200)
    value = serializers.DictField(default=None, allow_null=True)
    label = serializers.CharField(default="", allow_blank=True, help_text="Id or name.")
    kind = serializers.ChoiceField(GoldItem.Kind.choices, default=GoldItem.Kind.GOLD)
    note = serializers.CharField(default="", allow_blank=True, max_length=500)
    is_active = serializers.BooleanField(default=True, help_text="False: the item is gold no more.")


class GoldRequest(serializers.Serializer):
    gold = GoldShape(many=True, max_length=gold.MOST, allow_empty=False)


class GoldRefusal(serializers.Serializer):
    index = serializers.IntegerField(help_text="Place in the request, from 0.")
    message = serializers.CharField()


class GoldAnswer(serializers.Serializer):
    set = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    withdrawn = serializers.IntegerField()
    refused = GoldRefusal(many=True)


@extend_schema(summary="Set items whose answer is known", request=GoldRequest, responses=GoldAnswer)
@api_view(["POST"])
def set_gold(request: Request, slug: str) -> Response:
    """Good rows are stored whatever the others are; the refused ones come back with their reasons. Sending a
    row again changes nothing."""
    project = get_project(request.user, slug, can_engineer)
    rows = [gold.GoldRow(**row) for row in checked(GoldRequest, request.data)["gold"]]
    outcome = gold.set_items(project, rows, by=request.user)
    return Response({**vars(outcome), "refused": [vars(one) for one in outcome.refused]})
