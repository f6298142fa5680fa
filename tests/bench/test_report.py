import json
import math

import pytest

from bench._report import Figure, main, table


def _figures(quick):
    yield Figure("theme.speed", 12.5 if quick else 25.0, "1/s", "naive, 5.0", 2.5)
    yield Figure("theme.lost", 0, "count")
    yield Figure("theme.same", True, "bool")
    yield Figure("theme.endless", math.inf, "s")
    yield Figure("theme.peer", skipped="no peer here")


def _lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_it_ends_with_one_json_line_a_figure(capsys):
    assert main(_figures, []) == 0
    text = capsys.readouterr().out
    lines = _lines(text)
    assert [line["name"] for line in lines] == [
        "theme.speed",
        "theme.lost",
        "theme.same",
        "theme.endless",
        "theme.peer",
    ]
    assert lines[0] == {
        "name": "theme.speed",
        "value": 25.0,
        "unit": "1/s",
        "against": "naive, 5.0",
        "ratio": 2.5,
    }
    assert lines[2]["value"] is True
    assert lines[3]["value"] is None
    assert lines[4]["skipped"] == "no peer here"
    assert text.splitlines()[-5:] == [line for line in text.splitlines() if line.startswith("{")]


def test_it_marks_a_quick_look_by_a_suffix(capsys):
    main(_figures, ["--quick"])
    lines = _lines(capsys.readouterr().out)
    assert lines[0]["name"] == "theme.speed.quick"
    assert lines[0]["value"] == 12.5


def test_it_writes_the_lines_to_a_file(tmp_path, capsys):
    target = tmp_path / "new" / "figures.json"
    main(_figures, ["--json", str(target)])
    assert _lines(target.read_text()) == _lines(capsys.readouterr().out)


def test_it_tells_what_was_measured_before_something_failed(tmp_path, capsys):
    def figures(quick):
        yield Figure("theme.speed", 25.0, "1/s")
        raise TimeoutError("the machine is too slow")

    with pytest.raises(TimeoutError, match="too slow"):
        main(figures, ["--json", str(tmp_path / "found.json")])
    assert [line["name"] for line in _lines(capsys.readouterr().out)] == ["theme.speed"]
    assert json.loads((tmp_path / "found.json").read_text())["value"] == 25.0


def test_it_prints_a_table_for_people():
    shown = table(_figures(False)).splitlines()
    assert shown[0].split() == ["figure", "value", "unit", "against", "ratio"]
    assert shown[2].split() == ["theme.speed", "25", "1/s", "naive,", "5.0", "2.5"]
    assert "skipped: no peer here" in shown[6]
    assert "yes" in shown[4]


def test_it_refuses_options_it_does_not_know():
    with pytest.raises(SystemExit):
        main(_figures, ["--fast"])
