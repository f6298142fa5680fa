"""A service's refusal as errors of a form, in place."""

from __future__ import annotations

from django import forms

from accounts.errors import GyreError


def add_errors(form: forms.BaseForm, error: GyreError) -> None:
    """`details` that map field to sentences go to those fields; everything else to the form."""
    found = error.details if isinstance(error.details, dict) else {}
    placed = {field: texts for field, texts in found.items() if field in form.fields}
    for field, texts in placed.items():
        form.add_error(field, list(texts))
    if not placed:
        form.add_error(None, str(error))
