from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from accounts.models import AuditEntry
from annotation.errors import ExportRefused
from annotation.models import Annotation, Project
from annotation.selectors import exports as reads
from annotation.services import exports, labellers, projects
from annotation.services.items import Record, add_items
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def filled() -> Project:
    project = make_project("Bank")
    records = [
        Record(text="=SUM(A1)", label="Refund", split="train", external_id="a", meta={"渠道": "邮件"}),
        Record(text="卡丢了", label="Card lost", split="test"),
        Record(text="nobody knows", split="train"),
        Record(text="=sum(a1)", external_id="b"),
    ]
    add_items(project, records, source="feed")
    return project


def lines(project: Project, what: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(exports.stream(project, what, "jsonl")).splitlines()]


def table(project: Project, what: str) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(b"".join(exports.stream(project, what, "parquet")))).to_pylist()


def cells(project: Project, what: str) -> list[dict[str, str]]:
    text = b"".join(exports.stream(project, what, "csv")).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_it_exports_final_labels_and_gives_duplicates_that_of_their_text() -> None:
    found = lines(filled(), "resolutions")
    assert [(row["row"], row["label"], row["label_name"], row["duplicate_of_row"]) for row in found] == [
        (0, "refund", "Refund", None),
        (1, "card-lost", "Card lost", None),
        (3, "refund", "Refund", 0),
    ]
    assert found[0]["meta"] == {"渠道": "邮件"}
    assert (found[0]["confidence"], found[0]["method"], found[0]["source"]) == (1.0, "import", "feed")


def test_it_exports_all_items_with_or_without_a_label() -> None:
    found = lines(filled(), "items")
    assert [(row["row"], row["label"]) for row in found] == [
        (0, "refund"),
        (1, "card-lost"),
        (2, None),
        (3, "refund"),
    ]


def test_it_exports_every_annotation_with_who_gave_it() -> None:
    project = filled()
    first = Annotation.objects.get(item__row=0)
    Annotation.objects.create(
        project=project,
        item=first.item,
        labeller=labellers.person(project, make_user("ana")),
        schema_version=first.schema_version,
        value={},
        is_retraction=True,
        client_key="k",
        supersedes=first,
    )
    found = lines(project, "annotations")
    assert [(row["row"], row["label"], row["labeller"], row["is_retraction"]) for row in found] == [
        (0, "refund", "feed", False),
        (1, "card-lost", "feed", False),
        (0, None, "ana", True),
    ]
    assert (
        found[2]["supersedes"] == found[0]["annotation"]
        and found[0]["superseded_by"] == found[2]["annotation"]
    )


@pytest.mark.parametrize("what", list(reads.WHATS))
def test_it_says_the_same_in_every_format(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = filled()
    whole = lines(project, what)
    monkeypatch.setattr(reads, "BLOCK", 2)
    assert lines(project, what) == whole
    for ours, theirs in zip(whole, table(project, what), strict=True):
        for name, value in ours.items():
            given = theirs[name]
            if reads.WHATS[what](project)[0][name] == "json":
                given = given and json.loads(given)
            assert (given.isoformat() if hasattr(given, "isoformat") else given) == value
    for ours, theirs in zip(whole, cells(project, what), strict=True):
        text = ours["text"]
        assert theirs["text"] == (f"'{text}" if text.startswith("=") else text)
        assert (theirs["row"], theirs["label"]) == (str(ours["row"]), ours["label"] or "")


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_it_exports_an_empty_project_as_a_valid_file(format: str) -> None:
    project = make_project()
    data = b"".join(exports.stream(project, "resolutions", format))
    if format == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    else:
        assert len(data.splitlines()) == (1 if format == "csv" else 0)


def test_it_guards_every_cell_a_spreadsheet_would_run() -> None:
    project = make_project()
    risky = ["=1+1", "+1", "-1", "@x", "＝1", "fine"]
    add_items(
        project, [Record(text=text, external_id=text, label="Refund") for text in risky], source="@feed"
    )
    found = cells(project, "resolutions")
    assert [row["text"] for row in found] == ["'=1+1", "'+1", "'-1", "'@x", "'＝1", "fine"]
    assert {row["source"] for row in found} == {"'@feed"}


def test_it_refuses_what_it_does_not_know_before_the_first_byte() -> None:
    project = make_project()
    with pytest.raises(ExportRefused, match="no export “secrets”"):
        exports.stream(project, "secrets")
    with pytest.raises(ExportRefused, match="no format “xls”: choose one of jsonl, csv, parquet"):
        exports.stream(project, format="xls")


def test_it_logs_who_took_what_out() -> None:
    project, user = make_project(), make_user()
    list(exports.stream(project, "items", "csv", by=user))
    entry = AuditEntry.objects.get(verb="export.started")
    assert (entry.actor, entry.scope, entry.data) == (user, project.uuid, {"what": "items", "format": "csv"})
    assert exports.file_name(project, "items", "csv").startswith(f"{project.slug}-items-")


def test_a_field_that_is_called_like_a_column_has_a_column_of_its_own() -> None:
    labels = [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]
    definition = {
        "fields": [{"name": name, "type": "classification", "labels": labels} for name in ("text", "row")]
    }
    project = projects.create("Odd", definition=definition)
    add_items(project, [Record(text="one", value={"text": "a", "row": "b"})], source="feed")
    for what in reads.WHATS:
        found = lines(project, what)[0]
        assert (found["text"], found["row"], found["text_answer"], found["row_answer"]) == (
            "one",
            0,
            "a",
            "b",
        )
        assert (
            set(lines(project, what)[0]) - {"text_answer", "text_name", "row_answer", "row_name"}
            <= reads.FIXED
        )
        assert table(project, what)[0]["text_answer"] == "a"
