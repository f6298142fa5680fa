from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation import compare
from training.evaluation.compare import Difference, decide, paired_bootstrap


def brute_interval(new: np.ndarray, deployed: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        at = rng.integers(0, len(new), len(new))
        values.append(new[at].mean() - deployed[at].mean())
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def answers(seed: int, n: int, good: float, worse: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(n) < good, rng.random(n) < worse


@pytest.mark.parametrize(("n", "good", "worse"), [(60, 0.8, 0.7), (400, 0.9, 0.9), (1000, 0.5, 0.9)])
def test_it_agrees_with_resampling_items_one_by_one(n: int, good: float, worse: float) -> None:
    new, deployed = answers(1, n, good, worse)
    found = paired_bootstrap(new, deployed, rng=np.random.default_rng(0))
    low, high = brute_interval(new, deployed, 10_000, 2)
    assert found.value == pytest.approx(new.mean() - deployed.mean())
    assert found.n == n
    # Values lie on a grid of 1/n; beyond that only the drawing differs.
    assert found.low == pytest.approx(low, abs=1.5 / n + 0.004)
    assert found.high == pytest.approx(high, abs=1.5 / n + 0.004)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80), st.integers(0, 5))
def test_it_holds_the_value_turns_with_the_sides_and_ignores_order(
    pairs: list[tuple[bool, bool]], seed: int
) -> None:
    new, deployed = np.array(pairs).T
    found = paired_bootstrap(new, deployed, rng=np.random.default_rng(seed), resamples=2000)
    assert -1 <= found.low <= found.high <= 1
    assert found.low - 0.1 <= found.value <= found.high + 0.1
    again = paired_bootstrap(new[::-1], deployed[::-1], rng=np.random.default_rng(seed), resamples=2000)
    assert again == found
    turned = paired_bootstrap(deployed, new, rng=np.random.default_rng(seed), resamples=2000)
    assert turned.value == pytest.approx(-found.value)


def test_it_finds_no_difference_between_models_right_on_the_same_items() -> None:
    same = np.array([True, False, True])
    assert paired_bootstrap(same, same, rng=np.random.default_rng(0)) == Difference(
        value=0.0, low=0.0, high=0.0, n=3
    )


def test_it_refuses_answers_to_different_items() -> None:
    for new, deployed in (([True], [True, False]), ([], [])):
        with pytest.raises(ValueError, match="the same items"):
            paired_bootstrap(new, deployed, rng=np.random.default_rng(0))


def test_it_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        hard = rng.random(200)
        found = paired_bootstrap(hard < 0.85, hard + rng.normal(0, 0.1, 200) < 0.80, rng=rng, resamples=500)
        truth = 0.85 - float((np.linspace(0, 1, 20001)[:, None] + np.array([-0.1, 0, 0.1]) < 0.8).mean())
        hits += found.low - 0.01 <= truth <= found.high + 0.01
    assert hits / 300 > 0.9


@pytest.mark.parametrize(
    ("low", "high", "action", "words"),
    [
        (-0.09, -0.01, "keep", "clearly worse"),
        (-0.09, 0.0, "deploy", "not clearly worse"),
        (-0.02, 0.05, "deploy", "not clearly worse"),
        (0.01, 0.05, "deploy", "clearly better"),
    ],
)
def test_it_keeps_the_old_model_only_for_an_interval_wholly_below_zero(
    low: float, high: float, action: str, words: str
) -> None:
    verdict = decide(Difference(value=(low + high) / 2, low=low, high=high, n=200), 200)
    assert (verdict.action, verdict.proven) == (action, True)
    assert words in verdict.reason


def test_it_deploys_even_a_worse_model_unproven_on_too_few_labels() -> None:
    verdict = decide(Difference(value=-0.5, low=-0.9, high=-0.1, n=49), 49)
    assert verdict == compare.Verdict(
        action="deploy",
        proven=False,
        reason="Deployed unproven: 49 labelled test items, 50 are needed for a judgement.",
    )


def test_it_deploys_the_first_model() -> None:
    assert decide(None, 50).proven
    assert decide(None, 50).action == "deploy"
    assert not decide(None, 0).proven


def test_it_says_the_figures_in_its_reason() -> None:
    reason = decide(Difference(value=0.031, low=0.012, high=0.05, n=300), 300).reason
    assert "+3.1 points" in reason and "+1.2 points to +5.0 points, 300 test items" in reason


@pytest.mark.parametrize(
    ("low", "high", "n", "costs", "chosen"),
    [
        (0.01, 0.05, 100, (90.0, 10.0), (0, "better")),
        (-0.05, -0.01, 100, (10.0, 90.0), (1, "better")),
        (-0.05, 0.01, 100, (10.0, 90.0), (0, "cheaper")),
        (0.0, 0.05, 100, (90.0, 10.0), (1, "cheaper")),  # an interval that touches zero shows nothing
        (-0.05, 0.01, 100, (10.0, 10.0), (0, "cheaper")),
        (0.01, 0.05, 49, (90.0, 10.0), (1, "few")),
    ],
)
def test_of_two_models_the_clearly_better_goes_forward_else_the_cheaper(
    low: float, high: float, n: int, costs: tuple[float, float], chosen: tuple[int, str]
) -> None:
    difference = Difference(value=(low + high) / 2, low=low, high=high, n=n)
    assert compare.choose(difference, costs) == chosen


def test_where_nothing_was_measured_the_cheaper_goes_forward() -> None:
    assert compare.choose(None, (2.0, 1.0)) == (1, "few")
