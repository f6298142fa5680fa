from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.intake import read
from annotation.intake.read import BadRow, IntakeError, Limits, Row

SMALL = Limits(cell=1_000, record=4_000, raw=100)


def write(folder: Path, content: str | bytes, name: str = "file.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read_all(path: Path, limits: Limits | None = None, **options) -> tuple[list[Row], list[BadRow]]:
    found = list(read.rows(path, read.sniff(path, **options), limits=limits))
    return [row for row in found if isinstance(row, Row)], [row for row in found if isinstance(row, BadRow)]


def test_it_reads_a_plain_csv_with_line_numbers_and_raw_text(tmp_path):
    path = write(tmp_path, 'text,label\nhello,a\n\n"one, two",b\n')
    good, bad = read_all(path)
    assert good == [
        Row(2, {"text": "hello", "label": "a"}, "hello,a"),
        Row(4, {"text": "one, two", "label": "b"}, '"one, two",b'),
    ]
    assert bad == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_it_reads_every_line_end(tmp_path, end, last):
    content = end.join(["text,label", "one,a", '"two",b']) + (end if last else "")
    good, bad = read_all(write(tmp_path, content))
    assert [row.fields for row in good] == [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]
    assert [row.line for row in good] == [2, 3]
    assert bad == []


def test_it_keeps_line_ends_inside_a_quoted_cell(tmp_path):
    good, bad = read_all(write(tmp_path, 'text,label\n"one\ntwo\r\nthree",a\nnext,b\n'))
    assert [row.fields["text"] for row in good] == ["one\ntwo\r\nthree", "next"]
    assert [row.line for row in good] == [2, 5]
    assert good[0].raw == '"one\ntwo\r\nthree",a'
    assert bad == []


@pytest.mark.parametrize(
    ("encoding", "read_as"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-32", "utf-32")],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_it_reads_unicode_with_and_without_a_mark(tmp_path, encoding, read_as, suffix):
    content = "text,label\n退款 café 😀,a\n".encode(encoding)
    path = write(tmp_path, gzip.compress(content) if suffix else content, "file.csv" + suffix)
    info = read.sniff(path)
    assert (info.encoding, info.columns) == (read_as, ("text", "label"))
    assert [row.fields["text"] for row in read_all(path)[0]] == ["退款 café 😀"]


def test_it_reads_utf_16_in_big_endian_order(tmp_path):
    good, _ = read_all(write(tmp_path, b"\xfe\xff" + "text,label\n退款,a\n".encode("utf-16-be")))
    assert good[0].fields == {"text": "退款", "label": "a"}


@pytest.mark.parametrize(
    "encoding", ["gb18030", "big5", "shift_jis", "cp1252", "utf-16-le", "iso2022_jp", "utf-7"]
)
def test_it_reads_an_encoding_that_the_caller_names(tmp_path, encoding):
    text = {"cp1252": "café – naïve", "shift_jis": "日本語表示", "iso2022_jp": "日本語"}.get(encoding, "中文")
    path = write(tmp_path, f"text,label\n{text},a\n" * 1 + f"{text},b\n", encoding=encoding)
    good, bad = read_all(path, encoding=encoding)
    assert [row.fields["text"] for row in good] == [text, text]
    assert bad == []


def test_it_refuses_another_encoding_and_names_a_guess(tmp_path):
    content = "text,label\n" + "这是一个关于退款的问题,a\n" * 30
    with pytest.raises(IntakeError) as caught:
        read.sniff(write(tmp_path, content, encoding="gb18030"))
    assert caught.value.code == "encoding"
    assert caught.value.guess in ("gb18030", "gbk", "gb2312")
    assert "in line 2" in caught.value.sentence
    assert f"looks like {caught.value.guess}" in caught.value.sentence


def test_it_recognises_utf_16_without_a_mark(tmp_path):
    path = write(tmp_path, "text,label\nhello there,a\n".encode("utf-16-le"))
    with pytest.raises(IntakeError) as caught:
        read.sniff(path)
    assert (caught.value.code, caught.value.guess) == ("encoding", "utf-16-le")
    assert read_all(path, encoding="utf-16-le")[0][0].fields["text"] == "hello there"


def test_it_refuses_an_encoding_that_does_not_exist(tmp_path):
    path = write(tmp_path, "text\nhello\n")
    for name in ("utf-9", "base64"):
        with pytest.raises(IntakeError, match="is not known: try utf-8") as caught:
            read.sniff(path, encoding=name)
        assert caught.value.code == "encoding"


def test_it_sets_single_lines_in_another_encoding_aside(tmp_path):
    content = b"text,label\n" + "café,a\n".encode() * 5 + "café,b\n".encode("cp1252") + b"fine,c\n"
    info = read.sniff(write(tmp_path, content))
    assert info.warnings == ("1 of the first lines are not valid UTF-8: they are listed as bad rows",)
    good, bad = read_all(tmp_path / "file.csv")
    assert [row.fields["label"] for row in good] == ["a"] * 5 + ["c"]
    assert [(row.line, row.code, row.raw) for row in bad] == [(7, "encoding", "caf\\xe9,b")]
    assert "0xe9" in bad[0].message


def test_it_sets_half_a_utf_16_character_aside(tmp_path):
    lines = ["text,label\n", "one,a\n", "x\ud800y,b\n", "two,c\n"]
    content = b"\xff\xfe" + "".join(lines).encode("utf-16-le", "surrogatepass")
    good, bad = read_all(write(tmp_path, content))
    assert [row.fields["text"] for row in good] == ["one", "two"]
    assert [(row.line, row.code) for row in bad] == [(3, "encoding")]


def test_it_sets_ragged_rows_aside(tmp_path):
    good, bad = read_all(write(tmp_path, "text,label\nok,a\nshort\none, two,b\nfine,c\n"))
    assert [row.line for row in good] == [2, 5]
    assert [(row.line, row.raw, row.code) for row in bad] == [
        (3, "short", "ragged"),
        (4, "one, two,b", "ragged"),
    ]
    assert bad[0].message == "line 3 has 1 of 2 cells (text, label): add the missing ones"
    assert bad[1].message.startswith("line 4 has 3 cells, expected 2")


@pytest.mark.parametrize("content", ["", b"\xef\xbb\xbf", "\n\n  \n", gzip.compress(b"", mtime=0)])
def test_it_refuses_an_empty_file(tmp_path, content):
    with pytest.raises(IntakeError, match="choose a file with a header line and rows") as caught:
        read.sniff(write(tmp_path, content))
    assert caught.value.code == "empty"


def test_it_refuses_a_header_without_rows(tmp_path):
    with pytest.raises(IntakeError, match="has a header but no rows") as caught:
        read.sniff(write(tmp_path, "text,label\n"))
    assert caught.value.code == "empty"


def test_it_refuses_a_file_that_is_not_there(tmp_path):
    with pytest.raises(IntakeError, match=r"nowhere\.csv is no file: check the path") as caught:
        read.sniff(tmp_path / "nowhere.csv")
    assert caught.value.code == "missing"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04", "Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"BZh9", "bzip2"),
        (b"SQLite format 3\0", "SQLite"),
    ],
)
def test_it_names_a_file_of_another_kind(tmp_path, start, what):
    with pytest.raises(IntakeError, match=what) as caught:
        read.sniff(write(tmp_path, start + bytes(range(256)) * 4))
    assert caught.value.code == "binary"


