"""What models learn from, row by row, as training libraries read it: one field of the final answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from annotation.models import Item, Project, Resolution
from annotation.selectors import exports, schemas
from annotation.selectors.table_formats import Columns, Rows
from annotation.task_types import registry
from annotation.task_types.content import Content, content_of

_FIELDS = ("value", "item__row", "item__external_id", "item__split", "item__text", "item__data", "item__meta")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which rows. `field`: a name, "" the first one; `split`: "" all of them; `dialogue`: texts are written as
    dialogues of one turn, as they are wherever one item of the project is a dialogue.
    """

    field: str = ""
    split: str = ""
    dialogue: bool = False


def training(project: Project, choice: Choice) -> tuple[Columns, Iterator[Rows]]:
    """The task type's training examples, with row, id and split. As in frozen datasets, duplicates and items
    that are held back are left out, and so are answers that the schema no longer takes.

    Raises:
        InvalidDefinition: there is no such field.
        SchemaMissing: the project has no labels.
    """
    field = registry.field_of(schemas.require(project).definition, choice.field or None)
    choice = replace(choice, dialogue=choice.dialogue or _has_dialogues(project))
    columns = registry.task_type(field).example_columns(field, dialogue=choice.dialogue)
    return (
        {**columns, "row": "integer", "external_id": "text", "split": "text"},
        _blocks(project, field, choice, tuple(columns)),
    )


def examples_of(
    field: Mapping[str, Any], content: Content, value: Mapping[str, Any]
) -> tuple[Any, list[dict[str, Any]]] | None:
    """(the answer, its training examples); None where the field was not answered or no longer takes it."""
    kind = registry.task_type(field)
    if field["name"] not in value:
        return None
    try:
        answer = kind.validate_answer(field, value[field["name"]], content)
    except registry.InvalidValue:
        return None
    return answer, kind.training_examples(field, content, answer)


def _has_dialogues(project: Project) -> bool:
    """One kind of prompt in the whole file, or no library reads it. Dialogues have a prompt of their own."""
    return Item.objects.filter(project=project, prompt__gt="", data__has_key="messages").exists()


def _blocks(
    project: Project, field: Mapping[str, Any], choice: Choice, names: tuple[str, ...]
) -> Iterator[Rows]:
    current = Resolution.objects.filter(
        project=project, is_current=True, item__duplicate_of=None, item__held_back=""
    )
    if choice.split:
        current = current.filter(item__split=choice.split)
    for block in exports.blocks(current, "pk", _FIELDS):
        rows: Rows = []
        for _pk, value, row, external_id, split, text, data, meta in block:
            content = content_of(text, data, meta)
            if choice.dialogue and not content.messages:
                content = replace(content, messages=({"role": "user", "content": text},))
            found = examples_of(field, content, value)
            for example in found[1] if found else ():
                rows.append((*(example.get(name) for name in names), row, external_id, split))
        if rows:
            yield rows
