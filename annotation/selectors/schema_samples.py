"""What the editor of a schema shows beside it: a real item of the project, and the columns that items carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from annotation.models import Item, Project, SchemaVersion
from annotation.selectors import field_blocks
from annotation.selectors.queue import shown_content, shown_meta
from annotation.task_types import registry
from annotation.task_types.content import content_of

LOOKED_AT = 50  # items that are asked for their columns and for content that the schema needs


def meta_columns(project: Project) -> list[str]:
    """Names of metadata columns, of the first and of the newest items, in the order they were met."""
    items = Item.objects.filter(project=project).order_by("row").values_list("meta", flat=True)
    found = [*items[:LOOKED_AT], *items.reverse()[:LOOKED_AT]]
    return list(dict.fromkeys(column for meta in found for column in meta))


def is_answered(schema: SchemaVersion | None, field_name: str) -> bool:
    """Whether anybody has answered a field of this name. Looks through the answers until one is found."""
    if schema is None or all(one["name"] != field_name for one in schema.definition["fields"]):
        return False
    answers = schema.project.annotations.filter(is_retraction=False)
    return bool(answers.filter(value__has_key=field_name).exists())


def preview(project: Project, definition: Mapping[str, Any], sound: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs to draw `sound`, the part of a definition that can be drawn, around an item."""
    item = _item(project, definition)
    page = around(sound, item["text"], item["data"], item["meta"])
    return {**page, "is_real": item["is_real"]}


def around(
    definition: Mapping[str, Any],
    text: str,
    data: Mapping[str, Any],
    meta: Mapping[str, Any],
    value: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a page needs to draw a schema around an item, with an answer in it where there is one."""
    drafts = value or registry.drafts(definition, None, content_of(text, data))
    blocks = field_blocks.blocks(definition, drafts)
    slot = {
        "text": text,
        "content": shown_content(data, "preview"),
        "meta": shown_meta(definition, meta),
        "drafts": drafts,
    }
    return {
        **field_blocks.page(blocks),
        "item": slot,
        "data": {
            "fields": [block.to_json() for block in blocks],
            "instant": field_blocks.is_instant(blocks),
            "slot": slot,
            "texts": {"missing": _("Answer this first.")},
        },
    }


def _item(project: Project, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The first item that holds what the schema needs; a made-up one where there is none."""
    wanted = registry.needs(
        {"fields": [one for one in definition["fields"] if one.get("type") in registry.TASK_TYPES]}
    )
    items = Item.objects.filter(project=project, held_back="").order_by("row").only("text", "data", "meta")
    for item in items[:LOOKED_AT]:
        if wanted <= item.data.keys():
            return {"text": item.text, "data": item.data, "meta": item.meta, "is_real": True}
    data: dict[str, Any] = {}
    if "responses" in wanted:
        texts = (_("The first response stands here."), _("The second response stands here."))
        data["responses"] = [{"id": f"r{n}", "text": text} for n, text in enumerate(texts, 1)]
    return {"text": _("The text of an item stands here."), "data": data, "meta": {}, "is_real": False}
