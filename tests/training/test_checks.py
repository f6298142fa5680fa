from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from training import checks

ALL = (checks.kinds, checks.names, checks.machines, checks.second_copy, checks.mlflow)


def test_it_finds_nothing_in_the_defaults_nor_in_what_the_manual_shows(settings: Any, tmp_path: Path) -> None:
    assert [message for check in ALL for message in check()] == []
    settings.TRAINING_NODES = "1:4"
    settings.TRAINING_RENDEZVOUS = "trainer1:29400"
    settings.TRAINING_SECOND_COPY = str(tmp_path / "not" / "there" / "yet")
    assert [message for check in ALL for message in check()] == []


@pytest.mark.parametrize(
    ("check", "name", "value", "expected", "words"),
    [
        (
            checks.kinds,
            "TRAINING_NODES",
            2,
            "training.E001",
            "TRAINING_NODES=2 is of type int, expected text.",
        ),
        (checks.kinds, "TRAINING_SECOND_COPY", None, "training.E001", "is of type NoneType"),
        (checks.machines, "TRAINING_RENDEZVOUS", "trainer1", "training.E002", "expected host:port"),
        (checks.machines, "TRAINING_RENDEZVOUS", "trainer1:99999", "training.E002", "expected host:port"),
        (checks.machines, "TRAINING_NODES", "many", "training.E003", "no number of machines"),
        (checks.machines, "TRAINING_NODES", "4", "training.E003", "no place to meet is set"),
        (
            checks.second_copy,
            "TRAINING_SECOND_COPY",
            "/dev/null/x",
            "training.E004",
            "cannot be written to",
        ),
        (
            checks.gpu_pool,
            "TRAINING_GPU_POOL",
            "80 %",
            "training.E006",
            "expected a share from 0 (none) to 1",
        ),
        (checks.mlflow, "TRAINING_MLFLOW_URI", "http://m:1", "training.E005", "mlflow is not installed"),
        (checks.second_copy, "TRAINING_SECOND_COPY", "copies", "training.E004", "cannot be written to"),
    ],
)
def test_it_says_what_is_wrong_with_a_setting(
    settings: Any, check: checks.Check, name: str, value: Any, expected: str, words: str
) -> None:
    setattr(settings, name, value)
    [found] = check()
    assert found.id == expected and words in found.msg and found.hint


def test_it_names_the_setting_that_a_misspelt_one_may_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_RENDEVOUS", "trainer1:29400")
    monkeypatch.setenv("TRAINING_BANANA", "1")
    far, near = checks.names()
    assert near.msg == "There is no setting TRAINING_RENDEVOUS: it has no effect."
    assert near.hint == "Do you mean TRAINING_RENDEZVOUS?"
    assert far.hint == f"Known are {', '.join(checks.KNOWN)}."


def test_manage_py_check_runs_them(settings: Any) -> None:
    settings.TRAINING_NODES = "many"
    with pytest.raises(SystemCheckError, match=r"training\.E003"):
        call_command("check")
