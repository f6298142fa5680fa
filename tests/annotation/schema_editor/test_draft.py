from __future__ import annotations

from typing import Any

import pytest

from annotation.schema_editor import edits
from annotation.schema_editor.draft import Draft, can_be_drafted, definition_of, draft_of
from annotation.schema_editor.reading import read_draft
from annotation.task_types import registry
from tests import typed

EVERYTHING = {
    "fields": [
        {
            "name": "label",
            "type": "classification",
            "title": "Which?",
            "title_zh": "哪个？",
            "help": "One.",
            "help_zh": "一个。",
            "any_node": True,
            "labels": [
                {
                    "id": "money",
                    "name": "Money",
                    "name_zh": "钱",
                    "description": "d",
                    "description_zh": "说明",
                },
                {
                    "id": "fee",
                    "name": "Fee",
                    "parent": "money",
                    "colour": "red",
                    "shortcut": "k",
                    "mode": "manual",
                },
            ],
        },
        {
            "name": "quality",
            "type": "rating",
            "required": False,
            "points": 3,
            "lowest": -1,
            "anchors": ["bad", "", "good"],
            "anchors_zh": ["差", "", "好"],
            "dimensions": [
                {"id": "a", "name": "A", "anchors": ["low", "mid", "high"], "anchors_zh": ["低", "中", "高"]},
                {"id": "b", "name": "B", "description": "d"},
            ],
            "when": {"field": "label", "in": ["fee"]},
        },
        {"name": "topics", "type": "multilabel", "labels": typed.LABELS, "minimum": 1, "maximum": 2},
        {
            "name": "marks",
            "type": "spans",
            "labels": typed.LABELS,
            "nested": True,
            "overlapping": True,
            "relations": [{"id": "r", "name": "R"}],
        },
        {
            "name": "preferred",
            "type": "preference",
            "ties": False,
            "strengths": [{"id": "s", "name": "S"}],
            "reasons": [{"id": "t", "name": "T"}],
        },
        {"name": "reply", "type": "response", "minimum": 5, "maximum": 50, "markdown": False},
    ],
    "show": {"meta": ["channel", "date"]},
}


def sent_by(draft: Draft) -> dict[str, list[str]]:
    """What a browser sends of the editor's form for this draft."""
    found: dict[str, list[str]] = {"field": [str(at) for at in range(len(draft.fields))], "meta": draft.meta}
    for at, one in enumerate(draft.fields):
        found[f"{at}.type"] = [one.type]
        found |= {f"{at}.{name}": [text] for name, text in one.texts.items()}
        found |= {f"{at}.{flag}": ["on"] for flag, value in one.flags.items() if value}
        found |= {f"{at}.{name}": words for name, words in one.anchors.items()}
        found |= {f"{at}.when_field": [one.when_field], f"{at}.when_in": one.when_in}
        for key, rows in one.lists.items():
            for name in rows[0] if rows else ():
                found[f"{at}.{key}.{name}"] = [row[name] for row in rows]
    return found


@pytest.mark.parametrize("definition", [EVERYTHING, *({"fields": one} for one in typed.FIELDS.values())])
def test_it_loses_nothing_from_definition_to_form_and_back(definition: dict[str, Any]) -> None:
    registry.validate_definition(definition)
    assert can_be_drafted(definition)
    draft = draft_of(definition)
    assert definition_of(draft) == definition
    sent = sent_by(draft)
    assert definition_of(read_draft(lambda name: sent.get(name, []))) == definition


def test_it_makes_ids_of_new_names_and_finds_parents_by_name() -> None:
    draft = edits.starting_draft()
    rows = draft.fields[0].lists["labels"]
    rows[0] |= {"name": "Refund  request"}
    rows[1] |= {"name": "退款", "parent": "refund request"}
    rows.append(dict.fromkeys(rows[0], ""))
    labels = definition_of(draft)["fields"][0]["labels"]
    assert labels == [
        {"id": "refund-request", "name": "Refund request", "colour": "blue"},
        {"id": labels[1]["id"], "name": "退款", "parent": "refund-request", "colour": "green"},
    ]
    assert labels[1]["id"].startswith("l-")


def test_it_names_a_field_by_its_question_where_it_has_no_name() -> None:
    draft = edits.starting_draft()
    draft.fields[0].texts |= {"name": "", "title": "How urgent is it?"}
    assert definition_of(draft)["fields"][0]["name"] == "how_urgent_is_it"
    draft.fields[0].texts["title"] = "3 stars?"
    assert definition_of(draft)["fields"][0]["name"] == "field_3_stars"


def test_it_keeps_what_is_no_number_for_the_registry_to_complain_about() -> None:
    draft = Draft()
    edits.add_field(draft, "rating")
    draft.fields[0].lists["dimensions"][0]["name"] = "Helpful"
    draft.fields[0].texts["points"] = "many"
    assert [found.sentence for found in registry.complaints(definition_of(draft))] == [
        "field 'quality' has a scale of 'many' points: use 2 to 11"
    ]


def test_it_puts_each_complaint_to_its_field() -> None:
    draft = draft_of(EVERYTHING)
    draft.fields[2].texts["minimum"] = "9"
    draft.fields[0].lists["labels"][1]["name"] = "Money"
    draft.complain(registry.complaints(definition_of(draft)))
    assert draft.fields[0].complaints == ["'money' stands for two labels: give each label a name of its own"]
    assert "asks for 9 to 2 of 3 labels" in draft.fields[2].complaints[0]
    assert not draft.fields[1].complaints  # it waits for a field that is broken: that one has the complaint
    assert not draft.complaints


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"fields": {}},
        {"fields": [1]},
        {"fields": [{"type": "vibes"}]},
        {"fields": [{"type": ["x"]}]},
        {"fields": [{"type": "classification", "labels": "abc"}]},
        {"fields": [{"type": "classification", "labels": ["a"]}]},
        {"fields": [], "show": ["x"]},
    ],
)
def test_it_knows_what_no_form_can_show(odd: Any) -> None:
    assert not can_be_drafted(odd)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "classification", "when": 3},
        {"type": "classification", "when": {"field": ["x"], "in": 5}},
        {"type": "rating", "anchors": 5, "dimensions": [{"anchors": 3}], "points": {}},
        {"type": "response", "minimum": None},
    ],
)
def test_it_shows_odd_values_as_text(odd: dict[str, Any]) -> None:
    definition = {"fields": [odd], "show": {"meta": 3}}
    assert can_be_drafted(definition)
    assert registry.complaints(definition)
    assert registry.complaints(definition_of(draft_of(definition)))
