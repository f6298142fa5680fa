"""The commands that carry data in and out: project, import, freeze, export."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Import, Project
from annotation.selectors import schemas
from annotation.services import batches, labelling, projects, queue
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def call(name: str, *args: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *map(str, args), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_carries_a_file_through_project_import_freeze_and_export(tmp_path: Path) -> None:
    make_user("ana")
    out, _ = call("create_project", "Bank intents", "--labels", "Refund, Card lost", "--admin", "ana")
    assert out == "bank-intents\n"
    file = tmp_path / "texts.csv"
    file.write_text("query,intent\none,Refund\ntwo,Card lost\nthree,\nfour,Nonsense\n")
    mend = tmp_path / "mend.csv"
    out, err = call("import_items", "bank-intents", file, "--label", "intent", "--rejected", mend)
    assert out == "texts.csv: 3 added, 0 duplicates, 1 rejected, 2 labelled\n"
    assert "1 × unknown_label" in err and "line 5 has the label 'Nonsense'" in err
    assert mend.read_text() == "query,intent\nfour,Nonsense\n"
    out, _ = call("freeze", "bank-intents")
    assert out.startswith("v1: ")
    labels = tmp_path / "labels.jsonl"
    call("export", "bank-intents", "--out", labels)
    found = [json.loads(line) for line in labels.read_text().splitlines()]
    assert [(row["text"], row["label"]) for row in found] == [("one", "refund"), ("two", "card-lost")]


def test_it_says_that_a_column_of_labels_is_not_read(tmp_path: Path) -> None:
    call("create_project", "Later", "--labels", "x, z")
    file = tmp_path / "texts.csv"
    file.write_text("text,label\none,x\n")
    out, err = call("import_items", "later", file)
    assert out == "texts.csv: 1 added, 0 duplicates, 0 rejected, 0 labelled\n"
    assert "the column 'label' is not read: --label label takes labels from it" in err
    out, err = call("import_items", "later", file, "--label", "label")
    assert (out, err) == ("texts.csv: 0 added, 1 duplicates, 0 rejected, 1 labelled\n", "")


def test_it_makes_labels_from_the_file_and_reads_gzip_and_splits(tmp_path: Path) -> None:
    project = projects.create("Later")
    file = tmp_path / "texts.jsonl.gz"
    rows = [{"id": 1, "text": "a", "y": "x", "part": "test"}, {"id": 2, "text": "b", "y": "z", "part": ""}]
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    call("import_items", "later", file, "--label", "y", "--labels-from-file", "--split", "part", "--id", "id")
    assert [label["name"] for label in schemas.label_field(schemas.require(project))["labels"]] == ["x", "z"]
    assert project.items.get(row=0).split == "test"
    assert project.items.get(row=1).external_id == "2"


@pytest.mark.parametrize(
    ("data", "arguments", "sentence"),
    [
        (b"", (), "is empty"),
        (b"text\n" + "卡丢了怎么办\n退款什么时候到账\n".encode("gb18030"), (), r"UTF-8.*--encoding"),
        (b"text\none\n", ("--label", "nope"), "no column 'nope'"),
        (b"text\none\n", ("--encoding", "klingon"), "klingon"),
    ],
)
def test_it_says_what_is_wrong_with_a_file_and_keeps_nothing(
    data: bytes, arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    make_project("Bank")
    file = tmp_path / "texts.csv"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=sentence):
        call("import_items", "bank", file, *arguments)
    assert not Import.objects.filter(state="done").exists()


def test_it_reads_the_encoding_it_is_told(tmp_path: Path) -> None:
    project = make_project("Bank")
    file = tmp_path / "texts.csv"
    file.write_bytes("text\n卡丢了怎么办\n".encode("gb18030"))
    call("import_items", "bank", file, "--encoding", "gb18030")
    assert project.items.get().text == "卡丢了怎么办"


def test_it_keeps_the_rows_around_bad_ones(tmp_path: Path) -> None:
    """Ragged rows, a giant cell, a stray quote and a line that breaks off: one row each, the rest is in."""
    make_project("Bank")
    file = tmp_path / "texts.csv"
    giant = "x" * 5_000_000
    file.write_text(f'text,n\none,1\ntwo\n"{giant}",3\nfour,"4\nfive,5\n')
    out, err = call("import_items", "bank", file)
    assert out == "texts.csv: 2 added, 0 duplicates, 3 rejected, 0 labelled\n"
    reasons = {line.split("× ")[1] for line in err.splitlines() if "×" in line}
    assert reasons == {"ragged", "too_large", "quote"}
    lines = tmp_path / "cut.jsonl"
    lines.write_text('{"text": "six"}\n{"text": "se')
    out, err = call("import_items", "bank", lines)
    assert out == "cut.jsonl: 1 added, 0 duplicates, 1 rejected, 0 labelled\n"
    assert "the file may be cut off" in err


def test_it_says_when_project_person_file_or_place_is_not_there(tmp_path: Path) -> None:
    project = make_project("Bank")
    file = tmp_path / "texts.csv"
    file.write_text("text\none\n")
    with pytest.raises(CommandError, match="no project “nope”: use one of bank"):
        call("import_items", "nope", file)
    with pytest.raises(CommandError, match="no person “zoe”"):
        call("import_items", "bank", file, "--user", "zoe")
    with pytest.raises(CommandError, match="No such file"):
        call("import_items", "bank", tmp_path / "nope.csv")
    with pytest.raises(CommandError, match="cannot be written"):
        call("export", "bank", "--out", tmp_path / "no" / "such" / "place.csv")
    projects.archive(project)
    with pytest.raises(CommandError, match="archived"):
        call("import_items", "bank", file)
    with pytest.raises(CommandError, match="needs 2"):
        call("create_project", "Odd", "--labels", "one")
    assert Project.objects.count() == 1


def test_it_exports_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    make_project("Bank")
    call("export", "bank", "--format", "csv", "--what", "items")
    assert capfdbinary.readouterr().out.startswith("\ufeffrow,item,".encode())


def test_it_imports_pairs_dialogues_and_drafts(tmp_path: Path) -> None:
    preference = {"fields": [{"name": "preferred", "type": "preference"}]}
    projects.create("Pairs", slug="pairs", definition=preference)
    file = tmp_path / "pairs.csv"
    file.write_text("prompt,chosen,rejected\nWhere?,Here,No\nWhen?,Now,\n")
    options = ("--responses", "chosen", "--responses", "rejected", "--best", "chosen")
    out, err = call("import_items", "pairs", file, *options)
    assert out == "pairs.csv: 1 added, 0 duplicates, 1 rejected, 1 labelled\n"
    assert "1 × content" in err
    projects.create("Replies", slug="replies", definition={"fields": [{"name": "reply", "type": "response"}]})
    chat = tmp_path / "chat.jsonl"
    turns = [{"from": "human", "value": "Hi"}]
    row = {"m": turns, "d": "Hello", "answers": {"reply": {"text": "Hello!"}}}
    chat.write_text(json.dumps(row) + "\n")
    out, _err = call(
        "import_items", "replies", chat, "--text", "", "--messages", "m", "--draft", "d", "--value", "answers"
    )
    assert out == "chat.jsonl: 1 added, 0 duplicates, 0 rejected, 1 labelled\n"
    item = Project.objects.get(slug="replies").items.get()
    assert item.data == {"messages": [{"role": "user", "content": "Hi"}], "draft": "Hello"}
    out_file = tmp_path / "sft.jsonl"
    call("export", "replies", "--what", "training", "--out", out_file)
    assert json.loads(out_file.read_text())["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
    ]
    with pytest.raises(CommandError, match="no field 'nonsense'"):
        call("export", "replies", "--what", "training", "--field", "nonsense")


def test_it_tells_how_far_people_agree() -> None:
    project = make_project(overlap_share=1, evaluation_items=0, spot_check_share=0)
    items = make_items(project, ["one", "two"], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test")
    ana, ben = (add_member(project, user=make_user(name)) for name in ("ana", "ben"))
    for person, labels in ((ana, ["refund", "other"]), (ben, ["refund", "refund"])):
        for slot, label in zip(queue.lease(project, person, count=2), labels, strict=True):
            labelling.submit(project, person, slot.uuid, {"label": label}, client_key=f"{person}-{slot.uuid}")
    lines = call("agreement", project.slug)[0].splitlines()
    assert lines[0] == "label: 4 answers to 2 items, 2 of them by two people or more"
    assert lines[2].startswith("  percent agreement     0.500 (")
    assert lines[4] == "  spot checks right     –  nothing was checked"
    assert lines[-1].startswith("  ana and ben           kappa 0.000")


def test_it_says_which_fields_there_are_to_agree_on() -> None:
    with pytest.raises(CommandError, match="the schema has no field 'mood': expected one of label"):
        call("agreement", make_project().slug, "--field", "mood")
