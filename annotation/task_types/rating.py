"""Ratings: a point on a Likert scale for each of one or more dimensions.

A field of this type:
    {"name": "quality", "type": "rating", "lowest": 1, "points": 5,
     "anchors": ["bad", "", "so-so", "", "excellent"], "anchors_zh": [...],
     "dimensions": [{"id": "helpful", "name": "Helpful", "name_zh": "有用", "anchors": [...]}]}
Its answer maps every dimension to a point: {"helpful": 4}. Anchors are words for points, one each or empty;
a dimension's own replace the field's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median_low
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types import labels as label_lists
from annotation.task_types.content import Content
from annotation.task_types.values import Combined, InvalidDefinition, InvalidValue, shown

OPTIONS = frozenset({"dimensions", "lowest", "points", "anchors", "anchors_zh"})
DIMENSION_KEYS = frozenset(
    {"id", "name", "name_zh", "description", "description_zh", "anchors", "anchors_zh"}
)
MOST_POINTS = 11
MOST_DIMENSIONS = 30


def validate_field(field: Mapping[str, Any]) -> None:
    points, lowest = field.get("points", 5), field.get("lowest", 1)
    if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= MOST_POINTS:
        raise InvalidDefinition(
            _("field %(field)s has a scale of %(points)s points: use 2 to %(most)s"),
            field=shown(field["name"]),
            points=shown(points),
            most=MOST_POINTS,
        )
    if not isinstance(lowest, int) or isinstance(lowest, bool) or not -10 <= lowest <= 10:
        raise InvalidDefinition(
            _("the scale of %(field)s begins at %(lowest)s: use -10 to 10"),
            field=shown(field["name"]),
            lowest=shown(lowest),
        )
    dimensions = field.get("dimensions")
    if not isinstance(dimensions, Sequence) or not 1 <= len(dimensions) <= MOST_DIMENSIONS:
        raise InvalidDefinition(
            _('field %(field)s has no list of 1 to %(most)s dimensions: add "dimensions"'),
            field=shown(field["name"]),
            most=MOST_DIMENSIONS,
        )
    bare = [
        {key: value for key, value in one.items() if key in ("id", "name", "name_zh")}
        if isinstance(one, Mapping)
        else one
        for one in dimensions
    ]
    label_lists.validate_labels({"name": field["name"], "dimensions": bare}, key="dimensions", minimum=1)
    for one in (field, *dimensions):
        if one is not field and (unknown := sorted(set(one) - DIMENSION_KEYS)):
            raise InvalidDefinition(
                _("dimension %(dimension)s has the unknown key %(unknown)s: remove it"),
                dimension=shown(one["id"]),
                unknown=shown(unknown[0]),
            )
        for key in ("anchors", "anchors_zh"):
            _check_anchors(one.get(key), points, one.get("id") or field["name"])


def _check_anchors(anchors: Any, points: int, what: str) -> None:
    if anchors is None:
        return
    if not isinstance(anchors, Sequence) or isinstance(anchors, str) or len(anchors) != points:
        raise InvalidDefinition(
            _("%(what)s needs one anchor for each of its %(points)s points, or none at all"),
            what=shown(what),
            points=points,
        )
    if not all(isinstance(anchor, str) for anchor in anchors):
        raise InvalidDefinition(_("an anchor of %(what)s is not text: write it in quotes"), what=shown(what))


def scale(field: Mapping[str, Any]) -> range:
    """The points of the scale, lowest first."""
    lowest = field.get("lowest", 1)
    return range(lowest, lowest + field.get("points", 5))


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> dict[str, int]:
    """The points in the order of the dimensions; `InvalidValue` where one is missing, extra or off the scale."""
    if not isinstance(answer, Mapping):
        raise InvalidValue(
            _("found %(answer)s for %(field)s, expected a point by dimension"),
            answer=shown(answer),
            field=shown(field["name"]),
        )
    names = [one["id"] for one in field["dimensions"]]
    extra = [name for name in answer if name not in names]
    if extra:
        raise InvalidValue(
            _("dimension %(dimension)s is not in the schema: expected %(known)s"),
            dimension=shown(extra[0]),
            known=", ".join(names),
        )
    points = scale(field)
    for name in names:
        if name not in answer:
            raise InvalidValue(
                _("dimension %(dimension)s has no rating: rate %(known)s"),
                dimension=shown(name),
                known=", ".join(names),
            )
        if isinstance(answer[name], bool) or not isinstance(answer[name], int) or answer[name] not in points:
            raise InvalidValue(
                _("%(dimension)s is rated %(answer)s, the scale goes from %(lowest)s to %(highest)s"),
                dimension=shown(name),
                answer=shown(answer[name]),
                lowest=points[0],
                highest=points[-1],
            )
    return {name: answer[name] for name in names}


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    names, points = [one["id"] for one in field["dimensions"]], scale(field)
    point = {"type": "integer", "minimum": points[0], "maximum": points[-1]}
    return {
        "type": "object",
        "properties": {name: point for name in names},
        "required": names,
        "additionalProperties": False,
    }


def distance(field: Mapping[str, Any], a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Mean over the dimensions of ((a − b) / (points − 1))², in [0, 1]: the interval difference of
    Krippendorff's alpha, scaled (Krippendorff, 2004)."""
    names = [one["id"] for one in field["dimensions"] if one["id"] in a and one["id"] in b]
    if not names:
        return 1.0
    width = field.get("points", 5) - 1
    return sum(((a[name] - b[name]) / width) ** 2 for name in names) / len(names)


