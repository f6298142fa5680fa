"""Memory of training as a run of the product does it: its own programs, losses and allocator, on real texts.

Measured is the highest private memory in training, less what the process had before it; frozen weights were
there by then in bf16 and stay mapped from their file in fp32, so they are left out of the estimate; weights that
learn are mapped until the first step writes to them, and count, but for those that were divided among ranks.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from bench import _short_texts, finetune, language
from bench._sets import data_folder
from training.distributed import elastic
from training.learning import dialogues, language_base, language_model
from training.learning.encoder import default_encoder_path
from training.objectives.language import DPO, REWARD, SFT, read

STEPS = 3
_WATCHED = {"watched": 64, "save_every": 2}  # validation items; steps
TUNES: dict[str, dict[str, Any]] = {  # settings of a tune of SmolLM2
    "sft": {"objective": SFT, "batch_size": 8},
    "sft_full": {"objective": SFT, "batch_size": 8, "adapter": "full"},
    "dpo": {"objective": DPO, "batch_size": 4},
    "dpo_many": {"objective": DPO, "batch_size": 8},
    "dpo_fp32": {"objective": DPO, "batch_size": 4, "precision": "fp32"},
    "sft_full_fp32": {
        "objective": SFT,
        "batch_size": 4,
        "adapter": "full",
        "precision": "fp32",
        "save_every": 2,
    },
    "dpo_tp": {"objective": DPO, "batch_size": 4, "processes": 3, "layout": "tp"},  # 9 heads, 3 of keys
    "reward": {"objective": REWARD, "batch_size": 4},
}
FINETUNES: dict[str, dict[str, Any]] = {  # of MiniLM
    "finetune": {"batch_size": 32, "precision": "bf16"},
    "finetune_fp32": {"batch_size": 32, "precision": "fp32"},
    # With checkpoints, and validation items between steps: of copies, and of parts that are put together for it.
    "finetune_watched": {"batch_size": 32, "precision": "fp32", **_WATCHED},
    "finetune_zero1": {"batch_size": 32, "precision": "fp32", "processes": 2, "layout": "zero1", **_WATCHED},
    "finetune_tp_zero3": {
        "batch_size": 8,
        "precision": "fp32",
        "processes": 4,
        "layout": "tp_zero3",
        **_WATCHED,
    },
}
QUICK = ("reward",)
_SETS = {SFT: ("sft_general", "response"), DPO: ("gsm8k_pairs", "chosen"), REWARD: ("gsm8k_pairs", "chosen")}
_LOOKED_AT = 2_000  # examples, for long ones
_JOINED = 5  # texts of banking77 in one, for some hundred tokens
_MOST_TOKENS = {"tune": 192, "finetune": 128}


def run(name: str) -> tuple[dict[str, Any], str]:
    """{"measured", "estimate"}, bytes of one run, the latter by part; and what it was.

    Raises:
        SetMissing: the texts are not there.
        ValueError: SmolLM2 is not there, or a GPU is.
    """
    if torch.cuda.is_available():
        raise ValueError(
            "the programs take the GPU, whose peak has weights in it: hide it (CUDA_VISIBLE_DEVICES=)"
        )
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        place = Path(folder)
        spec = {
            "spec_version": 1,
            "result": str(place / "result"),
            "work": str(place / "work"),
            "data": str(place / "data"),
            **(_finetune(place, FINETUNES[name]) if name in FINETUNES else _tune(place, TUNES[name])),
        }
        (place / "spec.json").write_text(json.dumps(spec))
        module = "finetune" if name in FINETUNES else "tune"
        ranks = int(spec.get("processes", 1))
        launch = ["-m", elastic.AGENT, *elastic.launcher(ranks)] if ranks > 1 else []
        language.run(
            [sys.executable, *launch, "-m", f"training.programs.{module}", str(place / "spec.json")],
            place,
            elastic.ALLOCATOR,
        )
        found = json.loads((place / "result" / "result.json").read_text())
    resources, estimate = found["resources"], found["plan"]["memory"]
    frozen = name in TUNES and spec.get("adapter") != "full"
    there = frozen or spec.get("layout") == "tp_zero3"
    told = " ".join(f"{key} {value}" for key, value in (FINETUNES | TUNES)[name].items())
    return {
        "measured": resources["peak_bytes"] - resources["before_bytes"],
        "estimate": {**estimate, "total": estimate["total"] - there * estimate["weights"]},
    }, f"{module}, {told}"


def _finetune(place: Path, settings: dict[str, Any]) -> dict[str, Any]:
    count, settings = settings["batch_size"] * STEPS, dict(settings)
    every = count + settings.pop("watched", 0)
    short = _short_texts.load("banking77", "train", every * _JOINED)
    texts = [" ".join(short.texts[at::every]) for at in range(every)]
    finetune.write(place / "data", _short_texts.Texts(texts, short.targets[:every], short.labels), count)
    return {
        "labels": short.labels,
        "base_model": str(default_encoder_path()),
        "epochs": 1,
        "max_length": _MOST_TOKENS["finetune"],
        **settings,
    }


def _tune(place: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Of the longest examples that fit, so that all steps are alike."""
    base = language_model.convert(language_model.default_path(), language.models())
    name, field = _SETS[settings["objective"]]
    path = data_folder() / name / "train.jsonl.gz"
    if not path.is_file():
        raise _short_texts.SetMissing(f"{name} is not here: set GYRE_DATA")
    rows = language.rows_of(path, _LOOKED_AT, field)
    told = read(language.frozen(settings["objective"], rows, place / "all"), "train", settings["objective"])
    fitting = dialogues.tokenised(language_base.load_tokenizer(base), told, _MOST_TOKENS["tune"]).examples
    longest = sorted(fitting, key=lambda one: one.length)[-settings["batch_size"] * STEPS :]
    rows = [rows[one.row] for one in longest]
    language.frozen(settings["objective"], rows, place / "data")
    return {"base_model": str(base), "epochs": 1, "max_length": _MOST_TOKENS["tune"], **settings}
