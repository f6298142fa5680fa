"""What the editor's templates draw: fields with their words, lists and choices; the preview; JSON as typed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from annotation.models import Project
from annotation.schema_editor import shapes
from annotation.schema_editor.draft import Draft, FieldDraft, Row
from annotation.selectors import field_blocks, schema_samples
from annotation.selectors.choices import COLOURS
from annotation.task_types import registry
from annotation.task_types.labels import MODES, folded

LONGEST_JSON = 2_000_000
MANY_ROWS = 30  # so many rows of a list are folded away until they are wanted


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """One list of options of a field. `prefix` begins the names of its inputs, `id` their ids, `where` says to
    buttons which list it is.
    """

    key: str
    prefix: str
    id: str
    where: str
    title: Any
    rows: list[Row]
    has_colours: bool
    has_keys: bool
    has_tree: bool
    has_anchors: bool

    @property
    def is_long(self) -> bool:
        return len(self.rows) > MANY_ROWS


@dataclass(frozen=True, kw_only=True)
class FieldPage:
    """One field. `numbers`: (name, words, text, what holds without one); `flags`: (name, words, value);
    `labels_before`: the labels of the field that it waits for, (value, name, chosen).
    """

    draft: FieldDraft
    type_name: Any
    type_words: Any
    numbers: list[tuple[str, Any, str, str]]
    flags: list[tuple[str, Any, bool]]
    lists: list[ListPage]
    anchors: list[tuple[int, str, str]]
    fields_before: list[tuple[str, str]]
    labels_before: list[tuple[str, str, bool]]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One published field in few words. `options`: its labels, or what is rated."""

    title: str
    type_name: Any
    options: list[Any]


def summaries(definition: Mapping[str, Any]) -> list[Summary]:
    return [
        Summary(title=one.title, type_name=shapes.TYPE_NAMES[one.type], options=[*one.choices, *one.scales])
        for one in field_blocks.blocks(definition)
    ]


def form(project: Project, draft: Draft) -> dict[str, Any]:
    """The context of the form."""
    columns = schema_samples.meta_columns(project)
    return {
        "fields": [_page(at, one, draft.fields[:at]) for at, one in enumerate(draft.fields)],
        "types": [(kind, shapes.TYPE_NAMES[kind], shapes.TYPE_WORDS[kind]) for kind in registry.TASK_TYPES],
        "colour_options": _options_html(
            [(colour, colour_name(colour)) for colour in sorted(COLOURS)], draft, "colour"
        ),
        "mode_options": _options_html([(mode, mode_name(mode)) for mode in MODES], draft, "mode"),
        "mode_names": {mode: mode_name(mode) for mode in MODES},
        "meta": [(column, column in draft.meta) for column in dict.fromkeys((*columns, *draft.meta))],
        "can_add": len(draft.fields) < registry.MAXIMUM_FIELDS,
    }


def _options_html(choices: list[tuple[str, str]], draft: Draft, key: str) -> dict[str, str]:
    """The <option>s of a select, by the chosen value: made once, however many rows there are."""
    rows = (row for one in draft.fields for rows in one.lists.values() for row in rows)
    found = {}
    for chosen in {"", *(row.get(key, "") for row in rows)}:
        known = [("", "–"), *choices]
        if chosen not in dict(known):
            known.append((chosen, chosen))
        found[chosen] = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((value, mark_safe(" selected") if value == chosen else "", name) for value, name in known),
        )
    return found


def colour_name(colour: str) -> str:
    return {
        "blue": _("blue"),
        "teal": _("teal"),
        "green": _("green"),
        "olive": _("olive"),
        "amber": _("amber"),
        "orange": _("orange"),
        "red": _("red"),
        "pink": _("pink"),
        "purple": _("purple"),
        "indigo": _("indigo"),
        "brown": _("brown"),
        "grey": _("grey"),
    }[colour]


def mode_name(mode: str) -> str:
    return {
        "manual": _("by hand, never suggested"),
        "assisted": _("suggested"),
        "hybrid": _("suggested, and sure ones accepted together"),
    }[mode]