def test_it_refuses_bytes_that_are_no_text(tmp_path):
    with pytest.raises(IntakeError, match="is no text file") as caught:
        read.sniff(write(tmp_path, b"\x00\x00\x00\x01" * 500))
    assert caught.value.code == "binary"


def test_it_refuses_a_format_that_does_not_exist(tmp_path):
    with pytest.raises(IntakeError, match="expected one of csv, tsv, jsonl, parquet"):
        read.sniff(write(tmp_path, "text\nhello\n"), format="xml")


def test_it_sets_lines_with_nul_bytes_aside(tmp_path):
    good, bad = read_all(write(tmp_path, b"text,label\none,a\nt\0wo,b\nthree,c\n"))
    assert [row.line for row in good] == [2, 4]
    assert [(row.line, row.code, row.raw) for row in bad] == [(3, "nul", "t\\x00wo,b")]


@pytest.mark.parametrize(
    ("content", "delimiter", "columns"),
    [
        ("text;label\na, b;x\nc;y\n", ";", ("text", "label")),
        ("text\tlabel\na, b\tx\n", "\t", ("text", "label")),
        ("text|label\na, b|x\n", "|", ("text", "label")),
        ("id,text,label\n1,a;b,x\n2,c,y\n", ",", ("id", "text", "label")),
    ],
)
def test_it_finds_the_delimiter(tmp_path, content, delimiter, columns):
    info = read.sniff(write(tmp_path, content))
    assert (info.delimiter, info.columns) == (delimiter, columns)


