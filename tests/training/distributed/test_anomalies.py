from __future__ import annotations

import math

import numpy as np
import pytest

from training.distributed.anomalies import LEAST, Anomaly, Watch


def fed(losses: list[float], watch: Watch | None = None) -> Watch:
    watch = watch or Watch()
    for step, loss in enumerate(losses, 1):
        watch.check(step, loss=loss, gradient=1.0)
    return watch


def noisy(count: int, level: float = 1.0) -> list[float]:
    return (level * np.exp(np.random.default_rng(0).normal(0, 0.3, size=count))).tolist()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_it_refuses_what_is_no_number_from_the_first_step_on(value: float) -> None:
    with pytest.raises(Anomaly, match="the loss became .* at step 1"):
        Watch().check(1, loss=value, gradient=1.0)
    with pytest.raises(Anomaly, match="the norm of the gradient became .* at step 1"):
        Watch(spikes=False).check(1, loss=1.0, gradient=value)


def test_it_refuses_a_jump_and_does_not_take_it_in() -> None:
    watch = fed(noisy(50))
    for _ in range(3):
        with pytest.raises(Anomaly, match="the loss jumped to 30 at step 51, where about"):
            watch.check(51, loss=30.0, gradient=1.0)
    watch.check(51, loss=1.0, gradient=1.0)


def test_it_sees_a_jump_of_the_gradient() -> None:
    watch = Watch()
    for step, norm in enumerate(noisy(50), 1):
        watch.check(step, loss=1.0, gradient=norm)
    with pytest.raises(Anomaly, match="the norm of the gradient jumped") as caught:
        watch.check(51, loss=1.0, gradient=50.0)
    assert caught.value.what == "gradient" and caught.value.step == 51


def test_it_waits_until_it_knows_what_is_usual() -> None:
    watch = fed(noisy(LEAST - 1))
    watch.check(LEAST, loss=500.0, gradient=1.0)


def test_it_lets_a_hard_item_late_in_a_training_pass() -> None:
    watch = fed(noisy(50) + noisy(200, 0.001))
    watch.check(251, loss=0.9, gradient=1.0)  # 900 times the usual, and no worse than the beginning


def test_it_raises_no_false_alarm_on_losses_that_fall_with_noise() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        fed((np.exp(-np.arange(600) / 150) * np.exp(rng.normal(0, 0.5, size=600))).tolist())


def test_it_can_be_told_to_look_for_numbers_only() -> None:
    fed(noisy(50), Watch(spikes=False)).check(51, loss=1e9, gradient=1.0)
