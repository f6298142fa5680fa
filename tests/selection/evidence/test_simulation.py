import numpy as np
import pytest

from selection.evidence.simulation import Examples, Plan, run
from selection.strategies.errors import PoolTooSmall
from selection.strategies.registry import STRATEGIES


def _set(n, seed, k=4, noise=0.35):
    rng = np.random.default_rng(seed)
    codes = rng.integers(k, size=n)
    vectors = np.eye(12)[codes] + rng.normal(scale=noise, size=(n, 12))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Examples(unit, codes.astype(np.int64), np.arange(n))


POOL, TEST = _set(300, 0), _set(200, 1)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_it_learns_from_batch_to_batch_with_every_strategy(strategy):
    course = run(POOL, TEST, Plan(strategy=strategy, batch=10, batches=5))
    assert course.labels.tolist() == [10, 20, 30, 40, 50]
    assert len(set(course.picked.tolist())) == 50
    assert course.accuracy[-1] > 0.6
    assert ((course.accuracy >= 0) & (course.accuracy <= 1)).all()


def test_it_starts_every_strategy_of_a_seed_with_the_same_batch():
    courses = [
        run(POOL, TEST, Plan(strategy=name, batch=10, batches=2, seed=7)) for name in ("random", "margin")
    ]
    assert courses[0].picked[:10].tolist() == courses[1].picked[:10].tolist()
    assert courses[0].accuracy[0] == courses[1].accuracy[0]
    assert courses[0].picked[10:].tolist() != courses[1].picked[10:].tolist()


def test_it_repeats_itself_for_a_seed_and_differs_for_another():
    first, again, other = (
        run(POOL, TEST, Plan(strategy="default", batch=10, batches=3, seed=s)) for s in (1, 1, 2)
    )
    assert first.picked.tolist() == again.picked.tolist() != other.picked.tolist()
    assert first.accuracy.tolist() == again.accuracy.tolist()


def test_it_marks_the_control_arm():
    course = run(POOL, TEST, Plan(strategy="margin", batch=10, batches=3, control_share=0.2))
    assert [(course.arm[at : at + 10] == "control").sum() for at in (0, 10, 20)] == [2, 2, 2]


def test_it_goes_on_with_cold_starts_until_two_labels_are_known():
    codes = np.zeros(60, dtype=np.int64)
    pool = Examples(POOL.embeddings[:60], codes)
    course = run(pool, TEST, Plan(strategy="margin", batch=5, batches=3))
    assert course.accuracy.tolist() == [(TEST.labels == 0).mean()] * 3


def test_it_reports_every_batch():
    seen = []
    course = run(
        POOL, TEST, Plan(strategy="random", batch=10, batches=3), on_batch=lambda *at: seen.append(at)
    )
    assert seen == list(zip(course.labels.tolist(), course.accuracy.tolist(), strict=True))


def test_it_refuses_more_batches_than_the_pool_holds():
    with pytest.raises(PoolTooSmall, match="batch needs 25"):
        run(Examples(POOL.embeddings[:40], POOL.labels[:40]), TEST, Plan(strategy="random", batches=2))
