from __future__ import annotations

import copy

import pytest

from annotation.task_types import registry
from annotation.task_types.registry import TASK_TYPES, InvalidDefinition, InvalidValue

DEFINITION = {
    "fields": [
        {
            "name": "label",
            "type": "classification",
            "labels": [
                {
                    "id": "refund",
                    "name": "Refund request",
                    "name_zh": "退款",
                    "colour": "blue",
                    "description": "",
                },
                {"id": "card", "name": "Card lost"},
            ],
        },
        {
            "name": "tone",
            "type": "classification",
            "labels": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}],
        },
    ]
}


def changed(**changes) -> dict:
    """The definition with its first field changed."""
    definition = copy.deepcopy(DEFINITION)
    definition["fields"][0] |= changes
    return definition


def test_it_accepts_a_schema_that_is_in_order():
    registry.validate_definition(DEFINITION)


@pytest.mark.parametrize("name", TASK_TYPES)
def test_every_type_is_registered_under_its_own_name(name):
    assert TASK_TYPES[name].name == name
    assert TASK_TYPES[name].label


A, B = {"id": "a", "name": "A"}, {"id": "b", "name": "B"}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (None, "the schema has no fields"),
        ({"fields": []}, "the schema has no fields"),
        ({"fields": ["label"]}, "expected an object with name and type"),
        (changed(name="Label 1"), "field name 'Label 1' is not valid"),
        (changed(name="tone"), "two fields are called 'tone'"),
        (changed(type="vibes"), "type 'vibes': expected one of classification"),
        (changed(type=["x"]), "expected one of classification"),
        (changed(labels=None), "has no list of labels"),
        (changed(labels="ab"), "has no list of labels"),
        (changed(labels=[A]), "has 1 labels, it needs 2 to 1000"),
        (changed(labels=[{"id": f"l{i}", "name": f"L{i}"} for i in range(1001)]), "has 1001 labels"),
        (changed(labels=[A, "b"]), "found 'b' among the labels"),
        (changed(labels=[A, {"id": "B!", "name": "B"}]), "label id 'B!' is not valid"),
        (changed(labels=[A, {"name": "B"}]), "label id None is not valid"),
        (changed(labels=[A, {"id": "b", "name": " "}]), "has a name of 0 characters"),
        (changed(labels=[A, {"id": "b"}]), "has a name of 0 characters"),
        (changed(labels=[A, {"id": "b", "name": 3}]), "name of label 'b' is not text"),
        (changed(labels=[A, B | {"color": "red"}]), "unknown key 'color': remove it"),
        (changed(labels=[A, {"id": "b", "name": "a"}]), "'a' stands for two labels"),
        (changed(labels=[A, {"id": "b", "name": "Ａ"}]), "'a' stands for two labels"),
        (changed(labels=[A, B | {"name_zh": " A "}]), "'a' stands for two labels"),
        (changed(labels=[A, A]), "two labels have the same id"),
    ],
)
def test_it_says_what_is_wrong_with_a_schema(definition, words):
    with pytest.raises(InvalidDefinition) as caught:
        registry.validate_definition(definition)
    assert words in str(caught.value)


def test_it_returns_a_valid_value_in_schema_order():
    value = registry.validate_value(DEFINITION, {"tone": "b", "label": "card"})
    assert list(value.items()) == [("label", "card"), ("tone", "b")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("card", "expected an object from field name to answer"),
        ({"label": "card"}, "field 'tone' is missing"),
        ({"label": "card", "tone": "a", "note": ""}, "field 'note' is not in the schema"),
        (
            {"label": "Card lost", "tone": "a"},
            "label 'Card lost' is not in the schema: use one of refund, card",
        ),
        ({"label": ["card"], "tone": "a"}, "expected one label id"),
        ({"label": None, "tone": "a"}, "expected one label id"),
    ],
)
def test_it_says_what_is_wrong_with_a_value(value, words):
    with pytest.raises(InvalidValue) as caught:
        registry.validate_value(DEFINITION, value)
    assert words in str(caught.value)


def test_it_finds_a_field_by_name_or_takes_the_first():
    assert registry.field_of(DEFINITION)["name"] == "label"
    assert registry.field_of(DEFINITION, "tone")["name"] == "tone"
    with pytest.raises(InvalidDefinition, match="no field 'note': expected one of label, tone"):
        registry.field_of(DEFINITION, "note")


def test_it_asks_the_type_for_distance_example_and_export():
    field = registry.field_of(DEFINITION)
    value, other = {"label": "card", "tone": "a"}, {"label": "refund", "tone": "a"}
    assert registry.distance(field, value, other) == 1.0
    assert registry.distance(field, value, value) == 0.0
    examples = registry.training_examples(field, registry.Content(text="hello"), value)
    assert examples == [{"text": "hello", "label": "card"}]
    assert registry.export(DEFINITION, value) == {
        "label": "card", "label_name": "Card lost", "tone": "a", "tone_name": "A",
    }  # fmt: skip
    assert registry.export(DEFINITION, {"tone": "b"}) == {"tone": "b", "tone_name": "B"}
