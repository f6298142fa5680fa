import numpy as np
import pytest

from bench import _sets, label_efficiency
from bench.label_efficiency import DEFAULT, SETS, distinct_strategies
from selection.strategies.registry import STRATEGIES


def test_it_skips_sets_that_are_not_there_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("GYRE_DATA", str(tmp_path))
    found = list(label_efficiency.figures(True))
    assert [figure.name for figure in found] == [
        f"label_efficiency.{what}.{name}" for name in SETS for what in ("auc_gain_low", "labels_ratio")
    ]
    assert all("is not there: set GYRE_DATA" in figure.skipped for figure in found)


def test_it_does_not_run_the_twin_of_a_strategy_twice():
    twins = distinct_strategies(tuple(STRATEGIES))
    assert set(twins) == set(STRATEGIES)
    assert twins["random"] == "random"
    same = [name for name in STRATEGIES if name != DEFAULT and twins[DEFAULT] == name]
    assert twins[DEFAULT] == (same[0] if same else DEFAULT)


def _figures_of(default, random):
    curves = {"random": np.array(random), DEFAULT: np.array(default)}
    return {
        figure.name.removeprefix("label_efficiency."): figure
        for figure in label_efficiency._of_set("toy", [25, 50, 75], curves)
    }


def test_it_gives_the_lower_end_of_the_gain_in_points_and_the_share_of_labels():
    random = [[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]]
    figures = _figures_of([[0.3, 0.7, 0.7], [0.4, 0.8, 0.8]], random)
    # Both areas gain 0.2: no spread, so the interval is the value.
    assert figures["auc_gain_low.toy"].value == pytest.approx(20)
    assert figures["labels_ratio.toy"].value == pytest.approx(2 / 3)
    assert figures["auc_gain.toy.default"].against == "random, 95 % from +20.00 to +20.00"


def test_it_says_that_the_end_of_random_was_not_reached():
    figures = _figures_of([[0.1, 0.1, 0.1]] * 2, [[0.2, 0.4, 0.6]] * 2)
    assert figures["labels_ratio.toy"].value is None
    assert figures["labels_ratio.toy"].against.endswith("not reached")


def test_it_holds_out_a_part_of_the_training_file_without_looking_at_the_test_file(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 6))
    examples = _sets.Examples(vectors, rng.integers(3, size=400), np.repeat(np.arange(200), 2))
    monkeypatch.setattr(_sets, "load", lambda name: _sets.LabelledSet(name, examples, None, []))
    label_efficiency._load.cache_clear()
    pool, held = label_efficiency._load("toy", False, True)
    label_efficiency._load.cache_clear()
    assert len(pool.labels) + len(held.labels) == 400
    assert 50 < len(held.labels) < 150
    assert not set(pool.clusters.tolist()) & set(held.clusters.tolist())
