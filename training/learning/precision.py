"""In which precision matrices are multiplied: what was asked for, what this machine does fast, and why.

bf16 keeps float32's range with 8 bits of the fraction. Weights, gradients and the optimiser's state stay float32
everywhere; only products are made in bf16.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Asked = Literal["auto", "fp32", "bf16"]
Precision = Literal["fp32", "bf16"]
ASKED: tuple[Asked, ...] = ("auto", "fp32", "bf16")
FILE = "precision.json"
LEAST_GAIN = 1.2  # below, what bf16 rounds away is not worth it
_SECONDS = 0.1  # of trying each


@dataclass(frozen=True)
class Chosen:
    """`precision`, and `why` in words for the run's log."""

    precision: Precision
    why: str


def check(asked: str) -> None:
    """Raises:
    ValueError: no precision of that name.
    """
    if asked not in ASKED:
        raise ValueError(f"precision: found {asked!r}, expected one of {', '.join(ASKED)}")


def choose(asked: Asked, device: torch.device) -> Chosen:
    """The precision to use. "auto" is bf16 where this machine multiplies bf16 faster, else fp32.

    Cost of "auto" on a CPU with instructions for bf16: a quarter of a second, once a process.
    """
    if asked == "fp32":
        return Chosen("fp32", "asked for")
    is_fast, hardware = fast_bf16(device)
    if asked == "auto":
        return Chosen("bf16" if is_fast else "fp32", hardware)
    return Chosen("bf16", "asked for" if is_fast else f"asked for, though {hardware}: fp32 would be faster")


def settled(asked: Asked, device: torch.device, work: Path) -> Chosen:
    """As `choose`, and what "auto" came to stands for all ranks and all attempts of the run: the first that
    measures writes it into `work`, which they share.
    """
    if asked != "auto":
        return choose(asked, device)
    kept = work / FILE
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        draft = work / f".{FILE}.{os.getpid()}-{secrets.token_hex(4)}"
        draft.write_text(json.dumps(asdict(choose(asked, device))))
        with suppress(FileExistsError):
            os.link(draft, kept)
        draft.unlink()
    return Chosen(**json.loads(kept.read_text()))


def fast_bf16(device: torch.device) -> tuple[bool, str]:
    """Whether the device multiplies bf16 faster than fp32, and by what that is known.

    A processor is tried, not asked: some say that they have AVX512-BF16 and take twice as long with it.
    """
    import torch

    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return major >= 8, f"the GPU has compute capability {major}.{minor}, bf16 needs 8.0"
    if device.type != "cpu":
        return False, f"nothing is known of bf16 on a device of type {device.type}"
    found = torch.cpu.get_capabilities()
    if not any(found.get(flag) for flag in ("amx_bf16", "amx_tile", "avx512_bf16")):
        return False, "the processor has neither AMX nor AVX512-BF16 instructions"
    gain = _gain(torch.get_num_threads())
    return gain >= LEAST_GAIN, f"products in bf16 run at {gain:.1f} times the rate of fp32 here"


@lru_cache
def _gain(threads: int) -> float:
    """The rate of large products in bf16, of that in fp32, with so many threads, which are set."""
    import torch

    from training.distributed.profile import matrix_rate

    device = torch.device("cpu")
    return matrix_rate(device, torch.bfloat16, _SECONDS) / matrix_rate(device, torch.float32, _SECONDS)
