from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from training import settings_schema


@dataclass(frozen=True, kw_only=True)
class Example:
    share: float = 0.5
    count: int = 3
    name: str = "x"
    fast: bool = True
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("share: found more than 1")


def test_it_describes_every_field_with_its_kind_and_default() -> None:
    found = [(s.name, s.kind, s.default, s.choices) for s in settings_schema.describe(Example)]
    assert found == [
        ("share", "float", 0.5, ()),
        ("count", "int", 3, ()),
        ("name", "str", "x", ()),
        ("fast", "bool", True, ()),
        ("kind", "choice", "a", ("a", "b")),
    ]


def test_it_reads_values_as_json_and_forms_send_them() -> None:
    assert settings_schema.read(Example, {}) == Example()
    given = {"share": "0.25", "count": 4.0, "fast": "no", "kind": "b", "name": "y"}
    assert settings_schema.read(Example, given) == Example(
        share=0.25, count=4, fast=False, kind="b", name="y"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colour": 1}, "no setting colour here: the settings are share, count"),
        ({"count": 2.5}, "count: found 2.5, expected a whole number"),
        ({"count": True}, "count: found True, expected a whole number"),
        ({"share": "many"}, "share: found 'many', expected a number"),
        ({"share": float("nan")}, "share: found nan, expected a number"),
        ({"share": float("inf")}, "expected a number"),
        ({"fast": "maybe"}, "fast: found 'maybe', expected yes or no"),
        ({"kind": "c"}, "kind: found 'c', expected one of a, b"),
        ({"name": 3}, "name: found 3, expected text"),
        ({"share": 2}, "found more than 1"),
    ],
)
def test_it_refuses_in_a_sentence_what_it_cannot_read(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings_schema.read(Example, given)
