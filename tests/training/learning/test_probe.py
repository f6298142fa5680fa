from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from training.learning import probe


def clusters(seed: int, n: int, k: int, d: int = 8, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(k, d))
    labels = rng.integers(0, k, n)
    vectors = centres[labels] + spread * rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("k", [2, 5])
def test_it_is_scikit_learns_regression_where_all_labels_are_seen(k: int) -> None:
    vectors, labels = clusters(0, 200, k)
    fitted = probe.fit(vectors, labels, k, c=3.0, seed=0)
    reference = LogisticRegression(C=3.0, max_iter=500).fit(vectors, labels)
    np.testing.assert_allclose(fitted.probabilities(vectors), reference.predict_proba(vectors), atol=1e-5)


def test_it_stops_where_the_gradient_is_zero() -> None:
    vectors, labels = clusters(1, 150, 3)
    fitted = probe.fit(vectors, labels, 3, c=1.0, seed=0)
    error = softmax(fitted.logits(vectors), axis=1) - np.eye(3)[labels]
    assert np.abs(error.T @ vectors + fitted.coef).max() < 0.05
    assert np.abs(error.sum(axis=0)).max() < 0.05


def test_it_gives_labels_never_seen_laplaces_share() -> None:
    vectors, labels = clusters(2, 12, 3)
    fitted = probe.fit(vectors, labels * 10 + 4, 77, c=10.0, seed=0)  # columns 4, 14 and 24 of 77
    probs = fitted.probabilities(vectors)
    assert probs.shape == (12, 77) and probs.dtype == np.float32
    assert probs[:, 0] == pytest.approx(1 / (12 + 77))
    assert probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert set(probs.argmax(axis=1)) <= {4, 14, 24}


def test_it_says_the_same_as_its_dense_head() -> None:
    vectors, labels = clusters(3, 60, 3)
    fitted = probe.fit(vectors, labels * 2, 6, c=10.0, seed=0)
    weight, bias = fitted.head(vectors)
    logits = vectors @ weight.T + bias
    seen = [0, 2, 4]
    np.testing.assert_allclose(
        log_softmax(logits[:, seen], axis=1), log_softmax(fitted.logits(vectors), axis=1), atol=1e-5
    )
    assert softmax(logits, axis=1)[:, 1].mean() == pytest.approx(fitted.floor, rel=0.5)


def test_it_counts_weights_as_repeats() -> None:
    vectors, labels = clusters(4, 80, 3)
    weights = np.random.default_rng(0).integers(1, 4, 80)
    weighted = probe.fit(vectors, labels, 3, c=1.0, seed=0, weights=weights.astype(float))
    repeated = probe.fit(np.repeat(vectors, weights, axis=0), np.repeat(labels, weights), 3, c=1.0, seed=0)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=2e-2)


def test_it_lowers_the_loss_on_validation_items_by_calibration() -> None:
    vectors, labels = clusters(5, 60, 3, spread=1.2)
    fitted = probe.fit(vectors, labels, 4, c=1000.0, seed=0)
    held, gold = clusters(6, 200, 3, spread=1.2)
    better = probe.calibrate(fitted, held, gold)
    assert better.temperature > 1.2  # fitted so closely it was too sure

    def loss(model: probe.Probe) -> float:
        return float(-np.log(model.probabilities(held)[np.arange(200), gold]).mean())

    assert loss(better) < loss(fitted)
    with_alien = probe.calibrate(fitted, np.vstack([held, held[:1]]), np.append(gold, 3))
    assert with_alien.temperature == pytest.approx(better.temperature)


def test_it_survives_its_file(tmp_path: Path) -> None:
    vectors, labels = clusters(7, 40, 3)
    fitted = probe.calibrate(probe.fit(vectors, labels, 5, c=10.0, seed=0), vectors, labels)
    probe.save(fitted, tmp_path)
    again = probe.load(tmp_path)
    assert (again.probabilities(vectors) == fitted.probabilities(vectors)).all()


def test_it_refuses_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read as a probe.*train the model again"):
        probe.load(tmp_path)
    (tmp_path / probe.FILE).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match="cannot be read as a probe"):
        probe.load(tmp_path)


def test_it_refuses_a_file_with_pickled_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / probe.FILE, coef=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read as a probe"):
        probe.load(tmp_path)


def test_it_needs_two_labels_and_real_numbers() -> None:
    with pytest.raises(ValueError, match="found 1 different labels among 3 items"):
        probe.fit(np.eye(3), np.zeros(3, int), 4, c=1.0, seed=0)
    with pytest.raises(ValueError, match="weights are damaged"):
        probe.fit(np.full((2, 3), np.nan), np.array([0, 1]), 2, c=1.0, seed=0)
