from __future__ import annotations

import errno
from pathlib import Path

import pytest

from training.distributed import faults


class SafetensorError(Exception):
    """Not an OSError, as the library's own."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError(
            "[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/2"
        ),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 3916352 vs 3916240"),
    ],
)
def test_it_says_a_full_disk_in_one_sentence_whoever_met_it(error: Exception, tmp_path: Path) -> None:
    sentence = faults.out_of_space(error, tmp_path / "not" / "there" / "yet")
    assert sentence is not None
    assert sentence.startswith("the disk is full (") and "free some space" in sentence


def test_it_finds_a_cause_further_down(tmp_path: Path) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as inner:
            raise RuntimeError("saving went wrong") from inner
    except RuntimeError as error:
        assert faults.out_of_space(error, tmp_path)


def test_it_does_not_take_other_errors_for_a_full_disk(tmp_path: Path) -> None:
    assert faults.out_of_space(OSError(errno.EACCES, "Permission denied"), tmp_path) is None
    assert faults.out_of_space(RuntimeError("shapes cannot be multiplied"), tmp_path) is None


def test_it_tells_a_lost_rank_from_an_error_of_its_own() -> None:
    assert faults.lost_peer(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"))
    assert not faults.lost_peer(RuntimeError("shapes cannot be multiplied"))
    assert not faults.lost_peer(ValueError("gloo is a word here"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:132] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_it_knows_memory_that_ran_out(error: Exception) -> None:
    assert faults.out_of_memory(error)
    assert not faults.out_of_memory(ValueError("out of memory is a phrase here"))
    assert not faults.out_of_memory(RuntimeError("shapes cannot be multiplied"))
