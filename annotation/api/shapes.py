"""What endpoints share: reading a request by its shape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework.serializers import Serializer


def checked(shape: type[Serializer], data: Any) -> Mapping[str, Any]:
    """The request's data as `shape` reads it; ValidationError (400, code "invalid") where it does not fit."""
    return _reader(shape).run_validation(data)


@cache
def _reader(shape: type[Serializer]) -> Serializer:
    """One of each shape: a new serializer copies all its fields, which takes longer than reading a request."""
    return shape()
