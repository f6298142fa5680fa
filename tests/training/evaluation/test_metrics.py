from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from training.evaluation import metrics
from training.learning import calibration


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def draw(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    gold = source.integers(0, k, n)
    logits = source.normal(size=(n, k)) + 1.5 * np.eye(k)[gold]
    return calibration.calibrated(logits, 1.0), gold


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 60), k=st.integers(2, 6))
def test_it_has_the_values_of_scikit_learn(seed: int, n: int, k: int) -> None:
    probs, gold = draw(seed, n, k)
    predicted = probs.argmax(axis=1)
    found = metrics.measure(probs, gold, tuple("abcdef"[:k]), rng=rng(), resamples=50)
    assert found.accuracy.value == pytest.approx((predicted == gold).mean())
    assert found.macro_f1.value == pytest.approx(f1_score(gold, predicted, average="macro", zero_division=0))
    assert (found.confusion == confusion_matrix(gold, predicted, labels=range(k))).all()
    assert found.ece.value == pytest.approx(calibration.ece(probs, gold))
    reference = precision_recall_fscore_support(gold, predicted, labels=range(k), zero_division=np.nan)
    for i, figures in enumerate(found.per_class):
        for estimate, values in zip((figures.precision, figures.recall), reference, strict=False):
            assert estimate.value == pytest.approx(values[i], nan_ok=True)
        if figures.support + figures.predicted:
            assert figures.f1.value == pytest.approx(np.nan_to_num(reference[2][i]))
        else:
            assert math.isnan(figures.f1.value)


def brute_macro_f1_interval(
    gold: np.ndarray, predicted: np.ndarray, k: int, resamples: int
) -> tuple[float, float]:
    source = np.random.default_rng(9)
    values = []
    for _ in range(resamples):
        at = source.integers(0, len(gold), len(gold))
        values.append(metrics.macro_f1(metrics.confusion(gold[at], predicted[at], k)))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def test_it_bootstraps_as_resampling_items_does() -> None:
    probs, gold = draw(3, 300, 4)
    found = metrics.measure(probs, gold, tuple("abcd"), rng=rng(), resamples=4000)
    low, high = brute_macro_f1_interval(gold, probs.argmax(axis=1), 4, 3000)
    assert found.macro_f1.low == pytest.approx(low, abs=0.006)
    assert found.macro_f1.high == pytest.approx(high, abs=0.006)


def test_it_bootstraps_the_calibration_error_as_resampling_items_does() -> None:
    probs, gold = draw(4, 200, 3)
    source, values = np.random.default_rng(1), []
    for _ in range(2000):
        at = source.integers(0, 200, 200)
        values.append(calibration.ece(probs[at], gold[at]))
    found = metrics.measure(probs, gold, tuple("abc"), rng=rng(), resamples=2000).ece
    low, high = np.quantile(values, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.008), pytest.approx(high, abs=0.008))


def test_it_measures_a_worked_example() -> None:
    # gold a a a b; predicted a a b b: precision a 2/2, b 1/2; recall a 2/3, b 1/1; F1 a 4/5, b 2/3.
    gold = np.array([0, 0, 0, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    found = metrics.measure(probs, gold, ("a", "b"), rng=rng())
    assert found.accuracy.value == 0.75
    assert found.macro_f1.value == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found.confusion.tolist() == [[2, 1], [0, 1]]
    first = found.per_class[0]
    assert (first.precision.value, first.recall.value, first.support, first.predicted) == (1.0, 2 / 3, 3, 2)
    assert first.f1.value == pytest.approx(0.8)
    assert 0.3 < found.accuracy.low < 0.75 < found.accuracy.high < 0.96


def test_it_puts_every_value_inside_its_interval() -> None:
    probs, gold = draw(7, 400, 5)
    found = metrics.measure(probs, gold, tuple("abcde"), rng=rng())
    for estimate in (found.accuracy, found.macro_f1, *(figures.f1 for figures in found.per_class)):
        assert estimate.low < estimate.value < estimate.high


def test_it_can_be_written_as_json_with_labels_that_never_occur() -> None:
    probs = np.array([[0.7, 0.3, 0.0], [0.6, 0.4, 0.0]], dtype=np.float32)
    found = metrics.measure(probs, np.array([0, 1]), ("a", "b", "never"), rng=rng()).to_json()
    text = json.dumps(found, allow_nan=False)
    never = json.loads(text)["per_class"][2]
    assert (never["precision"], never["recall"], never["f1"], never["support"]) == (None, None, None, 0)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert [entry["count"] for entry in found["reliability"]].count(0) == 13
    assert found["intervals"]["accuracy"][0] < 0.5 < found["intervals"]["accuracy"][1]


@pytest.mark.parametrize(
    ("probs", "gold", "words"),
    [
        (np.zeros((0, 2)), [], "expected"),
        (np.zeros((1, 3)), [0], "expected"),
        (np.array([[0.5, 0.5]]), [2], "outside"),
        (np.array([[np.nan, 0.5]]), [0], "diverged"),
    ],
)
def test_it_refuses_what_it_cannot_measure(probs: np.ndarray, gold: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metrics.measure(probs, np.array(gold, dtype=int), ("a", "b"), rng=rng())


def test_it_has_no_macro_f1_for_nothing() -> None:
    assert math.isnan(metrics.macro_f1(np.zeros((2, 2), dtype=np.int64)))
