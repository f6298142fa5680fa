from __future__ import annotations

import pytest

from annotation.schema_editor import edits
from annotation.schema_editor.draft import Draft, definition_of, draft_of
from annotation.task_types import registry
from tests import typed


def names(draft: Draft, at: int = 0, key: str = "labels") -> list[str]:
    return [row["name"] for row in draft.fields[at].lists[key]]


@pytest.fixture
def draft() -> Draft:
    return draft_of(typed.definition("combined"))


@pytest.mark.parametrize("kind", registry.TASK_TYPES)
def test_it_adds_a_field_of_each_type_that_only_lacks_its_names(kind: str) -> None:
    draft = Draft()
    edits.edit(draft, "add-field", new_type=kind)
    edits.edit(draft, "add-field", new_type=kind)
    assert [one.type for one in draft.fields] == [kind, kind]
    assert draft.focus == "f1-title"
    for one in draft.fields:
        for key in ("labels", "dimensions"):
            for number, row in enumerate(one.lists.get(key, ())):
                row["name"] = f"Name {number}"
    made = definition_of(draft)
    registry.validate_definition(made)
    assert made["fields"][1]["name"] == f"{made['fields'][0]['name']}_2"


def test_it_moves_and_removes_fields(draft: Draft) -> None:
    edits.edit(draft, "down-field:0")
    assert [one.texts["name"] for one in draft.fields] == ["urgency", "intent", "topics"]
    edits.edit(draft, "up-field:2")
    edits.edit(draft, "remove-field:0")
    assert [one.texts["name"] for one in draft.fields] == ["topics", "intent"]


def test_it_adds_moves_and_removes_options(draft: Draft) -> None:
    edits.edit(draft, "add-option:0:labels")
    assert (names(draft), draft.focus) == (["Refund", "Card lost", "Fee", ""], "f0-labels-3-name")
    edits.edit(draft, "up-option:0:labels:2")
    edits.edit(draft, "remove-option:0:labels:0")
    assert names(draft) == ["Fee", "Card lost", ""]
    edits.edit(draft, "down-option:0:labels:0")
    assert (names(draft), draft.focus) == (["Card lost", "Fee", ""], "f0-labels-1-down")


@pytest.mark.parametrize(
    "action",
    [
        *("", "explode:0", "add-field", "up-field:9", "up-field:-1", "remove-field:x", "add-option:0"),
        *("add-option:0:colours", "remove-option:0:labels:99", "remove-option:0:labels:", "up-field:0:"),
        *("up-option:0:labels:0", "add-option:99999999999999999999:labels"),
    ],
)
def test_it_does_nothing_for_what_is_not_there(draft: Draft, action: str) -> None:
    edits.edit(draft, action, new_type="vibes")
    assert definition_of(draft) == typed.definition("combined")


def test_it_pastes_many_lines_with_cells_and_leaves_out_what_is_there(draft: Draft) -> None:
    edits.edit(draft, "add-option:0:labels")
    text = "REFUND\nTransfer\t转账\tMoney sent\n\n  Card   stolen \nTransfer\n"
    edits.edit(draft, "paste:0:labels", pasted=text)
    assert names(draft) == ["Refund", "Card lost", "Fee", "Transfer", "Card stolen"]
    row = draft.fields[0].lists["labels"][3]
    assert (row["name_zh"], row["description"], row["colour"]) == ("转账", "Money sent", "purple")


def test_it_pastes_five_hundred_lines() -> None:
    draft = edits.starting_draft()
    edits.edit(draft, "paste:0:labels", pasted="\n".join(f"label {n}" for n in range(500)))
    made = definition_of(draft)
    registry.validate_definition(made)
    assert len(made["fields"][0]["labels"]) == 500


def test_it_puts_back_what_was_used(draft: Draft) -> None:
    published = typed.definition("combined")
    edits.edit(draft, "remove-option:0:labels:1")
    edits.edit(draft, "remove-field:2")
    about = edits.restore(draft, published, {"options": {"intent": ["card"]}, "fields": ["topics"]})
    assert definition_of(draft) == published
    assert [one.texts["name"] for one in about] == ["intent", "topics"]


def test_it_gives_a_renamed_field_its_name_back(draft: Draft) -> None:
    draft.fields[0].texts["name"] = "meaning"
    edits.restore(draft, typed.definition("combined"), {"fields": ["intent"]})
    assert definition_of(draft) == typed.definition("combined")
