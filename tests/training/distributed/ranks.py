"""Ranks (tests.forked) that train a tiny model under one layout after the other; writes down what really ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor

from tests.training.distributed import hooks
from training.distributed.engine import Engine
from training.distributed.layout import Layout
from training.distributed.tasks import CAUSAL, CLASSIFY, Batch, Task
from training.distributed.wire import Meter

STEPS, RATE, CLIP = 20, 3e-3, 1.0
VOCABULARY, WIDTH, LENGTH, ITEMS = 64, 32, 12, 8

CASES = {
    2: {
        "ddp": Layout(replicate=2),
        "ddp_accumulated": Layout(replicate=2, accumulation=2, checkpointing="full"),
        "zero1": Layout(replicate=2, zero=1),
        "zero2": Layout(shard=2, zero=2),
        "zero3": Layout(shard=2, zero=3, accumulation=2, checkpointing="selective"),
        "offload": Layout(shard=2, zero=3, offload=True),
        "tensor": Layout(tensor=2),
        "gpipe": Layout(pipeline=2, accumulation=4, schedule="gpipe"),
        "1f1b": Layout(pipeline=2, accumulation=4),
    },
    4: {
        "hsdp": Layout(replicate=2, shard=2, zero=3),
        "fsdp_tensor": Layout(shard=2, tensor=2, zero=3),
        "ddp_pipeline": Layout(replicate=2, pipeline=2, accumulation=2),
        "fsdp_pipeline": Layout(shard=2, pipeline=2, accumulation=2, zero=3, checkpointing="full"),
        "tensor_pipeline": Layout(tensor=2, pipeline=2, accumulation=2),
    },
}


def decoder() -> Any:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=False,
        )
    )


def encoder() -> Any:
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=16,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            num_labels=4,
        )
    )


def token_batches() -> list[Batch]:
    """Uneven on purpose: ranks get different numbers of targets."""
    rng = torch.Generator().manual_seed(1)
    found = []
    for _ in range(STEPS):
        ids = torch.randint(0, VOCABULARY, (ITEMS, LENGTH), generator=rng)
        targets = ids.clone()
        for row in range(ITEMS):
            targets[row, LENGTH - row % 5 :] = -100
        found.append({"ids": ids, "targets": targets})
    return found


def text_batches() -> list[Batch]:
    rng = torch.Generator().manual_seed(2)
    return [
        {
            "ids": torch.randint(0, VOCABULARY, (ITEMS, LENGTH), generator=rng),
            "mask": torch.ones(ITEMS, LENGTH, dtype=torch.int64),
            "targets": torch.randint(0, 4, (ITEMS,), generator=rng),
        }
        for _ in range(STEPS)
    ]


def alone(model: Any, task: Task, batches: list[Batch]) -> list[float]:
    """A plain loop in one process, with nothing of the engine."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    losses = []
    for batch in batches:
        loss = task.loss(task.outputs(model, batch), batch["targets"]) / task.count(batch).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def trained(model: Any, layout: Layout, task: Task, batches: list[Batch], **more: Any) -> dict[str, Any]:
    """Losses under a layout, and what this rank holds and sent in the last step."""
    engine = Engine(model, layout, task, learning_rate=RATE, clip=CLIP, **more)
    losses = [engine.step(batch) for batch in batches[:-1]]
    with Meter() as meter:
        losses.append(engine.step(batches[-1]))
    return {
        "losses": losses,
        "wrapper": type(engine.model).__name__,
        "weights": {name: held(value) for name, value in engine.own.named_parameters()},
        "optimizer_entries": optimizer_entries(engine.optimizer),
        "calls": dict(meter.calls),
        "bytes": dict(meter.bytes),
    }


def held(value: torch.Tensor) -> dict[str, Any]:
    """Of a parameter: its placements, and the shapes of the whole and of what lies here."""
    if not isinstance(value, DTensor):
        return {"placements": None, "shape": list(value.shape), "local": list(value.shape)}
    return {
        "placements": [str(placement) for placement in value.placements],
        "axes": list(value.device_mesh.mesh_dim_names or ()),
        "shape": list(value.shape),
        "local": list(value.to_local().shape),
    }


def optimizer_entries(optimizer: torch.optim.Optimizer) -> int:
    """How many figures of Adam's first moment lie on this rank."""
    inner = optimizer.optim if isinstance(optimizer, ZeroRedundancyOptimizer) else optimizer
    moments = [state["exp_avg"] for state in inner.state.values()]
    return sum((value.to_local() if isinstance(value, DTensor) else value).numel() for value in moments)


def main(out: str) -> None:
    """Rank 0 writes what all ranks found, an object a rank, a key a case."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    tokens, texts = token_batches(), text_batches()
    found: dict[str, Any] = {}
    if dist.get_rank() == 0:
        found["alone"] = {
            "decoder": alone(decoder(), CAUSAL, tokens),
            "encoder": alone(encoder(), CLASSIFY, texts),
        }
    for name, layout in CASES[dist.get_world_size()].items():
        found[name] = trained(decoder(), layout, CAUSAL, tokens)
    if dist.get_world_size() == 2:
        found["encoder_tensor"] = trained(encoder(), Layout(tensor=2), CLASSIFY, texts)
        found["encoder_zero3"] = trained(encoder(), Layout(shard=2, zero=3), CLASSIFY, texts)
        found["hooks"] = hooks.found()
        found["persistent"] = trained(decoder(), Layout(shard=2, zero=3), CAUSAL, tokens, persist=WIDTH + 1)
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, found)
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(everyone))
    dist.destroy_process_group()
