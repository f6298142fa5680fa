from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import AuditEntry
from annotation.errors import FileTooLarge, ImportRefused, ProjectArchived, SchemaMissing
from annotation.models import Annotation, Import, Item, Project, RejectedRow, Resolution
from annotation.selectors import imports as reads
from annotation.selectors import schemas as schema_reads
from annotation.services import import_runs, imports, item_blocks, projects
from annotation.signals import import_finished
from jobs.models import Job, State
from jobs.services import jobs
from jobs.services.pacing import Way
from tests.factories import make_import, make_project, make_user, run_import

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = {"text": "text"}
LABELLED = {"text": "text", "label": "label"}


def upload(project: Project, data: bytes, name: str = "texts.csv", **reading: Any) -> Import:
    return imports.upload(project, io.BytesIO(data), name, **reading)


def run(import_run: Import, mapping: dict[str, Any] = TEXT, **options: Any) -> Import:
    imports.start(import_run, mapping, **options)
    return run_import(import_run)


def counts(import_run: Import) -> tuple[int, int, int, int]:
    return import_run.added, import_run.duplicates, import_run.rejected, import_run.labelled


def test_it_takes_a_file_in_as_dense_rows_in_its_order() -> None:
    project = make_project()
    done = run(
        make_import(project, lines=["id,text", "a,one", "b,two", "c,three"]), {**TEXT, "external_id": "id"}
    )
    assert (done.state, counts(done)) == ("done", (3, 0, 0, 0))
    assert done.finished_at is not None
    rows = list(project.items.order_by("row").values_list("row", "text", "external_id", "cluster"))
    assert rows == [(0, "one", "a", 0), (1, "two", "b", 1), (2, "three", "c", 2)]
    again = run(make_import(project, lines=["text", "four"], name="more.csv"))
    assert again.items.get().row == 3


def test_it_tells_listeners_and_the_log_when_an_import_has_ended() -> None:
    heard: list[Import] = []

    def listen(sender: Any, import_run: Import, **kwargs: Any) -> None:
        heard.append(import_run)

    import_finished.connect(listen)
    try:
        done = run(make_import(make_project(), lines=["text", "one"], by=make_user()))
    finally:
        import_finished.disconnect(listen)
    assert [(found.pk, found.state) for found in heard] == [(done.pk, "done")]
    verbs = set(AuditEntry.objects.filter(target_id=str(done.uuid)).values_list("verb", flat=True))
    assert verbs == {"import.uploaded", "import.started", "import.finished"}


def test_it_keeps_bad_rows_with_line_and_reason_and_takes_the_rest() -> None:
    project = make_project()
    lines = ["text,label", "one,Refund", "two", ",Refund", "three,Nonsense", "four,", "five,refund"]
    done = run(make_import(project, lines=lines), LABELLED)
    assert counts(done) == (3, 0, 3, 2)
    kept = list(done.rejected_rows.values_list("line", "code", "raw"))
    assert kept == [
        (3, "ragged", "two"),
        (4, "empty_text", ",Refund"),
        (5, "unknown_label", "three,Nonsense"),
    ]
    assert list(project.items.order_by("row").values_list("text", flat=True)) == ["one", "four", "five"]
    assert reads.rejected_by_code(done) == {"ragged": 1, "empty_text": 1, "unknown_label": 1}


def test_it_gives_the_bad_rows_back_to_be_mended_and_takes_them_when_they_are() -> None:
    project = make_project()
    done = run(make_import(project, lines=["text,label", "one,Refund", "two", "three,Nonsense"]), LABELLED)
    file = "".join(reads.mend_file(done))
    assert (reads.mend_file_name(done), file) == ("texts-rejected.csv", "text,label\ntwo\nthree,Nonsense\n")
    mended = file.replace("two", "two,Refund").replace("Nonsense", "other")
    again = imports.upload(project, io.BytesIO(mended.encode()), "texts-rejected.csv", mends=done)
    assert counts(run(again, LABELLED)) == (2, 0, 0, 2)
    assert done.mended_by.get() == again


def test_it_reports_bad_rows_as_csv_without_formulas() -> None:
    done = run(make_import(make_project(), lines=["text,label", "=cmd(),Nonsense"]), LABELLED)
    report = "".join(reads.rejected_report(done))
    assert report.startswith("\ufeffline,code,reason,row\r\n2,unknown_label,")
    assert report.endswith('"\'=cmd(),Nonsense"\r\n')


def test_it_points_duplicates_at_the_first_item_of_their_text() -> None:
    project = make_project()
    done = run(make_import(project, lines=["text", "Where is it?", "other", "where  IS it?"]))
    assert counts(done) == (2, 1, 0, 0)
    first, _other, twin = project.items.order_by("row")
    assert (twin.row, twin.duplicate_of, twin.cluster, twin.split) == (2, first, 0, first.split)
    again = run(make_import(project, lines=["text", "WHERE is it?"], name="b.csv"))
    assert counts(again) == (0, 1, 0, 0)
    assert Item.objects.get(row=3).duplicate_of == first


