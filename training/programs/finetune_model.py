"""The model that a fine-tune begins with, and how it lies on the ranks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from jobs import program
from training.distributed import communicate, footprint, memory
from training.distributed.layout import Checkpointing, Layout
from training.distributed.settling import settle
from training.distributed.shape import NOTHING_BESIDE, Beside, Machine, Saved, Shape
from training.distributed.tasks import Task
from training.distributed.traffic import bucket_mb
from training.learning import packed
from training.learning.encoder import Encoder
from training.learning.precision import Precision
from training.learning.text_model import TextClassifier, Tokeniser, Tokens, load_encoder
from training.learning.trainer import PREDICT_TOKENS
from training.objectives.frozen import Examples
from training.objectives.task import Task as Objective
from training.programs.finetune_spec import FinetuneSpec

AGAIN: dict[Checkpointing, float] = {"none": 0.0, "selective": 0.5, "full": 1.0}
LAYERS = Task(
    outputs=lambda model, batch: model(batch["ids"], batch["mask"]),
    loss=lambda outputs, _targets: outputs.sum(),
    count=lambda batch: torch.ones(len(batch["ids"]), dtype=torch.int64),
)
HEAD_ITEMS = 5_000  # at most so many items are embedded to start the head


def make(spec: FinetuneSpec, task: Objective) -> TextClassifier:
    path = Path(spec.base_model)
    if spec.start_head:
        return TextClassifier.load(path, task.outputs, per_token=task.per_token, dropout=spec.dropout)
    return TextClassifier(load_encoder(path, spec.dropout), task.outputs, per_token=task.per_token)


def start_head(
    model: TextClassifier,
    tokeniser: Tokeniser,
    train: Examples,
    task: Objective,
    seed: int,
    precision: Precision = "fp32",
) -> None:
    """Begin where linear probes end, on vectors as the run's own products make them. From zeros a head needs
    hundreds of steps, in which it pulls the encoder about.

    Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution". DDP
    copies rank 0's weights to the others.
    """
    if task.per_token:
        return
    some = np.arange(len(train))
    if len(some) > HEAD_ITEMS:
        some = np.sort(np.random.default_rng([seed, 12]).choice(some, size=HEAD_ITEMS, replace=False))
    few = train.taken(some)
    program.progress(0, 1, f"reading {len(few)} texts to start from")
    vectors = Encoder(model.encoder.eval(), tokeniser, precision).encode(few.texts)
    if (start := task.head_start(vectors, few, seed)) is not None:
        model.start_head(*start)


def takes(precision: Precision) -> footprint.Precision:
    """Bytes a parameter and an activation, by the type of the products."""
    return footprint.AUTOCAST if precision == "bf16" else footprint.FP32


def beside(
    spec: FinetuneSpec, model: TextClassifier, watched: Tokens, precision: Precision, saved: Saved
) -> Beside:
    """What a run holds beside its steps. `watched`: the validation texts; `saved`: see there."""
    packs = watched and not packed.why_not(model.encoder, precision)
    ranks = communicate.world_size()
    return Beside(
        saved=saved,
        left=spec.compression == "topk" and ranks > 1,
        read=min(PREDICT_TOKENS, -(-sum(map(len, watched)) // ranks)),
        packed=(2 if precision == "bf16" else 4) if packs else 0,
    )


def layout(
    spec: FinetuneSpec,
    model: TextClassifier,
    longest: int,
    precision: Precision = "fp32",
    beside: Beside = NOTHING_BESIDE,
) -> tuple[Layout, int, int]:
    """How the model lies on the ranks that there are now, MiB of a bucket of gradients, and the size below which
    a parameter is not divided. `longest`: tokens of the longest text; `precision`: of the products; `beside`:
    see `Shape`."""
    ranks = communicate.world_size()
    shape = Shape.of(model.encoder, longest, outputs=model.head.out_features, beside=beside)
    machine = Machine.here(ranks)
    found = settle(
        spec.layout, ranks, shape, machine, spec.batch_size, copies=spec.copies, takes=takes(precision)
    )
    return found.layout, bucket_mb(machine, found.layout, shape), found.persist


def computed_again(
    layout: Layout, model: TextClassifier, tokens: Tokens, share: float
) -> tuple[Layout, list[int]]:
    """Which layers' activations are computed again in the backward pass, by what each of them was seen to keep,
    and the layout that says so. The same on all ranks.

    Args:
        tokens: of the longest texts, in the numbers of the model's word table.
        share: of the bytes that are to be saved because memory ran out; the layout may ask for more.
    """
    share = max(share, AGAIN[layout.checkpointing])
    if not share:
        return layout, []
    device = next(model.parameters()).device
    chosen = ""
    if communicate.rank() == 0:
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in tokens], batch_first=True).to(
            device
        )
        batch = {"ids": ids, "mask": torch.ones_like(ids), "targets": ids}
        costs = memory.measure_layers(model, LAYERS, batch)
        excess = math.ceil(share * sum(cost.bytes for cost in costs))
        chosen = json.dumps(memory.choose_layers(costs, excess))
    again: list[int] = json.loads(communicate.agreed(chosen, device))
    kind: Checkpointing = "full" if share == 1 else "selective"
    return replace(layout, checkpointing=kind), again
