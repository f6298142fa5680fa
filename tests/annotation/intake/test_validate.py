from __future__ import annotations

import json

import pytest

from annotation.intake import validate
from annotation.intake.answers import Answers
from annotation.intake.normalise import content_hash
from annotation.intake.records import BadRow, FileInfo, IntakeError, Row
from annotation.intake.validate import Candidate, Mapping, candidate

FIELD = {
    "name": "label",
    "type": "classification",
    "labels": [
        {"id": "refund", "name": "Refund request", "name_zh": "退款"},
        {"id": "card", "name": "Card lost"},
    ],
}
LABELS = Answers({"fields": [FIELD]})
EVERYTHING = Mapping(text="text", label="label", external_id="id", split="part", meta=("source",))


def test_it_makes_a_candidate_of_a_row():
    fields = {
        "text": "  MY money ",
        "label": "Refund Request",
        "id": 7.0,
        "part": "Dev",
        "source": "web",
    }
    found = candidate(Row(3, fields, "raw"), EVERYTHING, LABELS)
    assert found == Candidate(
        3, "MY money", "my money", content_hash("my money"), "7", {"label": "refund"}, {"source": "web"},
        "validation", "raw",
    )  # fmt: skip


def test_it_needs_no_more_than_a_text():
    found = candidate(Row(1, {"text": "hello"}, ""), Mapping(text="text"))
    assert (found.value, found.external_id, found.split, found.meta) == (None, None, None, {})
    empty = {"text": "hello", "label": " ", "id": None, "part": "", "source": None}
    found = candidate(Row(1, empty, ""), EVERYTHING, LABELS)
    assert (found.value, found.external_id, found.split) == (None, None, None)


@pytest.mark.parametrize("given", ["refund", "REFUND REQUEST", " refund  request ", "退款", "Ｒefund"])
def test_it_knows_a_label_by_id_and_by_name_in_any_case(given):
    assert candidate(
        Row(1, {"text": "x", "label": given}, ""), Mapping(text="text", label="label"), LABELS
    ).value == {"label": "refund"}


@pytest.mark.parametrize("value", [42, 4.5, True, ["a", "b"]])
def test_it_takes_json_values_as_their_text(value):
    found = candidate(Row(1, {"text": value}, ""), Mapping(text="text"))
    assert found.text == (json.dumps(value) if not isinstance(value, bool) else "True")


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"other": "x"}, "missing_column", "line 9 has no 'text': add it"),
        ({"text": None}, "empty_text", "line 9 has no text in 'text'"),
        ({"text": " \u200b\n"}, "empty_text", "leave the row out"),
        ({"text": "x" * 101}, "too_long", "a text of 101 characters, the limit is 100"),
        (
            {"text": "x", "label": "refnd"},
            "unknown_label",
            "'refnd', which is not in the schema (refund, card)",
        ),
        ({"text": "x", "id": "y" * 201}, "external_id", "an id of 201 characters in 'id'"),
        ({"text": "x", "part": "holdout"}, "unknown_split", "'holdout', expected train, validation or test"),
    ],
)
def test_it_says_why_a_row_is_no_candidate(fields, code, words):
    found = candidate(Row(9, fields, "the raw row"), EVERYTHING, LABELS, longest_text=100)
    assert isinstance(found, BadRow)
    assert (found.line, found.raw, found.code, found.whole) == (9, "the raw row", code, True)
    assert words in found.message


def test_it_shows_a_bad_row_without_raw_text_as_json():
    found = candidate(Row(9, {"text": "", "n": 1}, ""), Mapping(text="text"))
    assert json.loads(found.raw) == {"text": "", "n": 1}


def test_it_says_that_a_schema_has_no_labels():
    found = candidate(Row(1, {"text": "x", "label": "a"}, ""), Mapping(text="text", label="label"))
    assert (found.code, "the project has no labels" in found.message) == ("unknown_label", True)


def test_it_lets_a_later_station_refuse_a_candidate():
    found = candidate(Row(4, {"text": "hello", "id": "7"}, ""), Mapping(text="text", external_id="id"))
    bad = validate.refuse(found, "bridge", "line 4 would bridge two splits")
    assert (bad.line, bad.code) == (4, "bridge")
    assert json.loads(bad.raw) == {"text": "hello", "id": "7", "label": None}


def test_it_refuses_a_mapping_to_a_column_that_is_not_there():
    info = FileInfo(format="csv", columns=("body", "label"))
    with pytest.raises(
        IntakeError, match="no column 'text', it has body, label: choose one of these"
    ) as caught:
        Mapping(text="text").check(info)
    assert caught.value.code == "mapping"
    with pytest.raises(IntakeError, match="no column 'note'"):
        Mapping(text="body", meta=("note",)).check(info)
    with pytest.raises(IntakeError, match="chosen for two purposes"):
        Mapping(text="body", label="body").check(info)
    Mapping(text="body", label="label", meta=("label",)).check(info)


def test_it_takes_a_mapping_through_json_and_back():
    assert Mapping.from_json(json.loads(json.dumps(EVERYTHING.to_json()))) == EVERYTHING
