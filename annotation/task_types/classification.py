"""Single-label classification: one of the field's labels, flat or the leaf of a tree.

A field of this type:
    {"name": "label", "type": "classification",
     "labels": [{"id": "refund", "name": "Refund request", "name_zh": "退款", "colour": "blue"}]}
Its answer is a label id: "refund". In a tree ("parent" in the labels) people choose level by level, and the
answer is the leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annotation.quality.consensus import majority_vote
from annotation.task_types import labels as label_lists
from annotation.task_types.content import Content
from annotation.task_types.values import Combined

OPTIONS = frozenset({"labels", "any_node"})


def validate_field(field: Mapping[str, Any]) -> None:
    label_lists.validate_labels(field)


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> str:
    """The answer itself, or `InvalidValue` when it is not the id of a label that may be answered."""
    return label_lists.check_label(field, answer)


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "string", "enum": label_lists.answers_of(field)}


def distance(field: Mapping[str, Any], a: str, b: str) -> float:
    """How far two answers are apart, in [0, 1]; 0 when equal.

    Flat lists: nominal, 1 when different (a metric). Trees: 1 − 2·d(lca) / (d(a) + d(b)), with d the depth
    below an unseen common root that counts 0 (Wu & Palmer, 1994): siblings deep in the tree differ less than
    strangers.
    """
    if a == b:
        return 0.0
    if not label_lists.parents_of(field["labels"]):
        return 1.0
    above, other = label_lists.path(field["labels"], a), label_lists.path(field["labels"], b)
    shared = sum(1 for one, two in zip(above, other, strict=False) if one == two)
    return 1.0 - 2.0 * shared / (len(above) + len(other))


def combine(field: Mapping[str, Any], answers: Sequence[str]) -> Combined:
    """The majority's label; a tie between leaders is nobody's word."""
    vote = majority_vote(answers)
    return Combined(vote.label, {label: count / len(answers) for label, count in vote.counts.items()})


def category(field: Mapping[str, Any], answer: str) -> str:
    return answer


def categories(field: Mapping[str, Any]) -> list[str]:
    return label_lists.answers_of(field)


def uses(answer: str) -> set[str]:
    """The label ids that an answer names: they may not leave the schema."""
    return {answer}


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> str | None:
    """A pre-label as a draft: itself, while the schema still has it."""
    return answer if isinstance(answer, str) and answer in label_lists.answers_of(field) else None


def training_examples(field: Mapping[str, Any], content: Content, answer: str) -> list[dict[str, Any]]:
    """What the classification objective learns from: the text and its label id."""
    return [{"text": content.text, "label": answer}]


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    return {"text": "text", "label": "text"}


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    return {field["name"]: "text", f"{field['name']}_name": "text"}


def export(field: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """Flat columns: `label` and `label_name` for a field called "label".

    An id that the field no longer has (an older schema version had it) is its own name, so that nothing is
    lost.
    """
    return {field["name"]: answer, f"{field['name']}_name": label_lists.name_of(field, answer)}


def describe(field: Mapping[str, Any], answer: str, named: Callable[[Mapping[str, Any]], str]) -> str:
    """The label in words; `named` gives a label or option its name in the reader's language."""
    return label_lists.named_or_id(field["labels"], answer, named)


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> str:
    """The answer of a plain form: `sent(name)` gives the values sent under a name."""
    return next(iter(sent(field["name"])), "")
