"""Sending gradients: bytes and loss of every communication hook against plain DDP, on 2 and on 4 processes.

A BERT classifier of 2.7 million parameters learns 20 made-up topics (words of the topic among noise, a fifth of
the topics drawn anew); all hooks start from the same weights, see the same batches and end with a rate of 0.
Bytes are those a rank hands to its collectives once DDP has built its buckets; the loss is the mean over
held-out texts, its gap relative to plain DDP's.

    python -m bench.communication [--quick] [--json FILE]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._report import Figure, main

METHODS: dict[str, dict[str, Any]] = {
    "none": {"method": "none"},
    "topk": {"method": "topk", "share": 0.1},
    "topk_1": {"method": "topk", "share": 0.01},
    "powersgd": {"method": "powersgd", "rank": 2},
    "fp16": {"method": "fp16"},
}
STEPS, QUICK_STEPS = 200, 40


def figures(quick: bool) -> Iterator[Figure]:
    worst_ratio, worst_gap = 0.0, 0.0
    for ranks in (2,) if quick else (2, 4):
        found = _run(ranks, {"steps": QUICK_STEPS if quick else STEPS, "methods": METHODS})
        plain = found["none"]
        for name, case in found.items():
            ratio = case["bytes"] / plain["bytes"]
            gap = (case["loss"] - plain["loss"]) / plain["loss"]
            if name == "topk":
                worst_ratio, worst_gap = max(worst_ratio, ratio), max(worst_gap, gap)
            yield Figure(
                f"communication.bytes.{name}.{ranks}",
                case["bytes"],
                "bytes a step",
                f"plain DDP {plain['bytes']}; loss {case['loss']:.5f}, {plain['loss']:.5f}: {gap:+.4f}",
                round(ratio, 4),
            )
            yield Figure(
                f"communication.share.{name}.{ranks}",
                case["share"],
                "share",
                f"of a step of {1000 * case['seconds']:.1f} ms (plain {1000 * plain['seconds']:.1f} ms)",
                round(case["seconds"] / plain["seconds"], 3),
            )
    yield Figure("communication.bytes_ratio.topk", round(worst_ratio, 4), "ratio", "plain DDP; k 10 %, worst")
    yield Figure("communication.loss_gap.topk", round(worst_gap, 5), "share", "plain DDP; k 10 %, worst")


def _run(ranks: int, spec: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "spec.json", Path(folder) / "out.json"
        path.write_text(json.dumps({**spec, "out": str(out)}))
        subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"),
                *("-m", "bench._communication_rank", str(path)),
            ],
            check=True,
        )
        found: dict[str, Any] = json.loads(out.read_text())
        return found


if __name__ == "__main__":
    raise SystemExit(main(figures))