def test_it_stores_imported_labels_as_annotations_and_resolutions() -> None:
    project = make_project()
    done = run(make_import(project, lines=["text,label", "one,Card lost", "two,"]), LABELLED)
    annotation = Annotation.objects.select_related("labeller", "item").get()
    assert annotation.value == {"label": "card-lost"}
    assert (annotation.labeller.kind, annotation.labeller.key) == ("import", str(done.uuid))
    assert (annotation.client_key, annotation.item.text, annotation.slot_id) == ("line-2", "one", None)
    resolution = Resolution.objects.get()
    assert (resolution.item_id, resolution.method, resolution.value) == (
        annotation.item_id,
        "import",
        {"label": "card-lost"},
    )
    assert (resolution.posterior, resolution.is_current) == ({"label": {"card-lost": 1.0}}, True)


def test_it_labels_texts_that_were_imported_without_labels_before() -> None:
    project = make_project()
    run(make_import(project, lines=["text", "one", "two"]))
    done = run(make_import(project, lines=["text,label", "one,Other"], name="labels.csv"), LABELLED)
    assert counts(done) == (0, 1, 0, 1)
    assert Resolution.objects.get().item == project.items.get(row=0)


def test_it_refuses_a_second_label_for_one_text() -> None:
    project = make_project()
    lines = ["text,label", "one,Other", "ONE,other", "one,Refund"]
    done = run(make_import(project, lines=lines), LABELLED)
    assert counts(done) == (1, 1, 1, 1)
    bad = RejectedRow.objects.get()
    assert (bad.line, bad.code, bad.raw) == (4, "label_conflict", "one,Refund")


def test_it_finds_conflicts_across_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "BLOCK_ROWS", 1)
    lines = ["text,label", "one,Other", "ONE,other", "one,Refund"]
    done = run(make_import(make_project(), lines=lines), LABELLED)
    assert counts(done) == (1, 1, 1, 1)


def test_it_makes_the_schema_from_the_labels_of_the_file() -> None:
    project = projects.create("Later")
    done = run(
        make_import(project, lines=["text,label", "a,Lost card", "b,退款", "c,Lost card"]),
        LABELLED,
        labels_from_file=True,
    )
    assert counts(done) == (3, 0, 0, 3)
    field = schema_reads.label_field(schema_reads.require(project))
    assert [label["name"] for label in field["labels"]] == ["Lost card", "退款"]


def test_it_adds_the_files_new_labels_to_the_schema_and_keeps_the_old_ones() -> None:
    project = make_project(labels=["Refund", "Other"])
    run(
        make_import(project, lines=["text,label", "a,Card lost", "b,REFUND"]), LABELLED, labels_from_file=True
    )
    field = schema_reads.label_field(schema_reads.require(project))
    assert [label["id"] for label in field["labels"]] == ["refund", "other", "card-lost"]
    run(make_import(project, lines=["text,label", "c,Refund"], name="b.csv"), LABELLED, labels_from_file=True)
    assert schema_reads.require(project).number == 2


def test_it_makes_no_schema_from_a_column_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "MOST_LABELS", 3)
    project = projects.create("Later")
    lines = ["text,label", *(f"text {number},value {number}" for number in range(5))]
    failed = run(make_import(project, lines=lines), LABELLED, labels_from_file=True)
    assert (failed.state, failed.lines_done) == ("failed", 0)
    assert "5 different values, more than 3" in failed.error
    assert run(failed, TEXT).added == 5


def test_it_asks_for_labels_before_it_reads_a_label_column() -> None:
    project = projects.create("Later")
    with pytest.raises(SchemaMissing, match="take the labels from the file"):
        imports.start(make_import(project, lines=["text,label", "a,b"]), LABELLED)


def test_it_takes_the_files_split_for_a_newcomer_and_holds_back_what_would_bridge_two() -> None:
    project = make_project()
    lines = ["text,split", "one,test", "two,dev", "three,train", "ONE,train"]
    run(make_import(project, lines=lines), {**TEXT, "split": "split"})
    splits = list(project.items.order_by("row").values_list("split", flat=True))
    assert splits == ["test", "validation", "train", "test"]
    held = project.items.get(row=3)
    assert "in train" in held.held_back and held.duplicate_of is not None


def test_it_draws_the_same_split_for_a_text_however_the_file_is_cut() -> None:
    texts = [f"text {number}" for number in range(300)]
    one, two = make_project(seed=5), make_project(seed=5)
    run(make_import(one, lines=["text", *texts]))
    run(make_import(two, lines=["text", *texts[::-1]]))
    splits = dict(one.items.values_list("text", "split"))
    assert splits == dict(two.items.values_list("text", "split"))
    shares = [list(splits.values()).count(split) / 300 for split in ("train", "validation", "test")]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.08)