def test_it_believes_a_delimiter_that_is_given(tmp_path):
    assert read.sniff(write(tmp_path, "a,b;c\n1,2;3\n"), delimiter=";").columns == ("a,b", "c")


def test_it_takes_commas_as_text_where_the_header_names_one_column(tmp_path):
    path = write(tmp_path, 'text\nhello, there\n"quoted, too"\n')
    assert "commas in a row are taken as part of its text" in read.sniff(path).warnings[0]
    assert [row.fields["text"] for row in read_all(path)[0]] == ["hello, there", "quoted, too"]


def test_it_reads_a_file_without_a_header(tmp_path):
    path = write(tmp_path, "hello,a\nworld,b\n")
    good, _ = read_all(path, has_header=False)
    assert [row.fields for row in good] == [
        {"column 1": "hello", "column 2": "a"},
        {"column 1": "world", "column 2": "b"},
    ]
    path = write(tmp_path, "Hello, you\nJust one\nNo, not, that\n")
    assert [row.fields["column 1"] for row in read_all(path, has_header=False)[0]] == [
        "Hello, you", "Just one", "No, not, that",
    ]  # fmt: skip


def test_it_renames_columns_that_come_twice_or_have_no_name(tmp_path):
    info = read.sniff(write(tmp_path, " text ,text,,label\na,b,c,d\n"))
    assert info.columns == ("text", "text (2)", "column 3", "label")
    assert info.warnings == (
        "two columns are called 'text': column 2 is called 'text (2)' here",
        "column 3 has no name: it is called 'column 3' here",
    )
    assert read_all(tmp_path / "file.csv")[0][0].fields["text (2)"] == "b"


def test_it_reads_a_header_with_quoted_line_ends(tmp_path):
    good, bad = read_all(write(tmp_path, '\n"text\nof it",label\none,a\n'))
    assert good == [Row(4, {"text of it": "one", "label": "a"}, "one,a")]
    assert bad == []


def test_it_refuses_a_header_with_a_stray_quote(tmp_path):
    with pytest.raises(IntakeError, match="mend the first line") as caught:
        read.sniff(write(tmp_path, '"text,label\none,a\n'))
    assert caught.value.code == "header"


@pytest.mark.parametrize(
    "header", [",".join(f"c{i}" for i in range(2_001)), "x" * 200_001 + ",y"], ids=["columns", "length"]
)
def test_it_refuses_a_header_beyond_all_bounds(tmp_path, header):
    with pytest.raises(IntakeError, match="check the delimiter and the line ends") as caught:
        read.sniff(write(tmp_path, f"{header}\na,b\n"))
    assert caught.value.code == "header"


def test_it_warns_when_no_row_can_be_read(tmp_path):
    info = read.sniff(write(tmp_path, "text,label\na,b,c\nd,e,f\n"), delimiter=",")
    assert info.preview == ()
    assert info.warnings[0].startswith("no row can be read so far: line 2 has 3 cells, expected 2")


@pytest.mark.parametrize(
    "line", ['"never closed,a', 'x,"never closed', '"say "hi" now",a', '"a" b,c', '""",'], ids=range(5)
)
def test_it_loses_one_row_to_a_stray_quote(tmp_path, line):
    good, bad = read_all(write(tmp_path, f'text,label\none,a\n{line}\ntwo,b\n"three",c\nfour,d\n'))
    assert [row.fields["text"] for row in good] == ["one", "two", "three", "four"]
    assert [(row.line, row.raw, row.code) for row in bad] == [(3, line, "quote")]


def test_it_loses_one_row_to_a_quote_that_opens_in_a_long_file(tmp_path):
    body = "".join(f"row {i},a\n" for i in range(5_000))
    good, bad = read_all(write(tmp_path, f'text,label\n"stray,a\n{body}'), SMALL)
    assert len(good) == 5_000
    assert [(row.line, row.code) for row in bad] == [(2, "quote")]


def test_it_reads_lines_that_all_open_a_quote_in_time_that_grows_with_the_file(tmp_path):
    lines = 20_000
    good, bad = read_all(write(tmp_path, "text,label\n" + 'a"b,"c\n' * lines))
    assert (len(good), len(bad)) == (0, lines)


def test_it_takes_a_quote_inside_an_unquoted_cell_as_text(tmp_path):
    good, bad = read_all(write(tmp_path, 'text,label\n5" pipe,a\n6" pipe,b\n'))
    assert [row.fields["text"] for row in good] == ['5" pipe', '6" pipe']
    assert bad == []


