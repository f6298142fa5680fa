from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from annotation.errors import LeakError, SchemaMissing
from annotation.models import DatasetVersion, Item, Project, Resolution
from annotation.selectors import datasets as reads
from annotation.services import datasets, projects
from annotation.services.items import Record, add_items
from jobs import program
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def add(project: Project, *records: tuple[str, str | None, str], source: str = "feed") -> None:
    add_items(
        project,
        [Record(text=text, label=label, split=split) for text, label, split in records],
        source=source,
    )


def rows_of(dataset: DatasetVersion, split: str) -> list[tuple[object, ...]]:
    table = pq.read_table(reads.folder(dataset) / f"{split}.parquet")
    assert table.column_names == ["row", "text", "label", "weight", "examples", "posterior"]
    assert table["examples"].null_count == len(table)  # a classification says all by text and label
    return list(zip(*(table[name].to_pylist() for name in table.column_names[:4]), strict=True))


def test_it_writes_the_final_labels_by_split_in_the_order_of_rows() -> None:
    project = make_project()
    add(
        project,
        ("b", "Refund", "train"),
        ("a", "Other", "test"),
        ("c", None, "train"),
        ("B", "Refund", "train"),
        ("d", "Other", "train"),
        ("e", "Refund", "validation"),
    )
    frozen = datasets.freeze(project)
    assert rows_of(frozen, "train") == [(0, "b", "refund", 1.0), (4, "d", "other", 1.0)]
    assert rows_of(frozen, "validation") == [(5, "e", "refund", 1.0)]
    assert rows_of(frozen, "test") == [(1, "a", "other", 1.0)]
    assert (frozen.number, frozen.train_count, frozen.validation_count, frozen.test_count) == (1, 2, 1, 1)


def test_it_records_where_everything_came_from() -> None:
    project = make_project()
    add(project, ("a", "Refund", "train"), ("b", "Other", "train"), ("c", "Other", "test"), source="one")
    first = datasets.freeze(project)
    add(project, ("d", "Refund", "train"), source="two")
    changed = Resolution.objects.get(item__text="a")
    Resolution.objects.filter(pk=changed.pk).update(value={"label": "other"})
    Item.objects.filter(text="b").update(held_back="nonsense")
    second = datasets.freeze(project)
    assert first.manifest["added_by_source"] == {"one": 3}
    assert second.base == first
    manifest = second.manifest
    assert manifest["base"] == {"number": 1, "uuid": str(first.uuid)}
    assert (manifest["added_by_source"], manifest["relabelled"], manifest["removed"]) == ({"two": 1}, 1, 1)
    assert manifest["counts"] == {"train": 2, "validation": 0, "test": 1}
    assert manifest["counts_by_label"]["train"] == {"other": 1, "refund": 1}
    assert manifest["labels"] == ["refund", "card-lost", "other"]
    assert set(manifest["files"]) == {"train.parquet", "validation.parquet", "test.parquet", "dataset.json"}
    assert manifest["content"]["test"] == first.manifest["content"]["test"]
    assert manifest["content"]["train"] != first.manifest["content"]["train"]
    stored = json.loads((reads.folder(second) / "dataset.json").read_text())
    assert stored == {key: value for key, value in manifest.items() if key != "files"}
    program.verify_manifest(reads.folder(second))


def test_it_freezes_once_for_one_origin() -> None:
    project = make_project()
    add(project, ("a", "Refund", "train"))
    first = datasets.freeze(project, origin="round-1")
    add(project, ("b", "Refund", "train"))
    assert datasets.freeze(project, origin="round-1") == first
    assert datasets.freeze(project, origin="round-2").train_count == 2
    assert datasets.freeze(project).number == 3


def test_it_freezes_a_project_without_labelled_items() -> None:
    frozen = datasets.freeze(make_project())
    assert (frozen.train_count, frozen.validation_count, frozen.test_count) == (0, 0, 0)
    assert rows_of(frozen, "train") == []


def test_it_needs_labels_to_freeze() -> None:
    with pytest.raises(SchemaMissing):
        datasets.freeze(projects.create("Later"))


def test_it_fails_when_a_duplicate_of_a_test_item_would_train() -> None:
    project = make_project()
    add(project, ("a", "Refund", "train"), ("b", "Other", "test"), ("c", "Other", "train"))
    Item.objects.filter(text="c").update(cluster=Item.objects.get(text="b").cluster)
    with pytest.raises(LeakError, match="row 2 and test row 1") as caught:
        datasets.freeze(project)
    assert caught.value.details == {"leaks": [{"split": "train", "row": 2, "test_row": 1}], "count": 1}
    assert not DatasetVersion.objects.exists()


def test_it_fails_when_a_copy_of_a_training_text_was_put_into_the_test_split() -> None:
    project = make_project()
    add(project, ("a", "Refund", "train"), ("A", None, "train"))
    Item.objects.filter(row=1).update(split="test", cluster=1)
    with pytest.raises(LeakError):
        datasets.freeze(project)


def test_it_fails_when_a_test_item_of_the_base_version_would_train() -> None:
    project = make_project()
    add(project, ("a", "Refund", "test"), ("b", "Other", "train"))
    datasets.freeze(project)
    Item.objects.filter(text="a").update(split="train")
    with pytest.raises(LeakError, match="row 0"):
        datasets.freeze(project)
    assert DatasetVersion.objects.count() == 1


def test_it_writes_many_rows_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "ROW_GROUP", 10)
    project = make_project()
    add(project, *((f"text {number}", "Refund", "train") for number in range(25)))
    frozen = datasets.freeze(project)
    file = pq.ParquetFile(reads.folder(frozen) / "train.parquet")
    assert (file.num_row_groups, [row[0] for row in rows_of(frozen, "train")]) == (3, list(range(25)))
