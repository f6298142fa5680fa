"""Multi-label classification: any number of the field's labels.

A field of this type:
    {"name": "topics", "type": "multilabel", "labels": [...], "minimum": 0, "maximum": 3}
Its answer is a list of label ids in schema order: ["card", "fee"]; the empty list says that none fits, where
"minimum" is 0 (as it is by default). Labels may form a tree: see classification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types import labels as label_lists
from annotation.task_types.content import Content
from annotation.task_types.values import Combined, InvalidDefinition, InvalidValue, shown

OPTIONS = frozenset({"labels", "any_node", "minimum", "maximum"})


def validate_field(field: Mapping[str, Any]) -> None:
    label_lists.validate_labels(field, minimum=1)
    low, high = bounds(field)
    if not 0 <= low <= high <= len(field["labels"]):
        raise InvalidDefinition(
            _(
                "field %(field)s asks for %(low)s to %(high)s of %(count)s labels: give 0 <= minimum "
                "<= maximum <= the number of labels"
            ),
            field=shown(field["name"]),
            low=low,
            high=high,
            count=len(field["labels"]),
        )


def bounds(field: Mapping[str, Any]) -> tuple[int, int]:
    """Fewest and most labels of an answer."""
    low, high = field.get("minimum", 0), field.get("maximum", len(field["labels"]))
    for name, bound in (("minimum", low), ("maximum", high)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise InvalidDefinition(
                _("%(name)s of field %(field)s is %(bound)s, expected a number"),
                name=name,
                field=shown(field["name"]),
                bound=shown(bound),
            )
    return low, high


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> list[str]:
    """The labels in schema order, each once; `InvalidValue` for one that may not be answered, too few, too
    many."""
    if not isinstance(answer, Sequence) or isinstance(answer, (str, bytes)):
        raise InvalidValue(
            _("found %(answer)s for %(field)s, expected a list of label ids"),
            answer=shown(answer),
            field=shown(field["name"]),
        )
    given = {label_lists.check_label(field, one) for one in answer}
    low, high = bounds(field)
    if not low <= len(given) <= high:
        few = _("field %(field)s has %(count)s labels, expected %(low)s to %(high)s: choose more")
        many = _("field %(field)s has %(count)s labels, expected %(low)s to %(high)s: take some away")
        raise InvalidValue(
            few if len(given) < low else many,
            field=shown(field["name"]),
            count=len(given),
            low=low,
            high=high,
        )
    return [identity for identity in label_lists.label_ids(field) if identity in given]


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    low, high = bounds(field)
    items = {"type": "string", "enum": label_lists.answers_of(field)}
    return {"type": "array", "items": items, "uniqueItems": True, "minItems": low, "maxItems": high}


def distance(field: Mapping[str, Any], a: Sequence[str], b: Sequence[str]) -> float:
    """MASI distance in [0, 1]: 1 − J·M, J the Jaccard similarity, M 1 for equal sets, 2/3 where one holds the
    other, 1/3 where they overlap, 0 else (Passonneau, 2006). Two empty answers agree.
    """
    one, two = set(a), set(b)
    if one == two:
        return 0.0
    shared = one & two
    monotone = 2 / 3 if one <= two or two <= one else 1 / 3
    return 1.0 - len(shared) / len(one | two) * (monotone if shared else 0.0)


def combine(field: Mapping[str, Any], answers: Sequence[Sequence[str]]) -> Combined:
    """Each label by its own majority; where half the people gave one and half did not, all wait for a person.

    The posterior is the share of people that gave each label: marginals, not a distribution.
    """
    counts = Counter(label for answer in answers for label in answer)
    posterior = {
        label: counts[label] / len(answers) for label in label_lists.label_ids(field) if counts[label]
    }
    if any(2 * count == len(answers) for count in counts.values()):
        return Combined(None, posterior)
    chosen = [label for label in posterior if 2 * counts[label] > len(answers)]
    low, high = bounds(field)
    return Combined(chosen if low <= len(chosen) <= high else None, posterior)


def category(field: Mapping[str, Any], answer: Sequence[str]) -> None:
    """Sets of labels are no categories of their own: see `distance`."""
    return None


def uses(answer: Sequence[str]) -> set[str]:
    return set(answer)


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> list[str] | None:
    if not isinstance(answer, Sequence) or isinstance(answer, str):
        return None
    known = set(label_lists.answers_of(field))
    return [label for label in label_lists.label_ids(field) if label in known and label in set(answer)]


def training_examples(
    field: Mapping[str, Any], content: Content, answer: Sequence[str]
) -> list[dict[str, Any]]:
    """The text and its label ids."""
    return [{"text": content.text, "labels": list(answer)}]


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    return {"text": "text", "labels": "texts"}


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    return {field["name"]: "json", f"{field['name']}_names": "text"}


def export(field: Mapping[str, Any], answer: Sequence[str]) -> dict[str, Any]:
    """`topics`: the ids as a JSON list; `topics_names`: the names, joined by "; "."""
    names = [label_lists.name_of(field, identity) for identity in answer]
    return {field["name"]: list(answer), f"{field['name']}_names": "; ".join(names)}


def describe(
    field: Mapping[str, Any], answer: Sequence[str], named: Callable[[Mapping[str, Any]], str]
) -> str:
    """The labels in words."""
    return ", ".join(label_lists.named_or_id(field["labels"], one, named) for one in answer) or "∅"


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> list[str]:
    return sent(field["name"])