@pytest.mark.parametrize("cell", ["x" * 50_000, '"' + "x" * 50_000 + '"', '"' + "x\n" * 25_000 + '"'])
def test_it_sets_a_giant_cell_aside_and_reads_on(tmp_path, cell):
    path = write(tmp_path, f"text,label\none,a\n{cell},b\ntwo,c\n")
    good, bad = read_all(path, SMALL)
    assert [row.fields["text"] for row in good] == ["one", "two"]
    assert [row.line for row in bad] == [3]
    assert bad[0].code in ("too_large", "cell_too_large")
    assert len(bad[0].raw) == SMALL.raw and not bad[0].whole


def test_it_sets_a_cell_just_over_the_limit_aside(tmp_path):
    content = f"text,label\n{'x' * 1_000},a\n{'y' * 1_001},b\n"
    good, bad = read_all(write(tmp_path, content), SMALL)
    assert [row.line for row in good] == [2]
    assert bad[0].message == "line 3 has a cell of 1,001 characters, the limit is 1,000: shorten it"


def test_it_says_where_a_giant_quote_opens_that_never_closes(tmp_path):
    content = 'text,label\none,a\n"' + "word word\n" * 5_000
    good, bad = read_all(write(tmp_path, content), SMALL)
    assert [row.line for row in good] == [2]
    assert [(row.line, row.code) for row in bad] == [(3, "quote")]
    assert "the quote that opens in line 3 is never closed" in bad[0].message


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl"])
def test_it_reads_past_a_cell_of_50_mb_in_little_memory(tmp_path, suffix):
    giant = b"x" * 50_000_000
    if suffix == "jsonl":
        content = b'{"text":"one"}\n{"text":"' + giant + b'"}\n{"text":"two"}\n'
    else:
        content = b'text,label\none,a\n"' + giant + b'",b\ntwo,c\n'
    path = write(tmp_path, gzip.compress(content, 1) if suffix.endswith("gz") else content, f"file.{suffix}")
    del content
    tracemalloc.start()
    good, bad = read_all(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.fields["text"] for row in good] == ["one", "two"]
    assert [row.code for row in bad] == ["too_large"]
    assert peak < 40_000_000


@pytest.mark.slow
def test_it_reads_many_rows_in_flat_memory(tmp_path):
    path = tmp_path / "file.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        for i in range(200_000):
            file.write(f'"message, number {i}",a\n')
    info = read.sniff(path)
    tracemalloc.start()
    count = sum(1 for _ in read.rows(path, info))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 6_000_000


