"""One rank of bench/communication.py: trains the same model with one hook after the other."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from training.distributed import compress

TOPICS, NOISE, LENGTH, ITEMS, HELD_OUT = 20, 2000, 16, 32, 512
BUILT = 2  # steps until DDP has built its buckets
RATE = 1e-3
WRONG = 0.2  # of the topics


def texts(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ids (count, LENGTH) and topics: three words of ten that belong to the topic, among noise. A share of the
    topics is drawn anew, as with labels that people give: no model's loss falls to zero, where a ratio of losses
    would say nothing.
    """
    rng = torch.Generator().manual_seed(seed)
    ids = torch.randint(TOPICS * 10, NOISE, (count, LENGTH), generator=rng)
    topics = torch.randint(0, TOPICS, (count,), generator=rng)
    for column in (2, 7, 11):
        ids[:, column] = topics * 10 + torch.randint(0, 10, (count,), generator=rng)
    drawn = torch.randint(0, TOPICS, (count,), generator=rng)
    return ids, torch.where(torch.rand(count, generator=rng) < WRONG, drawn, topics)


def model() -> Any:
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=NOISE,
            hidden_size=192,
            intermediate_size=768,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=32,
            num_labels=TOPICS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def trained(settings: dict[str, Any], steps: int) -> dict[str, Any]:
    wrapped = DistributedDataParallel(model(), gradient_as_bucket_view=True, bucket_cap_mb=2)
    wire = compress.attach(wrapped, **settings)
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=RATE)
    rank, ranks = dist.get_rank(), dist.get_world_size()
    ids, topics = texts(steps * ITEMS, seed=1)
    begun, before = time.perf_counter(), 0
    for step in range(steps):
        if step == BUILT:
            begun, before = time.perf_counter(), wire.sent
            wire.waited = wire.working = 0.0
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)  # as a fine-tune's falls
        rows = slice(step * ITEMS + rank, (step + 1) * ITEMS, ranks)
        wrapped(input_ids=ids[rows], labels=topics[rows]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - begun
    held_ids, held_topics = texts(HELD_OUT, seed=2)
    with torch.no_grad():
        loss = float(wrapped.module.eval()(input_ids=held_ids, labels=held_topics).loss)
    return {
        "loss": loss,
        "bytes": round((wire.sent - before) / (steps - BUILT)),
        "seconds": seconds / (steps - BUILT),
        "share": wire.report(seconds)["share_of_time"],
    }


def main(path: Path) -> None:
    spec = json.loads(path.read_text())
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = {name: trained(settings, spec["steps"]) for name, settings in spec["methods"].items()}
    if dist.get_rank() == 0:
        Path(spec["out"]).write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
