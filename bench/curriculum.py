"""What each curriculum does to a fine-tune: accuracy and forgetting against the plain order, on the same items.

MiniLM on a few labelled texts of banking77 (77 labels), every order with the same seeds and steps. In a
second round a fifth of the labels is wrong on purpose, since wrong labels look difficult. Prints the mean
difference in accuracy to `none` with the half width of its 95 % interval over the seeds. No aim: the figures
say whether a curriculum is worth its setting.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench import _report, _short_texts, finetune

ORDERS = ("none", "competence", "difficulty", "adaptive", "anti")
TRAIN, QUICK_TRAIN = 240, 80
TEST, QUICK_TEST = 600, 100
SEEDS, QUICK_SEEDS = 3, 1
PASSES = 3
WRONG = 0.2
T_95 = {1: float("nan"), 2: 12.71, 3: 4.30, 5: 2.78, 10: 2.26}  # Student's, by number of seeds


def figures(is_quick: bool) -> Iterable[_report.Figure]:
    count, seeds = (QUICK_TRAIN, QUICK_SEEDS) if is_quick else (TRAIN, SEEDS)
    try:
        both = _short_texts.load("banking77", "train", count + count // 8)
        test = _short_texts.load("banking77", "test", QUICK_TEST if is_quick else TEST)
    except _short_texts.SetMissing as error:
        yield _report.Figure("curriculum.accuracy", skipped=str(error))
        return
    rounds = {"": both} if is_quick else {"": both, ".wrong_labels": _spoilt(both, count)}
    for suffix, texts in rounds.items():
        found = {
            order: [_trained(texts, count, test, order, seed) for seed in range(seeds)] for order in ORDERS
        }
        plain = np.array([accuracy for accuracy, _forgotten in found["none"]])
        yield _report.Figure(f"curriculum.none.accuracy{suffix}", float(plain.mean()), "share")
        for order in ORDERS[1:]:
            gains = 100 * (np.array([accuracy for accuracy, _forgotten in found[order]]) - plain)
            half = T_95[seeds] * gains.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
            name = f"curriculum.{order}.gain{suffix}"
            yield _report.Figure(
                name, float(gains.mean()), "points", f"none; 95 % interval ± {half:.1f}, {seeds} seeds"
            )
            forgotten = float(np.mean([events for _accuracy, events in found[order]]))
            yield _report.Figure(f"curriculum.{order}.forgotten{suffix}", forgotten, "events")


def _spoilt(both: _short_texts.Texts, count: int) -> _short_texts.Texts:
    """With wrong labels on a share of the training items."""
    rng = np.random.default_rng(0)
    targets = both.targets.copy()
    wrong = rng.choice(count, size=round(WRONG * count), replace=False)
    targets[wrong] = (targets[wrong] + rng.integers(1, len(both.labels), size=len(wrong))) % len(both.labels)
    return _short_texts.Texts(texts=both.texts, targets=targets, labels=both.labels)


def _trained(
    both: _short_texts.Texts, count: int, test: _short_texts.Texts, order: str, seed: int
) -> tuple[float, int]:
    """Accuracy on the test texts, and forgetting events while training."""
    from training.learning.encoder import default_encoder_path
    from training.programs import finetune as program

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        finetune.write(folder / "data", both, count)
        spec: dict[str, Any] = {
            "result": str(folder / "result"),
            "work": str(folder / "work"),
            "data": str(folder / "data"),
            "labels": both.labels,
            "base_model": str(default_encoder_path()),
            "epochs": PASSES,
            "precision": "auto",
            "curriculum": order,
            "seed": seed,
        }
        program.work(spec)
        result = json.loads((folder / "result" / "result.json").read_text())
        accuracy = finetune.accuracy(folder / "result" / "model", test, len(both.labels))
    print(f"{order}, seed {seed}: {accuracy:.4f}", file=sys.stderr, flush=True)
    return accuracy, result.get("curriculum", {}).get("forgotten", 0)


if __name__ == "__main__":
    raise SystemExit(_report.main(figures))