def test_it_reads_all_rows_before_the_end_of_a_cut_off_gzip(tmp_path):
    lines = [f"message {i * 7919 % 10007} of {i},label{i % 7}\n" for i in range(20_000)]
    packed = gzip.compress(("text,label\n" + "".join(lines)).encode())
    good, bad = read_all(write(tmp_path, packed[: len(packed) // 2], "file.csv.gz"))
    assert 5_000 < len(good) < 15_000
    assert [row.fields["text"] for row in good] == [line.split(",")[0] for line in lines[: len(good)]]
    assert [(row.line, row.code) for row in bad] == [(len(good) + 2, "truncated")]
    assert "cut off" in bad[0].message and lines[len(good)].startswith(bad[0].raw)


def test_it_reads_all_rows_before_a_damaged_place_in_a_gzip(tmp_path):
    content = "text,label\n" + "".join(f"message {i * 7919 % 10007},a\n" for i in range(50_000))
    packed = bytearray(gzip.compress(content.encode()))
    packed[-6] ^= 0xFF  # the checksum
    good, bad = read_all(write(tmp_path, bytes(packed), "file.csv.gz"))
    assert len(good) == 50_000 - (0 if content.endswith("\n") else 1)
    assert [row.code for row in bad] == ["truncated"]
    assert "damaged" in bad[0].message


def test_it_refuses_a_gzip_with_nothing_whole_in_it(tmp_path):
    with pytest.raises(IntakeError, match="get a whole copy") as caught:
        read.sniff(write(tmp_path, gzip.compress(b"text,label\none,a\n")[:9], "file.csv.gz"))
    assert caught.value.code == "damaged"


def test_it_reads_a_gzip_of_several_members_padded_with_zeros(tmp_path):
    packed = gzip.compress(b"text,label\none,a\n") + gzip.compress(b"two,b\n") + b"\0" * 600_000
    good, bad = read_all(write(tmp_path, packed, "file.csv.gz"))
    assert [row.fields["text"] for row in good] == ["one", "two"]
    assert bad == []


def test_it_unpacks_gzip_by_content_not_by_name(tmp_path):
    info = read.sniff(write(tmp_path, gzip.compress(b"text,label\none,a\n"), "file.csv"))
    assert info.compression == "gzip"


def test_it_marks_a_last_line_that_ends_inside_a_character(tmp_path):
    good, bad = read_all(write(tmp_path, "text,label\none,a\n退款,".encode()[:-2]))
    assert [row.line for row in good] == [2]
    assert [(row.line, row.code) for row in bad] == [(3, "truncated")]


def test_it_marks_a_utf_16_file_that_ends_inside_a_character(tmp_path):
    good, bad = read_all(write(tmp_path, "text,label\none,a\ntwo,b".encode("utf-16")[:-1]))
    assert [row.line for row in good] == [2]
    assert [(row.line, row.code, row.raw) for row in bad] == [(3, "truncated", "two,")]


def test_it_reads_json_lines(tmp_path):
    content = '{"text": "one", "label": "a", "n": 1}\n\n{"label": null, "text": "two", "tags": ["x"]}\r\n'
    path = write(tmp_path, content, "file.jsonl")
    assert read.sniff(path).columns == ("text", "label", "n", "tags")
    good, bad = read_all(path)
    assert [row.fields for row in good] == [
        {"text": "one", "label": "a", "n": 1},
        {"label": None, "text": "two", "tags": ["x"]},
    ]
    assert [row.line for row in good] == [1, 3]
    assert bad == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("not json", "json"),
        ('["a list"]', "json"),
        ('{"text": NaN}', "json"),
        ('{"text": "a"} extra', "json"),
        ('{"n": ' + "9" * 5000 + "}", "json"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "json"),
        ('{"text": "half \\ud83d"}', "encoding"),
        ('{"text": "nul \\u0000"}', "nul"),
    ],
    ids=range(8),
)
def test_it_sets_bad_json_lines_aside(tmp_path, line, code):
    good, bad = read_all(write(tmp_path, f'{{"text": "one"}}\n{line}\n{{"text": "two"}}\n', "file.jsonl"))
    assert [row.fields["text"] for row in good] == ["one", "two"]
    assert [(row.line, row.code) for row in bad] == [(2, code)]


def test_it_takes_escapes_that_only_look_dangerous(tmp_path):
    lines = ['{"text": "\\ud83d\\ude00"}', '{"text": "\\\\u0000"}']
    good, bad = read_all(write(tmp_path, "\n".join(lines), "file.jsonl"))
    assert [row.fields["text"] for row in good] == ["😀", "\\u0000"]
    assert bad == []


def test_it_marks_a_cut_off_last_json_line(tmp_path):
    good, bad = read_all(write(tmp_path, '{"text": "one"}\n{"text": "tw', "file.jsonl"))
    assert len(good) == 1
    assert [(row.line, row.code, row.raw) for row in bad] == [(2, "truncated", '{"text": "tw')]


def test_it_sets_a_large_json_cell_aside(tmp_path):
    content = json.dumps({"text": "x" * 1_500}) + "\n" + json.dumps({"text": "fine"})
    good, bad = read_all(write(tmp_path, content, "file.jsonl"), SMALL)
    assert [row.line for row in good] == [2]
    assert [row.code for row in bad] == ["cell_too_large"]


def test_it_tells_json_lines_by_content(tmp_path):
    assert read.sniff(write(tmp_path, '{"text": "one"}\n', "upload.bin")).format == "jsonl"


def test_it_refuses_a_json_array_and_says_what_to_do(tmp_path):
    with pytest.raises(IntakeError, match="is one JSON array: write one object a line"):
        read.sniff(write(tmp_path, '[{"text": "one"}]', "file.json"))


def test_it_refuses_json_lines_without_an_object(tmp_path):
    with pytest.raises(IntakeError, match="has no JSON object in its first rows: line 1 is not JSON"):
        read.sniff(write(tmp_path, "text,label\none,a\n", "file.jsonl"))


def test_it_shows_a_preview_with_cells_cut(tmp_path):
    content = "text,label\n" + "".join(f"{'x' * 500},{i}\n" for i in range(40))
    preview = read.sniff(write(tmp_path, content)).preview
    assert len(preview) == 10
    assert preview[3] == {"text": "x" * 300, "label": "3"}


def test_it_takes_a_file_info_through_json_and_back(tmp_path):
    info = read.sniff(write(tmp_path, "text,text\na,b\n"))
    assert read.FileInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


def test_it_tells_progress_in_bytes_of_the_file(tmp_path):
    path = write(tmp_path, "text,label\n" + "hello,a\n" * 100_000)
    seen: list[tuple[int, int]] = []
    list(read.rows(path, read.sniff(path), on_progress=lambda done, total: seen.append((done, total))))
    size = path.stat().st_size
    assert len(seen) > 2
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


def test_it_counts_the_labels_of_a_labelled_file(tmp_path):
    path = write(tmp_path, "text,label\na,x\nb,y\nc, x \nd,\n")
    assert read.count_values(path, read.sniff(path), "label") == {"x": 2, "y": 1}


def test_it_refuses_to_count_a_column_of_texts(tmp_path):
    path = write(tmp_path, "text,label\n" + "".join(f"t{i},a\n" for i in range(1_100)))
    with pytest.raises(IntakeError, match="choose the column that holds the labels"):
        read.count_values(path, read.sniff(path), "text")


def test_it_writes_bad_rows_so_that_a_mended_copy_can_be_imported(tmp_path):
    path = write(tmp_path, 'text,label\none,a\nbad\n"open,b\n"two\nlines",c,d\n')
    info = read.sniff(path)
    _, bad = read_all(path)
    out = "".join(read.bad_rows_file(info, bad))
    assert out == 'text,label\nbad\n"open,b\n"two\nlines",c,d\n'
    mended = out.replace("bad\n", "bad,z\n").replace('"open', '"open"').replace(",c,d", ",c")
    good, still_bad = read_all(write(tmp_path, mended, "mended" + read.bad_rows_suffix(info)))
    assert [row.fields for row in good] == [
        {"text": "bad", "label": "z"},
        {"text": "open", "label": "b"},
        {"text": "two\nlines", "label": "c"},
    ]
    assert still_bad == []


def test_it_leaves_bad_rows_that_were_cut_out_of_the_file_to_mend(tmp_path):
    path = write(tmp_path, f"text,label\nok,a\n{'x' * 200}\nshort\n")
    _, bad = read_all(path, SMALL)
    assert [row.whole for row in bad] == [False, True]
    assert "".join(read.bad_rows_file(read.sniff(path), bad)) == "text,label\nshort\n"


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(deadline=None)
@given(
    table=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=20),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_it_reads_whatever_the_csv_module_writes(tmp_path_factory, table, end):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerow(["text", "label", "note"])
    writer.writerows(table)
    path = write(tmp_path_factory.mktemp("csv"), out.getvalue())
    good, bad = read_all(path)
    assert [tuple(row.fields.values()) for row in good] == table
    assert bad == []


@settings(deadline=None)
@given(
    content=st.binary(max_size=300),
    name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.parquet"]),
)
def test_it_never_fails_in_another_way_than_by_its_own_error(tmp_path_factory, content, name):
    path = write(tmp_path_factory.mktemp("any"), b"text,label\n" + content, name)
    try:
        info = read.sniff(path)
    except IntakeError:
        return
    for row in read.rows(path, info, limits=SMALL):
        assert isinstance(row, (Row, BadRow))


@settings(deadline=None, max_examples=200)
@given(content=st.text('ab",\n', max_size=300), record=st.integers(10, 80))
def test_it_reads_each_line_once_however_small_its_limits(tmp_path_factory, content, record):
    path = write(tmp_path_factory.mktemp("limits"), f"text,label\nfirst,row\n{content}\nlast,row\n")
    found = list(read.rows(path, read.sniff(path), limits=Limits(cell=8, record=record, raw=40)))
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
    assert found[0].line == 2


@settings(deadline=None, max_examples=200)
@given(lines=st.lists(st.text('a",\n', max_size=12), max_size=12))
def test_it_accounts_for_every_line_whatever_the_quotes(tmp_path_factory, lines):
    content = "text,label\nfirst,row\n" + "\n".join(lines)
    path = write(tmp_path_factory.mktemp("quotes"), content)
    found = list(read.rows(path, read.sniff(path)))
    raw = "\n".join(row.raw for row in found)
    assert [line for line in raw.split("\n") if line] == [line for line in content.split("\n")[1:] if line]
