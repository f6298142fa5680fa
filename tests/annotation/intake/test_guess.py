"""Guessing which column is what: by name, by length, and never what would do harm."""

from __future__ import annotations

import pytest

from annotation.intake import read
from annotation.intake.guess import guess_mapping


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
