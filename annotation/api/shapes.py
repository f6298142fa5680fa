"""What endpoints share: reading a request by its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.serializers import Serializer


def checked(shape: type[Serializer], data: Any) -> Mapping[str, Any]:
    """The request's data as `shape` reads it; ValidationError (400, code "invalid") where it does not fit."""
    given = shape(data=data)
    given.is_valid(raise_exception=True)
    return given.validated_data
