"""What a new project may begin from, as `project_templates.toml` beside this file lists it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import get_language

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True)
class ProjectTemplate:
    """Texts are asked for in the language of whoever looks; the schema carries both languages itself."""

    key: str
    texts: Mapping[str, str]
    fields: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self._text("label")

    @property
    def description(self) -> str:
        return self._text("description")

    @property
    def guideline(self) -> str:
        return self._text("guideline").strip()

    @property
    def takes_labels(self) -> bool:
        """Whether labels typed by hand have a place: in the first field, or in a schema that is yet to be."""
        return not self.fields or "labels" in self.fields[0]

    def definition(self, labels: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
        """A schema of its own to change, with `labels` before those of its first field; None for the template
        that has no fields."""
        if not self.fields:
            return None
        fields = deepcopy([dict(one) for one in self.fields])
        if labels:
            fields[0]["labels"] = [*labels, *fields[0]["labels"]]
        return {"fields": fields}

    def _text(self, name: str) -> str:
        chinese = self.texts.get(f"{name}_zh") if (get_language() or "").startswith("zh") else None
        return chinese or self.texts.get(name, "")


def _read() -> dict[str, ProjectTemplate]:
    with FILE.open("rb") as file:
        listed = tomllib.load(file)["template"]
    return {one["key"]: _template(**one) for one in listed}


def _template(
    *, key: str, fields: Sequence[Any] = (), settings: Mapping[str, Any] | None = None, **texts: str
) -> ProjectTemplate:
    return ProjectTemplate(key=key, texts=texts, fields=tuple(fields), settings=settings or {})


TEMPLATES: dict[str, ProjectTemplate] = _read()