def _page(at: int, one: FieldDraft, before: list[FieldDraft]) -> FieldPage:
    kind = one.type
    with_labels = [(_name(field), _title(field)) for field in before if field.type in shapes.WITH_LABELS]
    return FieldPage(
        draft=one,
        type_name=shapes.TYPE_NAMES[kind],
        type_words=shapes.TYPE_WORDS[kind],
        numbers=[
            (
                name,
                shapes.NUMBER_WORDS[kind, name],
                one.texts[name],
                shapes.NUMBER_DEFAULTS.get((kind, name), ""),
            )
            for name in shapes.NUMBERS.get(kind, ())
        ],
        flags=[(flag, shapes.FLAG_WORDS[flag], one.flags[flag]) for flag in shapes.FLAGS[kind]],
        lists=[_list(at, key, rows) for key, rows in one.lists.items()],
        anchors=_anchors(one),
        fields_before=with_labels,
        labels_before=_labels_before(one, before),
    )


def _list(at: int, key: str, rows: list[Row]) -> ListPage:
    return ListPage(
        key=key,
        prefix=f"{at}.{key}",
        id=f"f{at}-{key}",
        where=f"{at}:{key}",
        title=shapes.LIST_NAMES[key],
        rows=rows,
        has_colours=key in shapes.COLOURED,
        has_keys="shortcut" in shapes.OPTION_TEXTS[key],
        has_tree="parent" in shapes.OPTION_TEXTS[key],
        has_anchors="anchors" in shapes.OPTION_TEXTS[key],
    )


def _anchors(one: FieldDraft) -> list[tuple[int, str, str]]:
    """(point, its words, its Chinese words)."""
    if one.type != "rating":
        return []
    given = one.texts["lowest"].strip() or "1"
    lowest = int(given) if given.lstrip("-").isdecimal() and len(given) < 4 else 1
    words, chinese = (one.anchors.get(key, []) + [""] * one.points for key in shapes.ANCHORS)
    return [(lowest + at, words[at], chinese[at]) for at in range(one.points)]


def _labels_before(one: FieldDraft, before: Iterable[FieldDraft]) -> list[tuple[str, str, bool]]:
    """A label that is not published yet has no id: it is known by its name."""
    rows = next((field.lists["labels"] for field in before if _name(field) == one.when_field), [])
    chosen = {folded(given) for given in one.when_in}
    return [
        (row["id"] or row["name"], row["name"], bool({folded(row["id"]), folded(row["name"])} & chosen))
        for row in rows
        if row["name"].strip()
    ]


def _name(field: FieldDraft) -> str:
    return field.texts["name"].strip()


def _title(field: FieldDraft) -> str:
    return field.texts["title"].strip() or _name(field)


def preview(project: Project, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The context of the preview: the fields that can be drawn, and what is wrong with the others."""
    complaints = registry.complaints(definition)
    broken = {found.field for found in complaints}
    fields = definition["fields"][: registry.MAXIMUM_FIELDS]
    sound = {
        "fields": [one for at, one in enumerate(fields) if at not in broken],
        "show": definition.get("show"),
    }
    if any(found.field is None for found in complaints):
        sound["show"] = None
    return {
        **schema_samples.preview(project, definition, sound),
        "complaints": [found.sentence for found in complaints],
    }


def read_json(text: str) -> tuple[Any, list[str]]:
    """What a definition's text says, and what is wrong with it as JSON."""
    if len(text) > LONGEST_JSON:
        return None, [
            _("The text has %(count)s characters, the limit is %(most)s: shorten it.")
            % {"count": len(text), "most": LONGEST_JSON}
        ]
    try:
        return json.loads(text), []
    except (ValueError, RecursionError) as error:
        where = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "1:1"
        return None, [
            _("This is no JSON: at %(where)s (line and character) %(reason)s. Mend it there.")
            % {"where": where, "reason": error.msg if isinstance(error, json.JSONDecodeError) else str(error)}
        ]
