"""The fields of a schema as pages draw them: title, help, choices with keys, and the answer to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from annotation.selectors.choices import Choice, choices, in_language
from annotation.selectors.key_maps import Keys
from annotation.task_types import rating
from annotation.task_types.registry import task_type

MANY = 12  # so many labels get a search field
TOOLS: dict[str, dict[str, str]] = {  # buttons of a type beside its answers, with their keys
    "preference": {"differences": "d", "raw": "m"},
    "spans": {"relate": "r"},
    "response": {"write": "e", "preview": "p", "changes": "d", "restore": "r"},
}
# The list of keys in label/keys/ that a type shares; else it has one of its own name.
KEY_LISTS = {"classification": "labels", "multilabel": "labels"}
CROWDED_LABELS = 24  # so many labels stand close
WIDE = ("preference", "response")  # types that read and write side by side
CROWDED = 7  # a scale of more points has narrow cells
LISTS = ("labels", "relations", "strengths", "reasons")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a scale with its key (empty for none) and its anchor in words, or ""."""

    value: int
    key: str
    anchor: str
    is_chosen: bool

    @property
    def shows_key(self) -> bool:
        """Whether the key has to be told, being another than the point itself."""
        return bool(self.key) and self.key != str(self.value)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One dimension of a rating."""

    id: str
    name: str
    description: str
    points: list[Point]

    @property
    def is_crowded(self) -> bool:
        """Whether words do not fit into the cells of a wide page either."""
        return len(self.points) > CROWDED

    @property
    def has_anchors(self) -> bool:
        return any(point.anchor for point in self.points)


@dataclass(frozen=True, kw_only=True)
class FieldBlock:
    """One field. `answer` is what is shown as given (a draft, or what was taken back), `chosen` its ids.

    `choices` are its labels; `lists` every list of options by name, labels among them; `tools` the keys of its
    other buttons, but for those that the reader uses otherwise; `template` draws it.
    """

    name: str
    type: str
    title: str
    help: str
    template: str
    required: bool
    when: Mapping[str, Any] | None
    options: Mapping[str, Any]
    lists: Mapping[str, list[Choice]]
    scales: list[Scale]
    tools: Mapping[str, str]
    is_instant: bool
    answer: Any = None
    chosen: frozenset[str] = field(default_factory=frozenset)

    @property
    def choices(self) -> list[Choice]:
        return self.lists.get("labels", [])

    @property
    def has_preview(self) -> bool:
        return bool(self.options.get("markdown", True))

    @property
    def is_tree(self) -> bool:
        return any(choice.is_group for choice in self.choices)

    @property
    def has_search(self) -> bool:
        """Long lists are searched; trees too, whose leaves one need not walk to."""
        return len(self.choices) > MANY or self.is_tree

    def to_json(self) -> dict[str, Any]:
        """What the page's scripts need of it. Names by id for every list."""
        return {
            "name": self.name,
            "type": self.type,
            "title": self.title,
            "required": self.required,
            "when": self.when,
            "instant": self.is_instant,
            "names": {key: {one.id: one.name for one in found} for key, found in self.lists.items()},
            "colours": {one.id: one.colour for found in self.lists.values() for one in found},
            "options": {
                key: value for key, value in self.options.items() if isinstance(value, (bool, int, str))
            },
        }


def blocks(
    definition: Mapping[str, Any],
    value: Mapping[str, Any] | None = None,
    *,
    keys: Keys | None = None,
) -> list[FieldBlock]:
    """All fields in schema order. `value`: what they show as answered; `keys`: those of the reader."""
    fields, chosen = definition["fields"], keys or Keys()
    found = []
    for one in fields:
        kind = task_type(one)
        answer = (value or {}).get(one["name"])
        own = chosen.labels.get(one["name"])
        tools = _tools(one, chosen.reserved)
        reserved = chosen.reserved | set(tools.values())
        found.append(
            FieldBlock(
                name=one["name"],
                type=one["type"],
                title=in_language(one, "title") or one["name"].replace("_", " ").capitalize(),
                help=in_language(one, "help"),
                template=f"annotation/label/fields/{one['type']}.html",
                required=one.get("required", True),
                when=one.get("when"),
                options={key: one[key] for key in kind.options if key in one},
                lists={
                    key: choices(one, key=key, own_keys=own, reserved=reserved)
                    for key in LISTS
                    if one.get(key)
                },
                scales=_scales(one, _chosen(answer)) if one["type"] == "rating" else [],
                tools=tools,
                is_instant=kind.is_instant and len(fields) == 1 and one.get("required", True),
                answer=answer,
                chosen=_chosen(answer),
            )
        )
    return found


