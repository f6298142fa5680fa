"""Every error of the API has one shape: `{"code", "message", "details"}`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_framework_handler
from rest_framework.views import set_rollback

from accounts.errors import GyreError


def body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    """The JSON of one error."""
    return {"code": code, "message": message, "details": details}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of an API view into its answer; None for what is not meant for the caller (a bug:
    500).
    """
    if isinstance(error, GyreError):
        set_rollback()
        return Response(body(error.code, str(error), error.details), status=error.status)
    response = rest_framework_handler(error, context)
    if response is None:
        return None
    if isinstance(error, Http404):
        response.data = body("not_found", _("There is no such thing here, or you may not see it."))
    elif isinstance(error, PermissionDenied):
        response.data = body("permission_denied", str(error) or _("You may not do this."))
    elif isinstance(error, exceptions.ValidationError):
        response.data = body("invalid", _first_message(response.data), response.data)
    elif isinstance(error, exceptions.APIException):
        code = error.get_codes()
        response.data = body(code if isinstance(code, str) else "error", str(error.detail))
    return response


def _first_message(detail: Any, path: str = "") -> str:
    """The first message in DRF's nested detail, with the name of its field."""
    if isinstance(detail, dict):
        key, value = next(iter(detail.items()), ("", ""))
        name = "" if key == "non_field_errors" else str(key)
        return _first_message(value, f"{path}.{name}".strip("."))
    if isinstance(detail, list):
        index = next((number for number, entry in enumerate(detail) if entry), 0)
        nested = detail[index] if detail else ""
        return _first_message(nested, f"{path}[{index}]" if isinstance(nested, dict) else path)
    return f"{path}: {detail}" if path else str(detail)
