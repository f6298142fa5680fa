from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from selection.services.simulate import SimulationSpec, measure
from selection.services.simulation_report import summary

WORDS = {
    "refund": ["money back for the {}", "refund my {}", "return the {} payment"],
    "weather": ["rain near the {}", "is the {} sunny", "storm at the {}"],
    "joke": ["tell me a {} joke", "make me laugh about a {}", "a funny {} story"],
}
THINGS = [
    "train",
    "shop",
    "hotel",
    "museum",
    "bakery",
    "bridge",
    "park",
    "dog",
    "lamp",
    "door",
    "river",
    "cloud",
]


def write(path: Path, count: int, *, seed: int = 0, labels: list[str] | None = None) -> Path:
    rng = random.Random(seed)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for number in range(count):
            label = rng.choice(labels or list(WORDS))
            writer.writerow([f"{rng.choice(WORDS[label]).format(rng.choice(THINGS))} {seed}-{number}", label])
    return path


def simulate(*arguments: str) -> str:
    out = StringIO()
    call_command("simulate", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.slow
def test_it_runs_every_strategy_on_every_seed_and_leaves_no_trace(tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 90)
    environment = {**os.environ, "TEST_DATA_DIR": str(tmp_path / "own"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "manage.py", "simulate", "--data", str(data), "--strategy", "default"]
    command += ["--batch", "8", "--rounds", "2", "--seeds", "2", "--workers", "2"]
    command += ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.svg")]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert [curve["strategy"] for curve in report["curves"]] == ["default", "random"]
    for curve in report["curves"]:
        assert curve["labels"] == [8, 16]
        assert len(curve["accuracy"]) == 2 and len(curve["accuracy_by_seed"]) == 2
        assert 0 < curve["auc"] <= 1 and curve["low"][1] <= curve["accuracy"][1] <= curve["high"][1]
        assert curve["accuracy"][1] > 0.5  # by chance 0.33
    first = [[seed[0] for seed in curve["accuracy_by_seed"]] for curve in report["curves"]]
    assert first[0] == first[1]  # the same cold start, so that the courses are paired
    assert report["curves"][1]["labels_to_random_final"] <= 16
    assert "labels" in done.stdout and "auc" in done.stdout
    drawn = (tmp_path / "out.svg").read_text()
    assert drawn.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in drawn and "<style>" in drawn
    assert not list((tmp_path / "own").glob("*.sqlite3"))  # the command's own settings were not used for data


@pytest.mark.slow
@pytest.mark.django_db
def test_it_judges_on_the_test_file_where_one_is_given(tmp_path: Path) -> None:
    data, test = write(tmp_path / "data.csv", 40), write(tmp_path / "test.csv", 30, seed=1)
    spec = SimulationSpec(data=str(data), test=str(test), batch=8, rounds=1, seeds=1, strategies=("random",))
    courses = measure(spec)
    (accuracy,) = courses[0].accuracy
    assert accuracy * 30 == pytest.approx(round(accuracy * 30), abs=1e-3)
    (curve,) = summary(spec, courses)["curves"]
    assert curve["accuracy"] == [pytest.approx(accuracy)] and curve["low"] == [None]


def test_it_says_what_is_wrong(tmp_path: Path) -> None:
    good = write(tmp_path / "good.csv", 30)
    lonely = write(tmp_path / "lonely.csv", 10, labels=["joke"])
    cases = [
        ([], "--data is missing"),
        (["--data", str(tmp_path / "nowhere.csv")], "nowhere.csv"),
        (["--data", str(good), "--text", "body"], "has no column 'body'; it has text, label"),
        (["--data", str(lonely)], "has 1 labels in column 'label'"),
        (["--data", str(good), "--strategy", "best"], "there is no strategy 'best'"),
        (["--data", str(good), "--rounds", "0"], "--rounds is 0, expected 1 or more"),
    ]
    for arguments, words in cases:
        with pytest.raises(CommandError, match=words):
            simulate(*arguments)