def test_it_keeps_chosen_columns_as_meta() -> None:
    project = make_project()
    run(make_import(project, lines=["text,channel,n", "one,mail,1"]), {**TEXT, "meta": ["channel"]})
    assert project.items.get().meta == {"channel": "mail"}


def test_it_goes_on_after_a_kill_without_double_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "BLOCK_ROWS", 10)
    project = make_project()
    texts = [f"text {number % 40}" for number in range(55)] + [""] * 3
    import_run = make_import(project, lines=["text,n", *(f"{text},{n}" for n, text in enumerate(texts))])
    real, calls = item_blocks.store, 0

    def dies(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        stored = real(*args)
        if calls == 3:
            raise KeyboardInterrupt  # after the rows, before the checkpoint
        return stored

    monkeypatch.setattr(item_blocks, "store", dies)
    imports.start(import_run, TEXT)
    with pytest.raises(KeyboardInterrupt):
        run_import(import_run)
    import_run.refresh_from_db()
    assert (import_run.state, import_run.lines_done, project.items.count()) == ("running", 21, 20)
    run_import(import_run)
    assert (import_run.state, counts(import_run)) == ("done", (40, 15, 3, 0))
    assert list(project.items.order_by("row").values_list("row", flat=True)) == list(range(55))


def test_it_lets_only_one_of_two_attempts_add_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    import_run = make_import(project, lines=["text", "one", "two"])
    imports.start(import_run, TEXT)
    real = item_blocks.store

    def overtaken(*args: Any) -> Any:
        stored = real(*args)
        Import.objects.filter(pk=import_run.pk).update(lines_done=3)  # what the other attempt has booked
        return stored

    monkeypatch.setattr(item_blocks, "store", overtaken)
    job = Job.objects.get()
    assert jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, project.items.count()) == (State.QUEUED, 0)


def test_it_can_be_cancelled_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import_run = make_import(make_project(), lines=["text", "one"])
    job = imports.start(import_run, TEXT)
    jobs.cancel(job, None)
    import_run.refresh_from_db()
    assert (import_run.state, import_run.error.split(":")[0]) == ("failed", "Cancelled")
    assert run(import_run).state == "done"


def test_it_does_not_start_twice_or_go_on_with_other_columns() -> None:
    project = make_project()
    import_run = make_import(project, lines=["text,other", "one,two"])
    imports.start(import_run, TEXT)
    with pytest.raises(ImportRefused, match="runs already"):
        imports.start(import_run, TEXT)
    Import.objects.filter(pk=import_run.pk).update(state="failed", lines_done=1)
    import_run.refresh_from_db()
    with pytest.raises(ImportRefused, match="already with other columns"):
        imports.start(import_run, {"text": "other"})
    imports.start(import_run, TEXT)


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [({"text": "nope"}, "no column 'nope'"), ({"text": "text", "label": "text"}, "two purposes")],
)
def test_it_refuses_columns_that_are_not_there(mapping: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImportRefused, match=sentence):
        imports.start(make_import(make_project(), lines=["text,label", "a,b"]), mapping)


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "empty.csv", "empty.csv is empty"),
        (b"text\n", "head.csv", "no rows"),
        (b"PK\x03\x04junk", "book.xlsx", "Excel"),
        (b'[{"text": "a"}]', "list.json", "one object a line"),
        (gzip.compress(b"text\none\n", mtime=0)[:8], "cut.csv.gz", "get a whole copy"),
        (b"PAR1 nonsense", "cut.parquet", "no Parquet file"),
    ],
)
def test_it_refuses_a_file_that_cannot_be_read_and_keeps_nothing(
    data: bytes, name: str, sentence: str
) -> None:
    project = make_project()
    with pytest.raises(ImportRefused, match=sentence):
        upload(project, data, name)
    assert not Import.objects.exists()
    assert not [path for path in (Path(settings.DATA_DIR) / "uploads").rglob("*") if path.is_file()]


def test_it_keeps_a_file_of_unknown_encoding_until_a_person_names_it() -> None:
    project = make_project()
    data = "text\n退款什么时候到账\n卡丢了怎么办\n我要投诉你们的服务\n".encode("gb18030")
    import_run = upload(project, data)
    assert "UTF-8" in import_run.error and reads.preview(import_run) is None
    with pytest.raises(ImportRefused, match="UTF-8"):
        imports.start(import_run, TEXT)
    with pytest.raises(ImportRefused):
        imports.look_again(import_run, encoding="utf-16")
    imports.look_again(import_run, encoding="gb18030")
    assert run(import_run).added == 3
    assert project.items.get(row=0).text == "退款什么时候到账"


