from __future__ import annotations

import numpy as np
import pytest

from annotation.quality.intervals import CONFIDENCE, percentile_interval
from training.evaluation import compare, language


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_loss_and_accuracy_count_tokens_alike() -> None:
    found = language.of_responses(
        np.array([0, 1]), np.array([-2.0, -9.0]), np.array([4, 6]), np.array([4, 0]), rng()
    )
    assert found["loss"] == pytest.approx(1.1)
    assert found["perplexity"] == pytest.approx(np.exp(1.1))
    assert (found["accuracy"], found["n"], found["tokens"]) == (0.4, 2, 10)
    assert found["intervals"]["loss"][0] <= 1.1 <= found["intervals"]["loss"][1]


@pytest.mark.parametrize(("items", "resamples"), [(1, 3), (7, 50), (101, 4_000)])  # the last in two blocks
def test_resamples_drawn_together_are_those_drawn_one_after_the_other(items: int, resamples: int) -> None:
    values, weights = rng().normal(size=items), rng().integers(1, 50, size=items).astype(np.float64)
    one, drawn = rng(), []
    for _ in range(resamples):
        some = one.integers(items, size=items)
        drawn.append(np.average(values[some], weights=weights[some]))
    found = language.bootstrapped(values, rng(), weights, resamples)
    assert found.value == pytest.approx(np.average(values, weights=weights))
    assert (found.low, found.high) == percentile_interval(np.array(drawn), CONFIDENCE)


def test_pairs_of_one_item_count_once_and_equal_scores_half() -> None:
    found = language.of_pairs(np.array([5, 5, 9]), np.array([1.0, -1.0, 0.0]), rng())
    assert (found["n"], found["pairs"], found["accuracy"], found["margin"]) == (2, 3, 0.5, 0.0)
    both = (np.log1p(np.exp(-1)) + np.log1p(np.exp(1))) / 2
    assert found["loss"] == pytest.approx((both + np.log(2)) / 2)


def test_the_paired_difference_is_sure_where_every_item_gains_as_much() -> None:
    found = language.paired(np.array([2.0, 3.0]), np.array([1.0, 2.0]), rng())
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 2)
    with pytest.raises(ValueError, match="expected the same items"):
        language.paired(np.zeros(2), np.zeros(3), rng())


def test_the_rule_keeps_what_a_language_model_is_clearly_worse_than() -> None:
    worse = compare.Difference(value=-0.02, low=-0.03, high=-0.01, n=80)
    verdict = compare.decide(worse, 80, measure="log likelihood", against="the base model")
    assert verdict.action == "keep"
    assert verdict.reason == (
        "Kept the base model: log likelihood -0.0200 nats a character against the base model "
        "(95 % interval -0.0300 nats a character to -0.0100 nats a character, 80 test items), clearly worse."
    )
