from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from tests.training_kit import write_answers
from training.objectives.multilabel import SeveralLabels, best_threshold, two_class_head
from training.objectives.task import Choices, Encoded

LABELS = [{"id": name, "name": name} for name in ("a", "b", "c")]
FIELD = {"name": "topics", "type": "multilabel", "labels": LABELS}
NONE = Encoded(tokens=[])


def task(**changes: object) -> SeveralLabels:
    return SeveralLabels({**FIELD, **changes}, Choices())


def test_it_reads_yes_and_no_for_each_label(tmp_path: Path) -> None:
    write_answers(tmp_path, FIELD, [("one", ["a", "c"]), ("two", [])])
    found = task().read(tmp_path, "train")
    assert found.targets.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert task().counts(found) == {"a": 1, "b": 0, "c": 1}


def test_it_reads_shares_of_belief_for_training_alone(tmp_path: Path) -> None:
    write_answers(
        tmp_path, FIELD, [("one", ["a"]), ("two", ["b"])], posteriors=[{"a": 0.75, "b": 0.25}, None]
    )
    soft = SeveralLabels(FIELD, Choices(soft_labels=True))
    assert soft.read(tmp_path, "train").targets.tolist() == [[0.75, 0.25, 0], [0, 1, 0]]
    assert soft.read(tmp_path, "validation").targets.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_it_has_the_mean_binary_cross_entropy_as_loss() -> None:
    import torch

    logits, wanted = np.array([[2.0, -1.0, 0.0]]), np.array([[1.0, 0.0, 0.25]])
    p = expit(logits)
    by_hand = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean()
    found = task().losses(torch.from_numpy(logits), torch.from_numpy(wanted.astype(np.float32)))
    assert found.numpy() == pytest.approx([by_hand], rel=1e-6)


def test_it_finds_the_threshold_of_the_highest_f1() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        probs, given = rng.random(12).round(1), rng.random(12) < 0.4

        def f1(threshold: float, probs: np.ndarray = probs, given: np.ndarray = given) -> float:
            said = probs >= threshold
            return 2 * (said & given).sum() / max(1, said.sum() + given.sum())

        best = max(f1(threshold) for threshold in np.linspace(0, 1, 1001))
        assert f1(best_threshold(probs, given)) == pytest.approx(best)


def test_it_gives_rare_labels_the_common_threshold() -> None:
    rng = np.random.default_rng(0)
    given = np.stack([rng.random(200) < share for share in (0.5, 0.3, 0.01)], axis=1)
    outputs = (given * 3.0 - 1.5 + rng.normal(size=given.shape)).astype(np.float32)
    fitted = task().calibrate(outputs, given.astype(np.float32))
    probs = task().probabilities(outputs, NONE, fitted)
    common = best_threshold(probs.ravel(), given.ravel())
    assert fitted["thresholds"][2] == pytest.approx(common) and fitted["thresholds"][0] != common
    assert all(0.05 <= one <= 20 for one in fitted["temperatures"])
    assert task().calibrate([], None) == {"temperatures": [1.0] * 3, "thresholds": [0.5] * 3}


@pytest.mark.parametrize(("low", "high"), [(0, 3), (1, 3), (2, 2), (0, 1)])
def test_it_answers_within_the_bounds_of_the_field(low: int, high: int) -> None:
    own = task(minimum=low, maximum=high)
    probs = np.array(list(itertools.product((0.2, 0.6, 0.9), repeat=3)), dtype=np.float32)
    fitted = {"temperatures": [1.0] * 3, "thresholds": [0.5] * 3}
    for row, answer in zip(probs, own.answers(probs, NONE, fitted), strict=True):
        assert low <= len(answer.value) <= high
        assert len(answer.value) == min(high, max(low, int((row >= 0.5).sum())))
        said = np.array([name in answer.value for name in own.columns])
        assert answer.confidence == pytest.approx(float(np.where(said, row, 1 - row).prod()), rel=1e-5)
        assert not said.any() or row[said].min() >= row[~said].max(initial=0.0)


def test_it_starts_a_label_that_all_or_none_have_without_weight() -> None:
    vectors, ones = np.eye(4, dtype=np.float32), np.ones(4)
    weight, bias = two_class_head(vectors, np.zeros(4, dtype=np.int64), ones, 0)
    assert not weight.any() and bias == pytest.approx(np.log(1 / 5))


def test_it_refuses_what_teaches_nothing(tmp_path: Path) -> None:
    write_answers(tmp_path, FIELD, [("one", ["a"]), ("two", ["a"])])
    with pytest.raises(ValueError, match="all 2 items to train on have the same labels"):
        task().check(task().read(tmp_path, "train"))
    write_answers(tmp_path, FIELD, [("one", ["alien"])], checked=False)
    with pytest.raises(ValueError, match="labels that the schema does not know: alien"):
        task().read(tmp_path, "train")


def test_the_losses_of_its_labels_are_its_loss() -> None:
    import torch

    logits, wanted = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[1.0, 0.0, 0.25]])
    found = task().part_losses(logits, wanted)
    assert (task().parts_are, list(task().parts)) == ("labels", ["a", "b", "c"])
    assert torch.equal(found.sum(dim=1), task().losses(logits, wanted))
    assert found[0].tolist() == pytest.approx(
        [
            float(-np.log(expit(2.0))) / 3,
            float(-np.log(expit(1.0))) / 3,
            float(np.log1p(np.exp(0.5)) - 0.125) / 3,
        ]
    )
