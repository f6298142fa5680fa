from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from tests.training_kit import write_answers
from training.objectives.rating import Ratings, medians
from training.objectives.task import Choices, Encoded

FIELD = {
    "name": "quality",
    "type": "rating",
    "lowest": -1,
    "points": 4,
    "dimensions": [{"id": "helpful", "name": "Helpful"}, {"id": "honest", "name": "Honest"}],
}
NONE = Encoded(tokens=[])


def by_hand(steps: np.ndarray) -> np.ndarray:
    """(4,) chances of the points from three logits: up a step, up a step, ... and there it stays."""
    up = expit(steps)
    return np.array([1 - up[0], up[0] * (1 - up[1]), up[0] * up[1] * (1 - up[2]), up.prod()])


def test_the_chance_of_a_point_is_that_of_rising_to_it_and_staying() -> None:
    import torch

    task = Ratings(FIELD, Choices())
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(5, 6)).astype(np.float32)
    probs = task.probabilities(outputs, NONE, {"temperatures": [1.0, 1.0]})
    wanted = np.stack([np.concatenate([by_hand(row[:3]), by_hand(row[3:])]) for row in outputs])
    assert probs == pytest.approx(wanted, rel=1e-5)
    assert task.columns[:5] == ["helpful=-1", "helpful=0", "helpful=1", "helpful=2", "honest=-1"]
    targets = rng.dirichlet(np.ones(4), size=(5, 2)).astype(np.float32)
    losses = task.losses(torch.from_numpy(outputs), torch.from_numpy(targets)).numpy()
    assert losses == pytest.approx(-(targets * np.log(wanted.reshape(5, 2, 4))).sum(2).mean(1), rel=1e-4)


def test_it_answers_the_median_of_each_dimension() -> None:
    task = Ratings(FIELD, Choices())
    probs = np.array([[0.4, 0.15, 0.15, 0.3, 0.0, 0.1, 0.5, 0.4]], dtype=np.float32)
    found = task.answers(probs, NONE, {})[0]
    assert found.value == {"helpful": 0, "honest": 1}
    assert found.confidence == pytest.approx(0.15 * 0.5)
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(5), size=40)
    costs = np.abs(np.arange(5)[:, None] - np.arange(5)) @ p.T  # of each answer, expected points off
    at = medians(p[:, None])[:, 0]
    assert costs[at, np.arange(40)] == pytest.approx(costs.min(axis=0))


def test_it_reads_points_and_shares(tmp_path: Path) -> None:
    rows = [("one", {"helpful": -1, "honest": 2}), ("two", {"helpful": 1, "honest": 2})]
    write_answers(
        tmp_path, FIELD, rows, posteriors=[{"helpful=-1": 0.5, "helpful=0": 0.5, "honest=2": 1.0}, None]
    )
    found = Ratings(FIELD, Choices()).read(tmp_path, "train")
    assert found.targets[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    soft = Ratings(FIELD, Choices(soft_labels=True)).read(tmp_path, "train")
    assert soft.targets[:, 0].tolist() == [[0.5, 0.5, 0, 0], [0, 0, 1, 0]]
    assert Ratings(FIELD, Choices()).counts(found)["honest=2"] == 2


def test_its_temperature_is_the_best_there_is() -> None:
    task = Ratings(FIELD, Choices())
    rng = np.random.default_rng(2)
    outputs = (3 * rng.normal(size=(2000, 6))).astype(np.float32)
    honest = task.probabilities(outputs, NONE, {"temperatures": [3.0, 3.0]}).reshape(2000, 2, 4)
    targets = np.stack(
        [[rng.multinomial(1, p / p.sum() - 1e-9) for p in row] for row in honest.astype(float)]
    )
    fitted = task.calibrate(outputs, targets.astype(np.float32))["temperatures"]
    assert fitted == pytest.approx([3.0, 3.0], rel=0.25)


def test_it_refuses_ratings_that_are_all_alike(tmp_path: Path) -> None:
    write_answers(tmp_path, FIELD, [("one", {"helpful": 0, "honest": 0})] * 3)
    task = Ratings(FIELD, Choices())
    with pytest.raises(ValueError, match="all 3 items to train on are rated alike"):
        task.check(task.read(tmp_path, "train"))


def test_the_losses_of_its_dimensions_are_its_loss() -> None:
    import torch

    task = Ratings(FIELD, Choices())
    assert (task.parts_are, list(task.parts)) == ("dimensions", ["helpful", "honest"])
    rng = np.random.default_rng(3)
    outputs = torch.from_numpy(rng.normal(size=(7, 6)).astype(np.float32))
    targets = torch.from_numpy(rng.dirichlet(np.ones(4), size=(7, 2)).astype(np.float32))
    found = task.part_losses(outputs, targets)
    assert torch.equal(found.sum(dim=1), task.losses(outputs, targets))
    alone = Ratings({**FIELD, "dimensions": FIELD["dimensions"][1:]}, Choices())  # type: ignore[index]
    torch.testing.assert_close(found[:, 1] * 2, alone.losses(outputs[:, 3:], targets[:, 1:]))
