from __future__ import annotations

import errno
import json
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from training.distributed import checkpoint, checkpoint_writer
from training.distributed.checkpoint_writer import Writer, write_tensors


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def writer(tmp_path: Path, told: list[str]) -> Writer:
    return Writer(tmp_path / "here", "run", keep=2, told=told.append)


def tensors(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {"model": {"weight": torch.full((3, 4), value), "steps": torch.tensor(7)}}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_writes_what_the_tensors_were_though_training_goes_on(writer: Writer) -> None:
    state = tensors(1.0)
    writer.start(10, state, {"state": {"step": 10}})
    writer.before_update()
    state["model"]["weight"].fill_(2.0)
    writer.wait()
    found = checkpoint.newest([writer.folder], "run")
    assert found == writer.folder / "checkpoint-10"
    assert load_file(found / "model.safetensors")["weight"].unique().tolist() == [1.0]
    assert load_file(found / "model.safetensors")["steps"].item() == 7
    assert json.loads((found / "state.json").read_text()) == {"step": 10}


def test_it_lets_go_of_what_was_put_together_for_it_once_it_has_a_copy(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = threading.Event()

    def wait(path: Path, held: Any, places: Any) -> str:
        assert writes.wait(60)
        return write_tensors(path, held, places)

    monkeypatch.setattr(checkpoint_writer, "write_tensors", wait)
    state = tensors(1.0)
    whole = weakref.ref(state["model"]["weight"])
    writer.start(1, state, {})
    writer.before_update()
    del state
    assert whole() is None
    writes.set()
    writer.wait()
    assert names(writer.folder) == ["checkpoint-1"]


def test_it_keeps_the_newest_and_the_best(writer: Writer) -> None:
    for step in (1, 2, 3, 4, 5):
        writer.start(step, tensors(step), {}, best=2)
    writer.wait()
    assert names(writer.folder) == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]


def full_disk(*_args: Any) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


def broken_disk(path: Path, held: Any, places: Any) -> str:
    right = write_tensors(path, held, places)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    return right


@pytest.mark.parametrize(
    ("fault", "words"), [(full_disk, "the disk is full"), (broken_disk, "reads back otherwise")]
)
def test_it_leaves_the_old_one_when_a_new_one_cannot_be_written(
    fault: Callable[..., str], words: str, writer: Writer, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.start(1, tensors(1.0), {})
    writer.wait()
    monkeypatch.setattr(checkpoint_writer, "write_tensors", fault)
    writer.start(2, tensors(2.0), {})
    writer.wait()
    assert names(writer.folder) == ["checkpoint-1"]  # and the half-written one gave its space back
    assert checkpoint.newest([writer.folder], "run") == writer.folder / "checkpoint-1"
    assert writer.failed == 1
    assert told[0].startswith("no checkpoint of step 2, the older ones stand: ") and words in told[0]
    monkeypatch.undo()
    writer.start(3, tensors(3.0), {})
    writer.wait()
    assert names(writer.folder) == ["checkpoint-1", "checkpoint-3"]


def test_it_makes_a_second_copy_that_stands_in_for_a_damaged_first(tmp_path: Path, told: list[str]) -> None:
    writer = Writer(tmp_path / "here", "run", keep=2, elsewhere=tmp_path / "there", told=told.append)
    for step in (1, 2, 3):
        writer.start(step, tensors(step), {})
    writer.wait()
    assert names(tmp_path / "there") == ["checkpoint-2", "checkpoint-3"]
    (tmp_path / "here" / "checkpoint-3" / "model.safetensors").write_bytes(b"")
    found = checkpoint.newest([tmp_path / "here", tmp_path / "there"], "run")
    assert found == tmp_path / "there" / "checkpoint-3"
    assert told == []


def test_it_tells_when_the_second_place_is_gone_and_keeps_the_first(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "file").write_text("")
    writer = Writer(tmp_path / "here", "run", elsewhere=tmp_path / "file" / "there", told=told.append)
    writer.start(1, tensors(1.0), {})
    writer.wait()
    assert names(writer.folder) == ["checkpoint-1"]
    assert "no second copy of checkpoint-1" in told[0]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_it_writes_what_the_library_reads(kind: torch.dtype, tmp_path: Path) -> None:
    value = torch.arange(6).reshape(2, 3).to(kind)
    digest = write_tensors(
        tmp_path / "x.safetensors", {"a": value, "empty": torch.empty(0), "b": value[0, 0]}
    )
    found = load_file(tmp_path / "x.safetensors")
    assert found["a"].dtype == kind and torch.equal(found["a"], value)
    assert found["empty"].shape == (0,) and found["b"].shape == ()
    assert checkpoint.file_sha256(tmp_path / "x.safetensors") == digest


def test_it_refuses_what_the_format_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="complex64, which a checkpoint cannot keep"):
        write_tensors(tmp_path / "x", {"a": torch.zeros(1, dtype=torch.complex64)})
    with pytest.raises(ValueError, match="keep: found 0"):
        Writer(tmp_path, "run", keep=0)
