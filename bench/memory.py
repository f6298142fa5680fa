"""Memory of a training step: what the planner estimates against the measured private peak of a rank, per layout.

Each layout trains a Llama of 34 million parameters (and a BERT) in processes of its own, on CPU; so do MiniLM
and SmolLM2-135M themselves, as the packages bring them. Measured is the highest private memory from the second
step on, less what the process had after a step of a tiny model under the same layout (libraries, connections);
of the fullest rank. Then runs of the product on real texts: fine-tunes of MiniLM, tunes of SmolLM2 (see
bench/_memory_runs.py). All of them under the allocator's settings that a run of the product has.

    python -m bench.memory [--quick] [--json FILE] [--only NAME,...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import _memory_runs
from bench._report import Figure, main
from bench._sets import ROOT, SetMissing
from training.distributed import elastic
from training.distributed.layout import Layout

LLAMA = dict(family="llama", vocabulary=8192, hidden=512, intermediate=1408, layers=8, heads=8, sequence=128)
BERT = dict(family="bert", vocabulary=8192, hidden=512, intermediate=2048, layers=8, heads=8, sequence=128)
MINILM = dict(family="bert", real=True, vocabulary=30522, sequence=128)
SMOLLM2 = dict(family="llama", real=True, vocabulary=49152, sequence=128)
SMALL = dict(hidden=256, intermediate=704, layers=4, heads=4)

CASES: dict[str, tuple[dict[str, Any], Layout]] = {
    "one": (LLAMA, Layout(micro_batch=8)),
    "checkpointed": (LLAMA, Layout(micro_batch=8, checkpointing="full")),
    "selective": (LLAMA, Layout(micro_batch=8, checkpointing="selective")),
    "ddp": (LLAMA, Layout(replicate=2, micro_batch=4)),
    "zero1": (LLAMA, Layout(replicate=2, zero=1, micro_batch=4)),
    "zero2": (LLAMA, Layout(shard=2, zero=2, micro_batch=4)),
    "zero3": (LLAMA, Layout(shard=2, zero=3, micro_batch=4)),
    "zero3_offload": (LLAMA, Layout(shard=2, zero=3, offload=True, micro_batch=4)),
    "hsdp": (LLAMA, Layout(replicate=2, shard=2, zero=3, micro_batch=2)),
    "tensor": (LLAMA, Layout(tensor=2, micro_batch=8)),
    "tensor_zero3": (LLAMA, Layout(shard=2, tensor=2, zero=3, micro_batch=4)),
    "gpipe": (LLAMA, Layout(pipeline=2, accumulation=4, micro_batch=2, schedule="gpipe")),
    "1f1b": (LLAMA, Layout(pipeline=2, accumulation=4, micro_batch=2)),
    "bert_one": (BERT, Layout(micro_batch=8)),
    "bert_zero3": (BERT, Layout(shard=2, zero=3, micro_batch=4)),
    "minilm_one": (MINILM, Layout(micro_batch=16)),
    "minilm_zero3": (MINILM, Layout(shard=2, zero=3, micro_batch=8)),
    "smollm2_one": (SMOLLM2, Layout(micro_batch=4)),
    "smollm2_again": (SMOLLM2, Layout(micro_batch=4, checkpointing="full")),
    "smollm2_zero3": (SMOLLM2, Layout(shard=2, zero=3, micro_batch=2)),
}
QUICK = ("one", "zero3", *_memory_runs.QUICK)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", default="", help="names of layouts, parted by commas")
    return parser


def figures(quick: bool) -> Iterator[Figure]:
    errors, only = [], options().parse_known_args()[0].only
    runs = {**_memory_runs.TUNES, **_memory_runs.FINETUNES}
    for name in only.split(",") if only else QUICK if quick else (*CASES, *runs):
        try:
            found, told = _memory_runs.run(name) if name in runs else _case(name, quick)
        except (SetMissing, ValueError) as error:
            yield Figure(name=f"memory.estimate_mb.{name}", skipped=str(error))
            continue
        measured, estimate = found["measured"], found["estimate"]["total"]
        errors.append(abs(estimate - measured) / measured)
        parts = {key: round(value / 1e6, 1) for key, value in found["estimate"].items()}
        print(f"{name}: measured {measured / 1e6:.1f} MB, estimated {parts}", file=sys.stderr, flush=True)
        yield Figure(
            name=f"memory.estimate_mb.{name}",
            value=round(estimate / 1e6, 1),
            unit="MB",
            against=f"measured {measured / 1e6:.1f} MB: {told}",
            ratio=round(estimate / measured, 3),
        )
    yield Figure(name="memory.estimate_error", value=round(max(errors), 3), unit="share", against="largest")


def _case(name: str, quick: bool) -> tuple[dict[str, Any], str]:
    sizes, layout = CASES[name]
    return _run({**sizes, **SMALL} if quick else sizes, layout), layout.name


def _run(sizes: dict[str, Any], layout: Layout) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.json"
        out = Path(folder) / "out.json"
        models = os.environ.get("GYRE_BENCH_MODELS", str(ROOT / "var" / "models"))
        spec.write_text(json.dumps({**sizes, "layout": asdict(layout), "models": models, "out": str(out)}))
        subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *(f"--nproc-per-node={layout.ranks}", "-m", "bench._memory_rank", str(spec)),
            ],
            check=True,
            env={**elastic.ALLOCATOR, **os.environ, "OMP_NUM_THREADS": "1"},
        )
        found: dict[str, Any] = json.loads(out.read_text())
        return found


if __name__ == "__main__":
    raise SystemExit(main(figures, options=options()))
