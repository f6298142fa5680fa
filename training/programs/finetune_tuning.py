"""Looking for faster settings before a fine-tune, where its spec gives time for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from jobs import program
from training.distributed import communicate
from training.distributed.shape import own_cores
from training.learning import faster
from training.programs.finetune_spec import FinetuneSpec


def found(
    spec: FinetuneSpec, trials: Callable[[], faster.Trials], device: torch.device, *, is_plain: bool
) -> dict[str, Any] | None:
    """What the search says, for result.json, or an earlier attempt's; None where there was none to make."""
    if not spec.autotune_s:
        return None
    if known := faster.remembered(Path(spec.work), device):
        return known
    begun, leads = time.monotonic(), communicate.rank() == 0
    if leads:
        program.progress(0, 1, f"looking for faster settings for {spec.autotune_s:g} s")
    try:
        tuned = trials().search(spec.autotune_s, cores=own_cores(), is_plain=is_plain)
    except ValueError as error:  # raised on all ranks alike; the run itself knows what to do without memory
        program.log(f"no faster settings were looked for: {error}")
        return None
    told = faster.to_json(tuned, time.monotonic() - begun)
    if leads:
        program.log(f"{tuned} ({told['tried']} tried in {told['seconds']} s)")
        faster.remember(Path(spec.work), told)
    return told


def settings(found: dict[str, Any] | None) -> faster.Faster | None:
    """What the run goes by: None where nothing was faster, or nothing was tried."""
    return faster.Faster(**found["settings"]) if found and found["gain"] else None


def ranks_in_words(device: torch.device) -> str:
    """How many processes, and why more would not help on a CPU."""
    count, threads = communicate.world_size(), torch.get_num_threads()
    words = f"processes: {count} on {device}"
    if device.type != "cpu":
        return words
    return f"{words}, threads: {threads} each (on a CPU ranks share the cores that threads use already)"
