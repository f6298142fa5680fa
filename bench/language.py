"""Tokens a second of tuning SmolLM2-135M with LoRA, against TRL's own scripts with their defaults.

The same examples, the same number of passes, batch size, longest length and rank; each in a process of its own,
one after the other, and the seconds are those of training alone (TRL's `train_runtime`, which leaves out loading
and tokenising; ours leaves out the same and for DPO counts asking the base). Tokens: prompt and replies, without
padding, counted once for both. TRL's defaults are bfloat16 autocast and gradient checkpointing.

    python -m bench.language [--quick] [--json FILE]
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._report import Figure, main
from bench._sets import ROOT, data_folder
from jobs import program
from training.distributed import elastic

NAME = "language"
EXAMPLES, QUICK_EXAMPLES = {"sft": 96, "dpo": 64}, {"sft": 16, "dpo": 8}
BATCH, MOST_TOKENS, RANK = 8, 256, 16
_TRL = """
import json, re, sys
import trl.scripts.{script} as script
from transformers import TrainerCallback
parser = script.make_parser()
arguments = parser.parse_args_and_config(args=sys.argv[1:], fail_with_unknown_args=False)
script.main(*arguments)
"""


def figures(quick: bool) -> Iterator[Figure]:
    try:
        from training.learning import language_model

        gguf = language_model.default_path()
    except ValueError as error:
        yield Figure(f"{NAME}.sft.tokens_per_s", skipped=str(error))
        return
    for objective, name, field in (("sft", "sft_general", "response"), ("dpo", "gsm8k_pairs", "chosen")):
        path = data_folder() / name / "train.jsonl.gz"
        if not path.is_file():
            yield Figure(f"{NAME}.{objective}.tokens_per_s", skipped=f"{name} is not here: set GYRE_DATA")
            continue
        rows = rows_of(path, (QUICK_EXAMPLES if quick else EXAMPLES)[objective], field)
        with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
            base = language_model.convert(gguf, models())
            yield from _compare(objective, rows, base, Path(folder))


def models() -> Path:
    """Unpacked once, beside what the product itself would use in this checkout."""
    return Path(os.environ.get("GYRE_BENCH_MODELS", ROOT / "var" / "models"))


def rows_of(path: Path, count: int, field: str) -> list[dict[str, Any]]:
    """The first rows that surely fit: TRL would cut a longer one, and ours drops it."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    fitting = [
        row for row in rows if len(row["prompt"]) + max(len(row[field]), len(row.get("rejected", ""))) < 600
    ]
    return fitting[:count]


def _compare(objective: str, rows: list[dict[str, Any]], base: Path, folder: Path) -> Iterator[Figure]:
    ours = _ours(objective, rows, base, folder)
    theirs = _theirs(objective, rows, base, folder)
    tokens = ours["tokens"]
    yield Figure(
        f"{NAME}.{objective}.tokens_per_s",
        value=round(tokens / ours["seconds"], 1),
        unit="1/s",
        against=f"TRL's script {tokens / theirs['seconds']:.1f}/s",
        ratio=round(theirs["seconds"] / ours["seconds"], 2),
    )
    yield Figure(
        f"{NAME}.{objective}.loss_last", value=round(ours["loss"], 4), against=f"TRL {theirs['loss']:.4f}"
    )


def _ours(objective: str, rows: list[dict[str, Any]], base: Path, folder: Path) -> dict[str, float]:
    spec = {
        "spec_version": 1,
        "result": str(folder / "result"),
        "work": str(folder / "work"),
        "data": str(frozen(objective, rows, folder / "data")),
        "base_model": str(base),
        "objective": objective,
        "epochs": 1,
        "batch_size": BATCH,
        "max_length": MOST_TOKENS,
        "rank": RANK,
        "learning_rate": 2e-5 if objective == "sft" else 1e-6,
        "save_every": 100_000,
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    run(
        [sys.executable, "-m", "training.programs.tune", str(folder / "spec.json")], folder, elastic.ALLOCATOR
    )
    found = json.loads((folder / "result" / "result.json").read_text())
    seconds = found["trained_s"] + found.get("reference_s", 0.0)
    losses = [entry["loss"] for entry in found["history"] if "loss" in entry]
    return {"seconds": seconds, "tokens": found["tokens_per_s"] * found["trained_s"], "loss": losses[-1]}


def frozen(objective: str, rows: list[dict[str, Any]], folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    examples = [json.dumps([example(objective, row)]) for row in rows]
    for split, told in (("train", examples), ("validation", []), ("test", [])):
        table = {
            "row": pa.array(range(len(told)), pa.int64()),
            "weight": pa.array([1.0] * len(told), pa.float32()),
            "examples": pa.array(told, pa.string()),
        }
        pq.write_table(pa.table(table), folder / f"{split}.parquet")
    return folder


def example(objective: str, row: dict[str, Any]) -> dict[str, Any]:
    user = [{"role": "user", "content": row["prompt"]}]
    if objective == "sft":
        return {"messages": [*user, {"role": "assistant", "content": row["response"]}]}
    replies = {key: [{"role": "assistant", "content": row[key]}] for key in ("chosen", "rejected")}
    return {"prompt": user, **replies}


def _theirs(objective: str, rows: list[dict[str, Any]], base: Path, folder: Path) -> dict[str, float]:
    import torch

    data = folder / "trl"
    data.mkdir()
    with (data / "train.jsonl").open("w") as out:
        out.writelines(json.dumps(example(objective, row)) + "\n" for row in rows)
    options = {
        "model_name_or_path": base,
        "dataset_name": data,
        "output_dir": folder / "trl-out",
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "max_length": MOST_TOKENS,
        "lora_r": RANK,
        "lora_alpha": 2 * RANK,
        "save_strategy": "no",
        "report_to": "none",
        "logging_steps": 1,
        "use_cpu": not torch.cuda.is_available(),  # else bfloat16, its default, is refused there
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    targets = ["--use_peft", "--lora_target_modules", "all-linear"]
    code = _TRL.format(script=objective)
    told = run([sys.executable, "-c", code, *arguments, *targets], folder)
    logs = [line for line in told.replace("'", '"').splitlines() if line.lstrip().startswith("{")]
    entries = [json.loads(line) for line in logs]
    last = next(entry for entry in entries if "train_runtime" in entry)
    losses = [float(entry["loss"]) for entry in entries if "loss" in entry]
    return {"seconds": float(last["train_runtime"]), "loss": losses[-1]}


def run(command: list[str], folder: Path, allocator: dict[str, str] | None = None) -> str:
    environment = {
        **program.ENVIRONMENT,
        **(allocator or {}),
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(folder / "hf"),
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }
    leash, held = os.pipe()  # a program ends when its standard input does
    try:
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, stdin=leash, check=False
        )
    finally:
        os.close(leash)
        os.close(held)
    if done.returncode:
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(figures))