def combine(field: Mapping[str, Any], answers: Sequence[Mapping[str, int]]) -> Combined:
    """Dimension by dimension the (lower) median, where people lie at most one point apart or a majority gave
    the same; further apart it waits for a person. Posterior: share by "dimension=point".
    """
    found: dict[str, int] = {}
    posterior: dict[str, float] = {}
    tied = False
    for one in field["dimensions"]:
        given = [answer[one["id"]] for answer in answers if one["id"] in answer]
        if not given:
            tied = True
            continue
        counts = Counter(given)
        posterior |= {f"{one['id']}={point}": count / len(given) for point, count in sorted(counts.items())}
        found[one["id"]] = median_low(given)
        together = max(given) - min(given) <= 1 or 2 * counts.most_common(1)[0][1] > len(given)
        tied = tied or not together
    return Combined(None if tied else found, posterior)


def category(field: Mapping[str, Any], answer: Mapping[str, int]) -> str | None:
    """With one dimension its point is a category; more dimensions have none."""
    return str(next(iter(answer.values()))) if len(field["dimensions"]) == 1 and answer else None


def categories(field: Mapping[str, Any]) -> list[str] | None:
    return [str(point) for point in scale(field)] if len(field["dimensions"]) == 1 else None


def uses(answer: Mapping[str, int]) -> set[str]:
    return set(answer)


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> dict[str, int] | None:
    """The rated dimensions that are still asked for; a part of them is a draft as well."""
    if not isinstance(answer, Mapping):
        return None
    points, names = scale(field), {one["id"] for one in field["dimensions"]}
    return {name: point for name, point in answer.items() if name in names and point in points} or None


def training_examples(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The text (or dialogue) and its points, a key a dimension as in the export."""
    return [{"text": content.text, **export(field, answer)}]


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    return {"text": "text", **columns(field)}


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    return {f"{field['name']}_{one['id']}": "integer" for one in field["dimensions"]}


def export(field: Mapping[str, Any], answer: Mapping[str, int]) -> dict[str, Any]:
    """A column a dimension: `quality_helpful`."""
    return {f"{field['name']}_{name}": point for name, point in answer.items()}


def describe(
    field: Mapping[str, Any], answer: Mapping[str, int], named: Callable[[Mapping[str, Any]], str]
) -> str:
    """ "Helpful 4, Safe 5"."""
    return ", ".join(
        f"{label_lists.named_or_id(field['dimensions'], key, named)} {point}" for key, point in answer.items()
    )


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> dict[str, Any]:
    """Radio buttons named field.dimension."""
    found: dict[str, Any] = {}
    for one in field["dimensions"]:
        given = next(iter(sent(f"{field['name']}.{one['id']}")), "")
        if given:
            found[one["id"]] = int(given) if given.lstrip("-").isdecimal() and len(given) < 5 else given
    return found
