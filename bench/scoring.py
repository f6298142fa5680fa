"""How fast a classifier scores a pool, probabilities and embeddings of short texts, against a plain loop.

The plain loop is what the pipelines of the libraries do: texts in the order they come, 32 at a time, padded to
the longest of the batch, through transformers' module without gradients. Ours is what training.programs.predict
calls. Both begin with texts and end with numbers, tokenising included. The head is a probe's, so that the
answers are real ones; agreement and the rank correlation of entropy are against the plain loop's.

Figures: scoring.speedup, scoring.agreement, scoring.speedup_bf16, scoring.entropy_rank_bf16, scoring.rate_share
(of the matrix rate that torch reaches here on a product of the same width).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import _report, _short_texts

POOL, QUICK_POOL = 6_000, 500
TRAIN, QUICK_TRAIN = 1_500, 300
PLAIN_BATCH = 32
RATE_TRIES = 12
Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # (n, k) logits, (n, d) vectors


def figures(is_quick: bool) -> Iterable[_report.Figure]:
    from training.learning import text_model

    text_model.be_quiet()
    try:
        pool = _short_texts.load("banking77", "train", QUICK_POOL if is_quick else POOL)
        train = _short_texts.load("banking77", "test", QUICK_TRAIN if is_quick else TRAIN)
    except _short_texts.SetMissing as error:
        yield _report.Figure("scoring.speedup", skipped=str(error))
        return
    model, tokeniser = _trained(train)
    _warm(model, tokeniser, pool.texts[:64])
    plain, plain_s = _timed(lambda: _plain(model, tokeniser, pool.texts))
    n, tokens = len(pool.texts), sum(len(row) for row in tokeniser(pool.texts))
    against = f"plain loop, batches of {PLAIN_BATCH}, {n / plain_s:.0f} texts/s"
    yield _report.Figure("scoring.tokens_a_text", tokens / n, "tokens")
    for precision, suffix in (("fp32", ""), ("bf16", "_bf16")):
        ours, ours_s = _timed(lambda p=precision: _ours(model, tokeniser, pool.texts, p))  # type: ignore[misc]
        ratio = plain_s / ours_s
        yield _report.Figure(f"scoring.texts_per_s{suffix}", n / ours_s, "1/s", against, ratio)
        yield _report.Figure(f"scoring.speedup{suffix}", ratio, "ratio", against, ratio)
        same = float((ours[0].argmax(axis=1) == plain[0].argmax(axis=1)).mean())
        yield _report.Figure(f"scoring.agreement{suffix}", same, "share", "argmax of the plain loop")
        rank = _rank_correlation(_entropy(ours[0]), _entropy(plain[0]))
        yield _report.Figure(
            f"scoring.entropy_rank{suffix}", rank, "correlation", "entropy, the plain loop's"
        )
        yield _report.Figure(
            f"scoring.vector_error{suffix}", float(np.abs(ours[1] - plain[1]).max()), "absolute"
        )
        rate = _matrix_rate(precision)
        done = _flop_a_token(model) * tokens / ours_s
        yield _report.Figure(
            f"scoring.rate_share{suffix}", done / rate, "share", f"{rate / 1e9:.0f} GFLOP/s in one product"
        )


def _trained(train: _short_texts.Texts) -> tuple[Any, Any]:
    """A probe's head on the frozen encoder: real answers without a minute of training."""
    from training.learning import probe, text_model
    from training.learning.encoder import Encoder, default_encoder_path

    path = default_encoder_path()
    encoder = text_model.load_encoder(path).eval()
    tokeniser = text_model.Tokeniser.load(path, 128)
    model = text_model.TextClassifier(encoder, len(train.labels)).eval()
    vectors = Encoder(encoder, tokeniser).encode(train.texts)
    model.start_head(*probe.fit(vectors, train.targets, len(train.labels), c=10.0, seed=0).head(vectors))
    return model, tokeniser


def _plain(model: Any, tokeniser: Any, texts: list[str]) -> Found:
    import torch

    logits, vectors = [], []
    for at in range(0, len(texts), PLAIN_BATCH):
        batch = tokeniser.inner(
            texts[at : at + PLAIN_BATCH], padding=True, truncation=True, max_length=128, return_tensors="pt"
        )
        with torch.inference_mode():
            found = model.logits_and_vectors(batch["input_ids"], batch["attention_mask"])
        logits.append(found[0].numpy())
        vectors.append(found[1].numpy())
    return np.concatenate(logits), np.concatenate(vectors)


def _ours(model: Any, tokeniser: Any, texts: list[str], precision: Any) -> Found:
    import torch

    from training.learning import packed, text_model

    fast = packed.scorer(model, precision)
    logits = np.empty((len(texts), model.head.out_features), dtype=np.float32)
    vectors = np.empty((len(texts), model.head.in_features), dtype=np.float32)
    for at, (some_logits, some_vectors) in text_model.infer(
        fast.logits_and_vectors,
        tokeniser(texts),
        pad=tokeniser.pad,
        device=torch.device("cpu"),
        batch_tokens=4096,
    ):
        logits[at], vectors[at] = some_logits, some_vectors
    return logits, vectors


def _warm(model: Any, tokeniser: Any, texts: list[str]) -> None:
    _plain(model, tokeniser, texts)
    for precision in ("fp32", "bf16"):
        _ours(model, tokeniser, texts, precision)


def _timed(call: Callable[[], Found]) -> tuple[Found, float]:
    begun = time.perf_counter()
    found = call()
    return found, time.perf_counter() - begun


def _entropy(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    from training.learning.calibration import calibrated

    probs = calibrated(logits, 1.0).astype(np.float64)
    return np.asarray(-(probs * np.log(np.clip(probs, 1e-12, 1))).sum(axis=1))


def _rank_correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Spearman's."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def _flop_a_token(model: Any) -> int:
    """Two for each weight of a product; attention, a hundredth of it at this length, is left out."""
    return 2 * sum(one.numel() for one in model.encoder.encoder.parameters() if one.ndim == 2)


def _matrix_rate(precision: str) -> float:
    """FLOP/s of torch's fastest product of 4,096 rows through 384 x 1,536 weights."""
    import torch

    from training.learning import packed

    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    values, weight = torch.randn(4096, 384, dtype=dtype), torch.randn(1536, 384, dtype=dtype)
    layout = packed._pack(weight, torch.zeros(1536), dtype)
    best = np.inf
    with torch.inference_mode():
        for product in (lambda: packed._product(values, layout), lambda: values @ weight.T):
            for _ in range(RATE_TRIES):
                begun = time.perf_counter()
                product()
                best = min(best, time.perf_counter() - begun)
    return float(2 * 4096 * 384 * 1536 / best)


if __name__ == "__main__":
    raise SystemExit(_report.main(figures))