def _tools(one: Mapping[str, Any], reserved: Set[str]) -> dict[str, str]:
    """The type's own buttons with their keys, less keys that a person gave to something else."""
    if one["type"] == "spans" and not one.get("relations"):
        return {}  # nothing to relate: R may be a label's
    return {name: key for name, key in TOOLS.get(one["type"], {}).items() if key not in reserved}


def page(found: list[FieldBlock]) -> dict[str, Any]:
    """What a page that draws these fields has to know of them all, for its template."""
    instant = is_instant(found)
    return {
        "blocks": found,
        "instant": instant,
        "types": list(dict.fromkeys(block.type for block in found)),
        "key_lists": list(dict.fromkeys(KEY_LISTS.get(block.type, block.type) for block in found)),
        "has_tree": any(block.is_tree for block in found),
        "has_search": any(block.has_search for block in found),
        "is_many": instant and len(found[0].choices) > CROWDED_LABELS,
        "is_wide": any(block.type in WIDE for block in found),
    }


def is_instant(found: list[FieldBlock]) -> bool:
    """Whether one key press answers the whole item."""
    return len(found) == 1 and found[0].is_instant


def _chosen(answer: Any) -> frozenset[str]:
    """Ids to mark: the label, the labels, or "dimension=point" of ratings."""
    if isinstance(answer, str):
        return frozenset([answer])
    if isinstance(answer, list):
        return frozenset(answer)
    if isinstance(answer, Mapping):
        return frozenset(f"{key}={value}" for key, value in answer.items() if isinstance(value, (int, str)))
    return frozenset()


def correct_key(found: Sequence[FieldBlock], keys: Keys) -> str:
    """The key that saves an answer as corrected: C; + where a label or a button has C, being no label's ever."""
    labels = {choice.key for block in found for choices in block.lists.values() for choice in choices}
    tools = {key for block in found for key in block.tools.values()}
    return "+" if "c" in labels | tools | keys.reserved else "c"


def _scales(one: Mapping[str, Any], chosen: frozenset[str]) -> list[Scale]:
    values = rating.scale(one)
    keys = point_keys(values)
    found = []
    for dimension in one["dimensions"]:
        anchors = in_language(dimension, "anchors") or in_language(one, "anchors") or [""] * len(values)
        points = [
            Point(value=value, key=key, anchor=anchor, is_chosen=f"{dimension['id']}={value}" in chosen)
            for value, key, anchor in zip(values, keys, anchors, strict=True)
        ]
        name, description = in_language(dimension, "name"), in_language(dimension, "description")
        found.append(Scale(id=dimension["id"], name=name, description=description, points=points))
    return found


def point_keys(values: Sequence[int]) -> list[str]:
    """A key for each point: its own digit, and after that 0 or X for ten. A scale with negative points counts
    from 1 for the lowest.

    >>> point_keys(range(1, 4)), point_keys(range(-1, 2)), point_keys(range(1, 11))[-1]
    (['1', '2', '3'], ['1', '2', '3'], '0')
    >>> point_keys(range(11))[:2], point_keys(range(11))[-1]
    (['0', '1'], 'x')
    """
    if min(values) < 0 or max(values) > 10:
        return ["1234567890"[at : at + 1] for at in range(len(values))]
    ten = "x" if 0 in values else "0"
    return [ten if value == 10 else str(value) for value in values]
