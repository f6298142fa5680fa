"""One rank of bench/memory.py: trains a real model under one layout, and says how much private memory that took.

python -m torch.distributed.run --nproc-per-node=N -m bench._memory_rank SPEC.json
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import transformers

from training.distributed import memory
from training.distributed.engine import Engine
from training.distributed.footprint import footprint
from training.distributed.layout import Layout
from training.distributed.shape import Shape
from training.distributed.tasks import CAUSAL, CLASSIFY
from training.learning import language_base, language_model
from training.learning.encoder import default_encoder_path
from training.objectives.language import SFT

STEPS = 3  # Adam's moments come with the first


def model(spec: dict[str, Any]) -> Any:
    """A random one of these sizes, or the real one of its family, as the package brings it."""
    torch.manual_seed(0)
    no_dropout = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if spec.get("real") and spec["family"] == "bert":
        return transformers.AutoModelForSequenceClassification.from_pretrained(
            str(default_encoder_path()), num_labels=4, **no_dropout
        )
    if spec.get("real"):
        base = language_base.folder_of(str(language_model.default_path()), spec["models"])
        tokenizer = language_base.load_tokenizer(base)
        return language_base.load_base(base, SFT, torch.float32, tokenizer)
    sizes = dict(
        vocab_size=spec["vocabulary"],
        hidden_size=spec["hidden"],
        intermediate_size=spec["intermediate"],
        num_hidden_layers=spec["layers"],
        num_attention_heads=spec["heads"],
    )
    if spec["family"] == "bert":
        return transformers.BertForSequenceClassification(
            transformers.BertConfig(**sizes, num_labels=4, **no_dropout)
        )
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**sizes, num_key_value_heads=spec["heads"], tie_word_embeddings=False)
    )


def batch_of(spec: dict[str, Any], layout: Layout) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    shape = (layout.batch, spec["sequence"])
    ids = torch.randint(0, spec["vocabulary"], shape, generator=rng)
    if spec["family"] == "bert":
        return {"ids": ids, "targets": ids[:, 0] % 4, "mask": torch.ones(shape, dtype=torch.int64)}
    return {"ids": ids, "targets": ids.clone()}


def main(path: Path) -> None:
    spec = json.loads(path.read_text())
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    layout, is_text = Layout(**spec["layout"]), spec["family"] == "bert"
    task = CLASSIFY if is_text else CAUSAL
    # A tiny model goes first, under the same layout: libraries are loaded by then, connections made.
    tiny = {
        **spec,
        "real": False,
        "hidden": 32,
        "intermediate": 32,
        "layers": 2,
        "heads": 2,
        "vocabulary": 64,
        "sequence": 8,
    }
    Engine(model(tiny), layout, task, learning_rate=1e-4).step(batch_of(tiny, layout))
    gc.collect()
    before = memory.private_bytes()
    batch = batch_of(spec, layout)
    whole = model(spec)
    shape = Shape.of(whole, spec["sequence"], outputs=4 if is_text else None)
    here = replace(layout, offload=False)  # on a CPU nothing leaves its memory
    estimate = footprint(shape, here, kind="cpu")
    engine = Engine(whole, layout, task, learning_rate=1e-4)
    del whole
    gc.collect()
    memory.give_back()  # as a run does
    engine.step(batch)
    with memory.peak() as measured:
        for _ in range(STEPS - 1):
            engine.step(batch)
    mine = [measured.bytes - before]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    if dist.get_rank() == 0:
        peak = max(entry[0] for entry in everyone)
        Path(spec["out"]).write_text(json.dumps({"measured": peak, "estimate": estimate.to_json()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
