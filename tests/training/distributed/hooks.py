"""What ranks.py runs on two ranks beside layouts: DDP with every hook, and traps of transformers."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers.distributed import DistributedConfig

from training.distributed import compress
from training.distributed.wire import Meter

STEPS, WIDTH, ITEMS = 30, 64, 32


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 4)
    )


def data() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, ITEMS, WIDTH, generator=rng)
    return x, (x[..., :4] + 0.5 * x[..., 4:8]).argmax(dim=-1)


def trained(method: str, *, bucket_mb: float = 25, **settings: Any) -> dict[str, Any]:
    model = DistributedDataParallel(network(), gradient_as_bucket_view=True, bucket_cap_mb=bucket_mb)
    wire = compress.attach(model, method, **settings)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    (x, y), rank, ranks = data(), dist.get_rank(), dist.get_world_size()
    losses = []
    with Meter() as meter:
        for step in range(STEPS):
            if step == 2:
                meter.bytes.clear()  # DDP has sent its weights and built its buckets anew
                sent = wire.sent
            loss = nn.functional.cross_entropy(model(x[step, rank::ranks]), y[step, rank::ranks])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
    flat = torch.cat([value.detach().flatten() for value in model.parameters()])
    return {
        "losses": losses,
        "met": meter.total,
        "counted": wire.sent - sent,
        "report": wire.report(1e9),
        "calls": dict(meter.calls),
        "weights": flat.double().tolist(),
        "steps": wire.steps,
    }


def cut_by_trainer() -> str:
    """What the plain Trainer says of a model whose matrices transformers has cut among two CPU processes."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    with tempfile.TemporaryDirectory() as own:
        told: list[Any] = [own]
        dist.broadcast_object_list(told)  # transformers lets rank 0 alone write a model
        (folder,) = told
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
        dist.barrier()
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, distributed_config=DistributedConfig(tp_size=2)
        )
        dist.barrier()
        try:
            transformers.Trainer(
                model,
                transformers.TrainingArguments(output_dir=own, report_to=[], use_cpu=True),
                train_dataset=Texts(),
            ).train()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def refused(method: str) -> str:
    try:
        compress.attach(DistributedDataParallel(network()), method)
    except ValueError as error:
        return str(error)
    return ""


class Texts(torch.utils.data.Dataset[dict[str, Any]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, at: int) -> dict[str, Any]:
        return {"input_ids": torch.tensor([at + 1, 2, 3, 4]), "labels": torch.tensor(at % 2)}


def by_trainer(**settings: Any) -> dict[str, Any]:
    """One step of the plain Trainer on eight items; its loss and gradient, and what it made of the model."""
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=16,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=4,
                max_steps=1,
                max_grad_norm=1e9,
                logging_steps=1,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
                dataloader_pin_memory=False,
                **settings,
            ),
            train_dataset=Texts(),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    first = trainer.state.log_history[0]
    return {
        "loss": first["loss"],
        "gradient": first["grad_norm"],
        "wrapper": type(trainer.model_wrapped).__name__,
        "sharded": any("DTensor" in type(value).__name__ for value in model.parameters()),
    }


def found() -> dict[str, Any]:
    """Everything that test_compress.py asks about; the group is there."""
    transformers.logging.set_verbosity_error()
    return {
        "none": trained("none"),
        "topk": trained("topk", share=0.1),
        "topk_all": trained("topk", share=1.0),
        "powersgd": trained("powersgd"),
        "powersgd_buckets": trained("powersgd", bucket_mb=0.01),  # a bucket a layer
        "fp16": trained("fp16"),
        "bf16": refused("bf16"),
        "zip": refused("zip"),
        "batched": refused("batched_powersgd"),
        "trainer": by_trainer(),
        "trainer_mended": by_trainer(average_tokens_across_devices=False),
        "trainer_cut": cut_by_trainer(),
        "trainer_fsdp": by_trainer(fsdp=True, average_tokens_across_devices=False),
    }
