"""What the caller was told."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import notices as selectors
from accounts.services import notices


class ToldShape(serializers.Serializer):
    id = serializers.IntegerField()
    text = serializers.CharField()
    url = serializers.CharField()
    created_at = serializers.DateTimeField()
    is_unread = serializers.BooleanField()


class NoticesAnswer(serializers.Serializer):
    notices = ToldShape(many=True)


class ReadRequest(serializers.Serializer):
    """`ids`: which were read; without it all of them."""

    ids = serializers.ListField(
        child=serializers.IntegerField(), default=None, allow_null=True, max_length=1000
    )


class ReadAnswer(serializers.Serializer):
    read = serializers.IntegerField()


@extend_schema(methods=["GET"], summary="News, unread ones first", responses=NoticesAnswer)
@extend_schema(methods=["POST"], summary="Mark news as read", request=ReadRequest, responses=ReadAnswer)
@api_view(["GET", "POST"])
def notice_list(request: Request) -> Response:
    if request.method == "POST":
        asked = ReadRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"read": notices.read(request.user, asked.validated_data["ids"])})
    return Response({"notices": [vars(one) for one in selectors.newest(request.user)]})
