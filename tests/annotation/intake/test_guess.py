"""Guessing which column is what: by name, by length, and never what would do harm."""

from __future__ import annotations

import json

import pytest

from annotation.intake import read
from annotation.intake.guess import guess_mapping
from annotation.intake.validate import Mapping


def guessed(tmp_path, text: str):
    path = tmp_path / "file.csv"
    path.write_text(text)
    return guess_mapping(read.sniff(path))


@pytest.mark.parametrize(
    ("header", "text", "label", "external_id"),
    [
        ("id,text,intent", "text", "intent", "id"),
        ("Query,Category,UUID", "Query", "Category", "UUID"),
        ("编号,文本,标签", "文本", "标签", "编号"),
    ],
)
def test_it_goes_by_the_names_of_columns(tmp_path, header, text, label, external_id):
    mapping = guessed(tmp_path, f"{header}\na,b,c\n")
    assert (mapping.text, mapping.label, mapping.external_id) == (text, label, external_id)


def test_it_takes_the_longest_column_where_no_name_helps(tmp_path):
    assert guessed(tmp_path, "a,b\nx,a longer sentence\ny,another one\n").text == "b"


def test_it_never_guesses_a_split_nor_what_is_kept_beside_the_text(tmp_path):
    mapping = guessed(tmp_path, "text,label,split\none,a,train\ntwo,b,test\n")
    assert (mapping.split, tuple(mapping.meta)) == (None, ())


@pytest.mark.parametrize(
    ("columns", "cells", "types", "expected"),
    [
        (
            ("prompt", "chosen", "rejected"),
            ("Hi", "Hello", "What"),
            {"preference"},
            {"text": "prompt", "responses": ("chosen", "rejected")},
        ),
        (("prompt", "chosen", "rejected"), ("Hi", "Hello", "What"), {"classification"}, {"text": "prompt"}),
        (
            ("question", "response_b", "response_a", "id"),
            ("Hi", "Hello", "What", "7"),
            None,
            {"text": "question", "responses": ("response_b", "response_a"), "external_id": "id"},
        ),
        (
            ("instruction", "completions"),
            ("Hi", ["Hello", "What"]),
            {"preference"},
            {"text": "instruction", "responses": ("completions",)},
        ),
        (
            ("conversations", "id"),
            ([{"from": "human", "value": "Hi"}], "7"),
            {"classification"},
            {"text": "", "messages": "conversations", "external_id": "id"},
        ),
        (
            ("chosen", "rejected"),
            ([{"role": "user", "content": "Hi"}], [{"role": "user", "content": "Hi"}]),
            {"preference"},
            {"text": "", "responses": ("chosen", "rejected")},
        ),
        (
            ("instruction", "output"),
            ("Hi", "Hello"),
            {"response"},
            {"text": "instruction", "draft": "output"},
        ),
        (("instruction", "output"), ("Hi", "Hello there"), {"classification"}, {"text": "instruction"}),
        (("answer",), ("Hi",), {"response"}, {"text": "answer"}),
    ],
)
def test_it_guesses_dialogues_responses_and_drafts_where_they_are_asked_for(
    tmp_path, columns, cells, types, expected
):
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(dict(zip(columns, cells, strict=True))) + "\n")
    found = guess_mapping(read.sniff(path), types)
    found.check(read.sniff(path))
    assert found == Mapping(**expected)
