from __future__ import annotations

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.intake import read
from annotation.intake.parquet_rows import _batch_rows
from annotation.intake.read import BadRow, IntakeError, Limits


def write(folder: Path, columns: dict, **options) -> Path:
    path = folder / "file.parquet"
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def test_it_reads_rows_with_their_numbers(tmp_path):
    path = write(tmp_path, {"text": ["one", "退款", None], "label": ["a", "b", "c"], "n": [1, 2, None]})
    info = read.sniff(path)
    assert (info.format, info.columns) == ("parquet", ("text", "label", "n"))
    assert info.preview[2] == {"text": "", "label": "c", "n": ""}
    found = list(read.rows(path, info))
    assert [row.line for row in found] == [1, 2, 3]
    assert found[1].fields == {"text": "退款", "label": "b", "n": 2}


def test_it_turns_values_that_json_lacks_into_text(tmp_path):
    moment = datetime.datetime(2026, 3, 1, 12, 30)
    table = {
        "when": [moment],
        "day": [moment.date()],
        "score": [float("nan")],
        "tags": [["x", "y"]],
        "inner": [{"at": moment}],
        "kind": pa.array(["z"]).dictionary_encode(),
    }
    path = write(tmp_path, table)
    (row,) = read.rows(path, read.sniff(path))
    assert row.fields == {
        "when": "2026-03-01T12:30:00",
        "day": "2026-03-01",
        "score": None,
        "tags": ["x", "y"],
        "inner": {"at": "2026-03-01T12:30:00"},
        "kind": "z",
    }
    json.dumps(row.fields, allow_nan=False)


def test_it_sets_rows_aside_that_no_database_could_hold(tmp_path):
    table = {"text": pa.array([b"fine", b"n\0ul", b"caf\xe9", b"x" * 2_000, b"last"], pa.binary())}
    path = write(tmp_path, table)
    found = list(read.rows(path, read.sniff(path), limits=Limits(cell=1_000)))
    assert [(row.line, row.code) for row in found if isinstance(row, BadRow)] == [
        (2, "nul"), (3, "encoding"), (4, "cell_too_large"),
    ]  # fmt: skip
    assert [row.fields["text"] for row in found if not isinstance(row, BadRow)] == ["fine", "last"]
    assert json.loads(found[1].raw) == {"text": "n\0ul"}


def test_it_refuses_only_the_rows_of_a_text_column_that_are_no_text(tmp_path):
    broken = pa.StringArray.from_buffers(
        2, pa.array([0, 4, 8], pa.int32()).buffers()[1], pa.py_buffer(b"finecaf\xe9")
    )
    path = write(tmp_path, pa.table({"text": broken}))
    found = list(read.rows(path, read.sniff(path)))
    assert [getattr(row, "code", "good") for row in found] == ["good", "encoding"]


def test_it_refuses_a_file_without_its_end(tmp_path):
    path = write(tmp_path, {"text": [f"row {i}" for i in range(1000)]})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntakeError, match="is cut off or no Parquet file") as caught:
        read.sniff(path)
    assert caught.value.code == "damaged"


def test_it_reads_the_rows_before_a_damaged_page(tmp_path):
    path = write(
        tmp_path, {"text": [f"row {i}" for i in range(20_000)]}, row_group_size=5_000, compression="gzip",
        use_dictionary=False,
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    content[start + 40 : start + 4000] = b"\xff" * 3960
    path.write_bytes(content)
    info = read.FileInfo(format="parquet", columns=("text",))
    found = list(read.rows(path, info))
    assert isinstance(found[-1], BadRow) and found[-1].code == "damaged"
    assert [row.fields["text"] for row in found[:-1]] == [f"row {i}" for i in range(len(found) - 1)]
    assert len(found) > 8_000


def test_it_refuses_a_file_without_rows(tmp_path):
    with pytest.raises(IntakeError, match="has no rows") as caught:
        read.sniff(write(tmp_path, {"text": pa.array([], pa.string())}))
    assert caught.value.code == "empty"


def test_it_renames_a_column_that_comes_twice(tmp_path):
    table = pa.table([pa.array(["one"]), pa.array(["two"])], names=["text", "text"])
    path = write(tmp_path, table)
    info = read.sniff(path)
    assert info.columns == ("text", "text (2)")
    assert next(iter(read.rows(path, info))).fields == {"text": "one", "text (2)": "two"}


def test_it_takes_smaller_batches_of_wider_rows(tmp_path):
    narrow = pq.ParquetFile(write(tmp_path, {"text": ["x"] * 10_000}))
    assert _batch_rows(narrow) == 4096
    wide = [str(i) * 200_000 for i in range(10)]
    assert _batch_rows(pq.ParquetFile(write(tmp_path, {"text": wide}, use_dictionary=False))) == 79


def test_it_counts_rows_as_progress(tmp_path):
    path = write(tmp_path, {"text": ["x"] * 10_000})
    seen = []
    list(read.rows(path, read.sniff(path), on_progress=lambda done, total: seen.append((done, total))))
    assert seen == [(4096, 10_000), (8192, 10_000), (10_000, 10_000)]
