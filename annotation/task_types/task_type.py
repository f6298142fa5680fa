"""What a task type is: the functions that each module of this package gives, as one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from annotation.task_types.content import Content
from annotation.task_types.values import Combined

Field = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """One kind of field. An *answer* is what a person gives for one field of this type.

    Attributes:
        options: keys that a field of this type may have besides the common ones.
        needs: what an item must hold for it to be asked (keys of `Content`).
        is_instant: one key press answers, so that a schema of one such field needs no "submit".
        validate_field: (field); raises InvalidDefinition.
        validate_answer: (field, answer, content) -> the answer as it is stored; raises InvalidValue.
        json_schema: (field) -> JSON Schema of its answers.
        distance: (field, a, b) -> how far two answers are apart, in [0, 1], for agreement.
        combine: (field, answers, at least one) -> what they come to together.
        category: (field, answer) -> a name for the answer where the type is categorical, else None.
        categories: (field) -> all such names that are known beforehand; None where the type is not categorical.
        uses: (answer) -> ids of labels and options that it names.
        draft: (field, answer of a pre-label or None, content) -> what people begin from, or None.
        training_examples: (field, content, answer) -> rows that an objective learns from.
        example_columns: (field, dialogue) -> kinds of the keys of these rows; `dialogue` says that every item
            is taken as one.
        columns, export: (field) -> kinds of the flat columns; (field, answer) -> their cells.
        from_form: (field, sent) -> the answer of a form sent without scripts.
        describe: (field, answer, name of an option) -> the answer in words.
        trace: (field, content, answer, the draft begun from or None, seed of the person and item) -> what is
            worth keeping of how the answer came about.
    """

    name: str
    label: str
    options: frozenset[str]
    needs: frozenset[str]
    is_instant: bool
    validate_field: Callable[[Field], None]
    validate_answer: Callable[[Field, Any, Content | None], Any]
    json_schema: Callable[[Field], dict[str, Any]]
    distance: Callable[[Field, Any, Any], float]
    combine: Callable[[Field, Sequence[Any]], Combined]
    category: Callable[[Field, Any], str | None]
    categories: Callable[[Field], list[str] | None]
    uses: Callable[[Any], set[str]]
    draft: Callable[[Field, Any, Content], Any]
    training_examples: Callable[[Field, Content, Any], list[dict[str, Any]]]
    example_columns: Callable[..., dict[str, str]]
    columns: Callable[[Field], dict[str, str]]
    export: Callable[[Field, Any], dict[str, Any]]
    from_form: Callable[[Field, Callable[[str], list[str]]], Any]
    describe: Callable[[Field, Any, Callable[[Mapping[str, Any]], str]], str]
    trace: Callable[[Field, Content, Any, Any, str], dict[str, Any]]


def _no_trace(field: Field, content: Content, answer: Any, begun_from: Any, seed: str) -> dict[str, Any]:
    return {}


def _no_categories(field: Field) -> list[str] | None:
    return None


def of_module(
    name: str, label: str, module: ModuleType, *, needs: Sequence[str] = (), is_instant: bool = False
) -> TaskType:
    """A task type of the functions that its module has under the names of `TaskType`."""
    return TaskType(
        name=name,
        label=label,
        options=module.OPTIONS,
        needs=frozenset(needs),
        is_instant=is_instant,
        validate_field=module.validate_field,
        validate_answer=module.validate_answer,
        json_schema=module.json_schema,
        distance=module.distance,
        combine=module.combine,
        category=module.category,
        categories=getattr(module, "categories", _no_categories),
        uses=module.uses,
        draft=module.draft,
        training_examples=module.training_examples,
        example_columns=module.example_columns,
        columns=module.columns,
        export=module.export,
        from_form=module.from_form,
        describe=module.describe,
        trace=getattr(module, "trace", _no_trace),
    )
