"""What labels are worth: KNN-Shapley and Data Shapley against plain twins, updates, and planted wrong labels
found.

The plain twin of KNN-Shapley sorts and walks one validation item after the other in Python; that of an
update works everything out from nothing. Wrong labels are planted in real sets, embedded by the default
encoder.

    python -m bench.value [--quick] [--json FILE]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench import _sets
from bench._report import Figure, main
from selection.strategies.hardness import cross_validated_losses
from selection.strategies.value import head as heads
from selection.strategies.value.data_shapley import Walks, data_shapley, with_player
from selection.strategies.value.head import with_one
from selection.strategies.value.knn_shapley import NEIGHBOURS, State, knn_shapley
from selection.strategies.value.uses import cleaning_order, found_among_first

WIDTH, LABELS, SEED = 384, 10, 3
SIZES, QUICK_SIZES = (10_000, 1_000, 100), (2_000, 200, 20)  # training, validation and new training items
FLIPPED, FIRST = 0.1, 0.2
SETS = ("snips", "sib200_zh_en")


def plain_knn_shapley(x: Any, labels: Any, val_x: Any, val_labels: Any, k: int) -> Any:
    """The recursion as the paper writes it, item after item."""
    n = len(labels)
    total = np.zeros(n)
    for query, right in zip(val_x, val_labels, strict=True):
        order = np.argsort(-(x @ query), kind="stable")
        value = float(labels[order[-1]] == right) * min(k, n) / (k * n)
        total[order[-1]] += value
        for rank in range(n - 1, 0, -1):
            step = float(labels[order[rank - 1]] == right) - float(labels[order[rank]] == right)
            value += step * min(k, rank) / (k * rank)
            total[order[rank - 1]] += value
    return total / len(val_labels)


def figures(quick: bool) -> Iterator[Figure]:
    yield from _knn(*(QUICK_SIZES if quick else SIZES))
    yield _joining(60 if quick else 300)
    for name in SETS:
        yield _noise(name, 600 if quick else 2_000)


def _knn(n: int, m: int, new: int) -> Iterator[Figure]:
    rng = np.random.default_rng(SEED)
    x, val_x = _unit(rng, n + new), _unit(rng, m)
    labels, val_labels = rng.integers(LABELS, size=n + new), rng.integers(LABELS, size=m)
    given = (x[:n], labels[:n], val_x, val_labels)
    seconds, values = _timed(lambda: knn_shapley(*given))
    few = max(1, m // 20)  # the twin's time goes with the validation items: a twentieth of them says enough
    small = (x[:n], labels[:n], val_x[:few], val_labels[:few])
    slow, theirs = _timed(lambda: plain_knn_shapley(*small, NEIGHBOURS))
    assert np.allclose(theirs, knn_shapley(*small))
    assert len(values) == n
    slow *= m / few
    against = f"plain twin, {slow:.3g} s"
    yield Figure(f"value.knn_shapley.{n}x{m}", seconds, "s", against, slow / seconds)
    state = State.of(*given)
    update, after = _timed(lambda: state.with_training(x[n:], labels[n:]).values())
    anew, other = _timed(lambda: knn_shapley(x, labels, val_x, val_labels))
    assert np.allclose(after, other)
    yield Figure(f"value.knn_shapley.{new}_more", update, "s", f"from nothing, {anew:.3g} s", anew / update)


def _joining(orders: int) -> Figure:
    """Evaluations of the utility when an eleventh item joins the orders of ten, against new orders."""
    rng = np.random.default_rng(SEED)
    x, labels = with_one(_unit(rng, 11)[:, :8]), rng.integers(2, size=11)
    val_x, val_labels = with_one(_unit(rng, 40)[:, :8]), rng.integers(2, size=40)

    def utility(who: Any) -> float:
        if len(np.unique(labels[who])) < 2:
            return 0.5
        head = heads.fit(x[who], labels[who], 2, ridge=1.0)
        return float((head.logits(val_x).argmax(axis=1) == val_labels).mean())

    first = data_shapley(utility, 10, rng=rng, half_width=0, most_orders=orders)
    spent = with_player(first.walks, utility, rng=rng).evaluations - first.walks.evaluations
    anew = data_shapley(utility, 11, rng=rng, before=Walks.none(11), half_width=0, most_orders=orders)
    whole = anew.walks.evaluations
    return Figure(
        "value.data_shapley.joining", int(spent), "evaluations", f"new orders, {whole}", whole / spent
    )


def _noise(name: str, limit: int) -> Figure:
    """Share of planted wrong labels among the first fifth of the cleaning order; a random order finds a
    fifth.
    """
    figure = f"value.wrong_labels_found.{name}"
    try:
        held = _sets.load(name, pool_limit=limit + 500)
    except _sets.SetMissing as error:
        return Figure(figure, skipped=str(error))
    rng = np.random.default_rng(SEED)
    x, codes = np.asarray(held.pool.embeddings, dtype=np.float32), np.asarray(held.pool.labels).copy()
    val_x, val_codes = x[:500], codes[:500]
    x, codes = x[500:], codes[500:]
    wrong = rng.random(len(codes)) < FLIPPED
    codes[wrong] = (codes[wrong] + rng.integers(1, len(held.labels), size=int(wrong.sum()))) % len(
        held.labels
    )
    scores = [knn_shapley(x, codes, val_x, val_codes), -cross_validated_losses(x, codes)]
    share = found_among_first(cleaning_order(scores)[0], wrong, FIRST)
    return Figure(figure, share, "share", "random order, 0.2", share / FIRST)


def _unit(rng: np.random.Generator, count: int) -> Any:
    vectors = rng.normal(size=(count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


if __name__ == "__main__":
    raise SystemExit(main(figures))
