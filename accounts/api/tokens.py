"""Who am I, and my tokens."""

from __future__ import annotations

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiToken, User
from accounts.services import tokens


class MeSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["uuid", "username", "first_name", "last_name", "email", "language", "theme", "time_zone"]
        read_only_fields = fields


class TokenSerializer(serializers.ModelSerializer):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "created_at", "last_used_at", "expires_at"]
        read_only_fields = ["id", "prefix", "created_at", "last_used_at"]


class NewTokenSerializer(TokenSerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown once; keep it.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "secret"]


@extend_schema(responses=MeSerializer)
@api_view(["GET"])
def me(request: HttpRequest) -> Response:
    """The person this session or token belongs to."""
    return Response(MeSerializer(request.user).data)


class Tokens(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The caller's own API tokens."""

    queryset = ApiToken.objects.none()
    serializer_class = TokenSerializer

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return ApiToken.objects.filter(user=self.request.user)

    @extend_schema(request=TokenSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token; its secret is in this answer and nowhere else."""
        form = TokenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        token, secret = tokens.create(request.user, data["name"], expires_at=data.get("expires_at"))
        return Response({**TokenSerializer(token).data, "secret": secret}, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: int) -> Response:
        """Revoke a token; it stops working at once."""
        tokens.revoke(request.user, pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