def test_it_reads_a_byte_order_mark_and_utf_16() -> None:
    project = make_project()
    for number, encoding in enumerate(("utf-8-sig", "utf-16")):
        data = f"text\nwörter {number}\n".encode(encoding)
        assert run(upload(project, data)).added == 1
    assert set(project.items.values_list("text", flat=True)) == {"wörter 0", "wörter 1"}


def test_it_takes_what_came_before_the_cut_of_a_gzip_file() -> None:
    lines = "".join(f"text number {number * 7919}\n" for number in range(20_000))
    packed = gzip.compress(f"text\n{lines}".encode())
    done = run(upload(make_project(), packed[: len(packed) // 2], "texts.csv.gz"))
    assert done.state == "done" and 0 < done.added < 20_000
    assert done.rejected_rows.get().code == "truncated"
    assert not reads.can_mend(done)


def test_it_turns_a_giant_cell_away_as_one_row() -> None:
    data = b'text,n\none,1\n"' + b"x" * 6_000_000 + b'",2\nthree,3\n'
    done = run(upload(make_project(), data))
    assert counts(done) == (2, 0, 1, 0)
    bad = done.rejected_rows.get()
    assert bad.line == 3 and len(bad.raw) <= 10_000 and not bad.is_whole


def test_it_refuses_a_file_over_the_limit_and_a_full_disk(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    settings.IMPORT_MAX_MB = 1
    with pytest.raises(FileTooLarge, match="larger than 1 MB"):
        upload(project, b"text\n" + b"x" * 1_100_000)

    class Full(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(ImportRefused, match="No space left on device.*make room"):
        imports.upload(project, Full(), "texts.csv")
    assert not [path for path in (Path(settings.DATA_DIR) / "uploads").rglob("*") if path.is_file()]


def test_it_forgets_an_upload_that_was_never_started_and_only_that() -> None:
    import_run = make_import(make_project(), lines=["text", "one"])
    path = reads.path(import_run)
    imports.discard(import_run)
    assert not path.exists() and not Import.objects.exists()
    begun = run(make_import(make_project(), lines=["text", "one"]))
    with pytest.raises(ImportRefused, match="what is in stays"):
        imports.discard(begun)


def test_it_takes_nothing_into_an_archived_project() -> None:
    project = make_project()
    import_run = make_import(project, lines=["text", "one"])
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        make_import(project, lines=["text", "one"])
    with pytest.raises(ProjectArchived):
        imports.start(import_run, TEXT)


def test_it_notices_that_the_very_same_file_was_imported_before() -> None:
    project = make_project()
    first = run(make_import(project, lines=["text", "one"]))
    preview = reads.preview(make_import(project, lines=["text", "one"], name="copy.csv"))
    assert preview is not None and preview.same_file == first


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL plans by counts of its own")
def test_a_long_import_tells_the_planner_how_many_items_there_are() -> None:
    count = item_blocks.BLOCK_ROWS + 1
    run(make_import(make_project(), lines=["text", *(f"text {number}" for number in range(count))]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [Item._meta.db_table])
        assert cursor.fetchone()[0] >= item_blocks.BLOCK_ROWS


def test_it_goes_in_smaller_blocks_while_people_write(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def in_company(**how: bool) -> Iterator[Way]:
        yield Way(given=True)

    sizes: list[int] = []
    store = item_blocks.store

    def counting(intake: Any, candidates: Any) -> item_blocks.Stored:
        sizes.append(len(candidates))
        return store(intake, candidates)

    monkeypatch.setattr(import_runs, "giving_way", in_company)
    monkeypatch.setattr(item_blocks, "store", counting)
    count = item_blocks.BLOCK_ROWS + import_runs.SMALL_BLOCK_ROWS + 1
    done = run(make_import(make_project(), lines=["text", *(f"text {number}" for number in range(count))]))
    small = [import_runs.SMALL_BLOCK_ROWS, 1] if connection.vendor == "sqlite" else [count - sizes[0]]
    assert sizes == [item_blocks.BLOCK_ROWS, *small]  # PostgreSQL has many writers: no block need be small
    assert done.added == count


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers")
def test_it_begins_with_a_small_block_where_somebody_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    store = item_blocks.store

    def counting(intake: Any, candidates: Any) -> item_blocks.Stored:
        sizes.append(len(candidates))
        return store(intake, candidates)

    monkeypatch.setattr(import_runs, "is_anybody_labelling", lambda: True)
    monkeypatch.setattr(item_blocks, "store", counting)
    count = import_runs.SMALL_BLOCK_ROWS + 1
    run(make_import(make_project(), lines=["text", *(f"text {number}" for number in range(count))]))
    assert sizes == [import_runs.SMALL_BLOCK_ROWS, 1]
