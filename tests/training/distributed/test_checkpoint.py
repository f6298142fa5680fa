from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from training.distributed import checkpoint


def make(folder: Path, step: int, key: str = "run", *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(os.urandom(1000))
    (path / "state.json").write_text(json.dumps({"step": step}))
    if sealed:
        checkpoint.seal(path, key)
    return path


def test_it_finds_the_newest_of_all_attempts(tmp_path: Path) -> None:
    make(tmp_path / "one", 100)
    newest = make(tmp_path / "two", 300)
    make(tmp_path / "three", 200)
    folders = [tmp_path / name for name in ("one", "two", "three", "not there")]
    assert checkpoint.newest(folders, "run") == newest
    assert checkpoint.step_of(newest) == 300


def test_it_orders_steps_as_numbers_not_words(tmp_path: Path) -> None:
    make(tmp_path, 9)
    assert checkpoint.newest([tmp_path], "run") == tmp_path / "checkpoint-9"
    make(tmp_path, 10)
    assert checkpoint.newest([tmp_path], "run") == tmp_path / "checkpoint-10"


def cut(path: Path) -> None:
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])


def flip(path: Path) -> None:
    weights = path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[500] ^= 1
    weights.write_bytes(bytes(data))


def lose(path: Path) -> None:
    (path / "state.json").unlink()


def unseal(path: Path) -> None:
    (path / checkpoint.MARKER).unlink()


def cut_marker(path: Path) -> None:
    marker = path / checkpoint.MARKER
    marker.write_text(marker.read_text()[:40])


def empty_marker(path: Path) -> None:
    (path / checkpoint.MARKER).write_text("[]")


@pytest.mark.parametrize("damage", [cut, flip, lose, unseal, cut_marker, empty_marker])
def test_it_passes_over_a_damaged_one_for_the_next_older(tmp_path: Path, damage: object) -> None:
    older, newest = make(tmp_path, 100), make(tmp_path, 200)
    assert callable(damage)
    damage(newest)
    assert checkpoint.newest([tmp_path], "run") == older
    damage(older)
    assert checkpoint.newest([tmp_path], "run") is None


def test_it_looks_while_another_attempt_clears_up(
    tmp_path: Path, coming_and_going: Callable[[Path], None]
) -> None:
    coming_and_going(tmp_path / "attempt" / "checkpoint-1")
    for _ in range(3000):
        assert checkpoint.newest([tmp_path / "attempt"], "run") is None


def test_it_does_not_take_a_checkpoint_of_another_run(tmp_path: Path) -> None:
    make(tmp_path, 100, key="other data")
    assert checkpoint.newest([tmp_path], "run") is None


def test_it_gives_back_the_space_of_half_written_ones(tmp_path: Path) -> None:
    whole, half = make(tmp_path, 100), make(tmp_path, 200, sealed=False)
    (tmp_path / "notes").mkdir()
    checkpoint.discard_unsealed(tmp_path)
    checkpoint.discard_unsealed(tmp_path / "not there")
    assert whole.exists() and not half.exists() and (tmp_path / "notes").exists()


def test_it_finds_no_step_in_other_names() -> None:
    with pytest.raises(ValueError, match="expected checkpoint-<step>"):
        checkpoint.step_of(Path("somewhere"))
