"""Fine-tuning MiniLM on short texts: samples a second of our program against plain transformers.Trainer.

Plain is what its documentation shows: AutoModelForSequenceClassification, DataCollatorWithPadding and Trainer
with the default arguments (batches of 8, texts in random order, fp32, fused AdamW), two threads. Ours is the
program as a run of the product starts it, with its defaults, watching 10 % more texts as its validation items;
the time of its head start counts. Both make three passes over the same texts of banking77 (77 labels), one
after the other on the same machine; the accuracy is that on texts that neither has seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench import _report, _short_texts
from jobs import program
from training.distributed import elastic

TRAIN, QUICK_TRAIN = 640, 160
TEST, QUICK_TEST = 2_000, 200
PASSES = 3


def figures(is_quick: bool) -> Iterable[_report.Figure]:
    os.environ.update(program.ENVIRONMENT | dict(os.environ))  # of both: torch is not loaded yet
    count = QUICK_TRAIN if is_quick else TRAIN
    try:
        both = _short_texts.load("banking77", "train", count + count // 10)
        test = _short_texts.load("banking77", "test", QUICK_TEST if is_quick else TEST)
    except _short_texts.SetMissing as error:
        yield _report.Figure("finetune.speedup", skipped=str(error))
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = _plain(both, count, test, Path(folder))
        found = {name: _ours(both, count, test, Path(folder), name) for name in ("auto", "fp32")}
        ranks = None if is_quick else _ours(both, count, test, Path(folder), "auto", ranks=2)
    against = f"plain Trainer, {plain['pace']:.1f} samples/s, accuracy {plain['accuracy']:.3f}"
    yield _report.Figure("finetune.plain.samples_per_s", plain["pace"], "1/s")
    yield _report.Figure("finetune.plain.accuracy", plain["accuracy"], "share")
    for name, suffix in (("auto", ""), ("fp32", ".fp32")):
        ours = found[name]
        ratio = ours["pace"] / plain["pace"]
        yield _report.Figure(f"finetune.samples_per_s{suffix}", ours["pace"], "1/s", against, ratio)
        yield _report.Figure(f"finetune.speedup{suffix}", ratio, "ratio", against, ratio)
        yield _report.Figure(f"finetune.accuracy{suffix}", ours["accuracy"], "share", ours["precision"])
    if ranks is None:
        return
    gain = ranks["pace"] / found["auto"]["pace"]
    yield _report.Figure("finetune.two_ranks", gain, "ratio", "one rank with two threads", gain)


def _plain(both: _short_texts.Texts, count: int, test: _short_texts.Texts, folder: Path) -> dict[str, Any]:
    import torch
    import transformers

    from training.learning import text_model
    from training.learning.encoder import default_encoder_path

    text_model.be_quiet()
    transformers.set_seed(0)
    path = str(default_encoder_path())
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(path, num_labels=len(both.labels))
    rows = [
        {"input_ids": ids, "labels": int(label)}
        for ids, label in zip(
            tokenizer(both.texts[:count], truncation=True, max_length=128)["input_ids"],
            both.targets,
            strict=False,
        )
    ]
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(
            str(folder / "plain"), num_train_epochs=PASSES, use_cpu=True, report_to=[], disable_tqdm=True
        ),
        train_dataset=rows,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
    )
    trainer.remove_callback(transformers.PrinterCallback)
    begun = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - begun
    right = 0
    model.eval()
    with torch.inference_mode():
        for at in range(0, len(test.texts), 32):
            batch = tokenizer(
                test.texts[at : at + 32], padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            found = model(**batch).logits.argmax(dim=1).numpy()
            right += int((found == test.targets[at : at + 32]).sum())
    return {"pace": PASSES * count / seconds, "accuracy": right / len(test.texts)}


def _ours(
    both: _short_texts.Texts,
    count: int,
    test: _short_texts.Texts,
    folder: Path,
    precision: str,
    ranks: int = 1,
) -> dict[str, Any]:
    from training.learning.encoder import default_encoder_path

    if not (folder / "data").exists():
        write(folder / "data", both, count)
    result = folder / f"ours-{precision}-{ranks}"
    spec = {
        "result": str(result),
        "work": str(folder / f"work-{precision}-{ranks}"),
        "data": str(folder / "data"),
        "labels": both.labels,
        "base_model": str(default_encoder_path()),
        "epochs": PASSES,
        "precision": precision,
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]  # one thread each
    command = [sys.executable, *(torchrun if ranks > 1 else []), "-m", "training.programs.finetune"]
    command.append(str(folder / "spec.json"))
    environment = {**elastic.ALLOCATOR, **os.environ}
    leash = subprocess.PIPE  # held: a program ends when its standard input does
    with subprocess.Popen(command, stdin=leash, stdout=subprocess.DEVNULL, env=environment) as child:
        if child.wait():
            raise RuntimeError(f"the fine-tune ended with {child.returncode}; it says why above")
    figures = json.loads((result / "result.json").read_text())
    return {
        "pace": PASSES * count / (figures["head_s"] + figures["trained_s"]),
        "accuracy": accuracy(result / "model", test, len(both.labels)),
        "precision": f"{figures['precision']}: {figures['precision_why']}",
    }


def write(folder: Path, both: _short_texts.Texts, count: int) -> None:
    """A frozen dataset's folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    parts = {"train": slice(0, count), "validation": slice(count, None), "test": slice(0, 0)}
    for split, part in parts.items():
        labels = [both.labels[at] for at in both.targets[part]]
        rows = np.arange(len(both.texts))[part]
        columns = {"row": rows, "text": pa.array(both.texts[part], pa.string())}
        pq.write_table(
            pa.table({**columns, "label": pa.array(labels, pa.string())}), folder / f"{split}.parquet"
        )


def accuracy(folder: Path, test: _short_texts.Texts, k: int) -> float:
    import torch

    from training.learning import packed, text_model

    model = packed.scorer(text_model.TextClassifier.load(folder, k).eval())
    tokeniser = text_model.Tokeniser.load(folder, 128)
    right = 0
    for at, (logits,) in text_model.infer(
        lambda ids, mask: (model(ids, mask),),
        tokeniser(test.texts),
        pad=tokeniser.pad,
        device=torch.device("cpu"),
        batch_tokens=4096,
    ):
        right += int((logits.argmax(axis=1) == test.targets[at]).sum())
    return right / len(test.texts)


if __name__ == "__main__":
    raise SystemExit(_report.main(figures))
