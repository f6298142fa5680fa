from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bench import _label_runs, _sets, label_efficiency
from bench._kept import Kept
from bench._label_peers import PEERS, PeerFailed
from bench._label_runs import Means, OutOfTime, Task, all_runs
from bench.label_efficiency import DEFAULT, SETS, distinct_strategies
from selection.strategies.registry import STRATEGIES


def _means(tmp_path, *, resume=False, until=None):
    return Means(kept=Kept(tmp_path / "runs.jsonl", resume=resume), processes=1, until=until)


def test_it_skips_sets_that_are_not_there_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("GYRE_DATA", str(tmp_path))
    found = list(label_efficiency.figures(True, _means(tmp_path)))
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
    found = [
        *label_efficiency._of_default("toy", [25, 50, 75], curves),
        *label_efficiency._gains("toy", [25, 50, 75], curves),
    ]
    return {figure.name.removeprefix("label_efficiency."): figure for figure in found}


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
    _label_runs.load.cache_clear()
    pool, held = _label_runs.load("toy", False, True)
    _label_runs.load.cache_clear()
    assert len(pool.labels) + len(held.labels) == 400
    assert 50 < len(held.labels) < 150
    assert not set(pool.clusters.tolist()) & set(held.clusters.tolist())


def _toy(monkeypatch, tmp_path):
    """The files of a set, for their fingerprint alone."""
    monkeypatch.setenv("GYRE_DATA", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    _label_runs._data.cache_clear()
    (tmp_path / "toy").mkdir()
    for part in ("train", "test"):
        (tmp_path / "toy" / f"{part}.jsonl.gz").write_bytes(part.encode())


def _in_this_process(monkeypatch):
    """Runs without worker processes; returns the list of those that were made."""
    made = []

    def run(task):
        made.append((task.strategy, task.seed))
        return [5, 10], [0.5, 0.25 * task.seed]

    monkeypatch.setattr(_label_runs, "run", run)
    monkeypatch.setattr(
        _label_runs, "ProcessPoolExecutor", lambda count, context, initializer: ThreadPoolExecutor(count)
    )
    return made


def _tasks(seeds):
    return [Task(set="toy", strategy="random", seed=seed, batch=5, batches=2) for seed in seeds]


def test_it_takes_up_the_runs_that_have_ended_and_makes_the_others(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    made = _in_this_process(monkeypatch)
    assert dict(all_runs(_tasks([0, 1]), _means(tmp_path))) == {
        task: ([5, 10], [0.5, 0.25 * task.seed]) for task in _tasks([0, 1])
    }
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"name": "cut o')  # a kill in the middle of a line
    found = dict(all_runs(_tasks([0, 1, 2]), _means(tmp_path, resume=True)))
    assert [accuracy[-1] for _labels, accuracy in found.values()] == [0, 0.25, 0.5]
    assert made == [("random", 0), ("random", 1), ("random", 2)]


def test_it_makes_every_run_again_when_it_is_not_asked_to_resume(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    made = _in_this_process(monkeypatch)
    for _time in range(2):
        assert len(list(all_runs(_tasks([0]), _means(tmp_path)))) == 1
    assert made == [("random", 0)] * 2


def test_it_does_not_take_up_a_run_of_other_data(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    made = _in_this_process(monkeypatch)
    list(all_runs(_tasks([0]), _means(tmp_path)))
    (tmp_path / "toy" / "test.jsonl.gz").write_bytes(b"other")
    _label_runs._data.cache_clear()
    list(all_runs(_tasks([0]), _means(tmp_path, resume=True)))
    assert made == [("random", 0)] * 2


def test_it_begins_no_run_once_the_time_is_over(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    made = _in_this_process(monkeypatch)
    with pytest.raises(OutOfTime):
        list(all_runs(_tasks([0]), _means(tmp_path, until=0.0)))
    assert made == []


def test_it_ends_with_a_status_of_its_own_when_the_time_is_over(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_sets, "CACHE", tmp_path)

    def out_of_time(quick, means, wanted):
        raise OutOfTime
        yield

    monkeypatch.setattr(label_efficiency, "figures", out_of_time)
    assert label_efficiency.command(["--minutes", "2"]) == label_efficiency.GO_ON
    assert "2 minutes are over: --resume goes on" in capsys.readouterr().err


def test_it_holds_the_fine_tuned_default_against_random(monkeypatch, tmp_path):
    courses = {DEFAULT: ([25, 50], [0.5, 0.9]), "random": ([25, 50], [0.5, 0.7])}
    monkeypatch.setattr(label_efficiency, "finetuned", lambda name, **given: courses)
    figure = label_efficiency._confirmed("snips", _means(tmp_path))
    assert figure.name == "label_efficiency.finetune_gain.snips"
    assert figure.value == pytest.approx(10)
    assert figure.against == "random, area 60.00; one seed, 2 batches"


def test_it_runs_so_many_seeds_as_the_plan_says_and_no_more_than_asked():
    seeds = label_efficiency.Wanted().of_each(quick=False)
    assert (seeds["random"], seeds[DEFAULT], seeds["margin"], seeds["typiclust"]) == (20, 20, 10, 3)
    assert seeds["scikit-activeml.margin"] == seeds["small-text.breaking_ties"] == 10
    look = label_efficiency.Wanted().of_each(quick=True)  # within a minute: two peers, not all
    assert look == dict.fromkeys(label_efficiency.QUICK_STRATEGIES, 2)
    asked = label_efficiency.Wanted(seeds=5, strategies=("margin", "small-text.contrastive"))
    assert asked.of_each(quick=False) == {"random": 5, "margin": 5, "small-text.contrastive": 5}


def test_it_refuses_a_strategy_or_a_set_that_there_is_not(capsys):
    for words in (["--strategies", "margin,best"], ["--sets", "best"]):
        with pytest.raises(SystemExit):
            label_efficiency.command(words)
        assert "found best, expected of" in capsys.readouterr().err


def test_a_peer_that_fails_is_skipped_with_its_reason_and_the_others_run(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    made = _in_this_process(monkeypatch)
    own = _label_runs.run

    def run(task):
        if task.strategy in PEERS:
            raise PeerFailed("it broke")
        return own(task)

    monkeypatch.setattr(_label_runs, "run", run)
    examples = _sets.Examples(np.eye(4), np.arange(4) % 2)
    monkeypatch.setattr(label_efficiency, "load", lambda *_words: (examples, examples))
    monkeypatch.setattr(label_efficiency, "SETS", {"toy": 5})
    monkeypatch.setattr(label_efficiency, "reason_to_skip", lambda name, items, labels: "")
    seeds = {"random": 2, "scikit-activeml.margin": 1}
    found = label_efficiency.measure("toy", seeds, _means(tmp_path))
    assert found.skipped == {"scikit-activeml.margin": "it broke"}
    assert {name: curve.tolist() for name, curve in found.curves.items()} == {
        "random": [[0.5, 0.0], [0.5, 0.25]]
    }
    assert made == [("random", 0), ("random", 1)]


def test_full_accuracy_is_of_the_probe_that_learnt_the_whole_pool(monkeypatch, tmp_path):
    _toy(monkeypatch, tmp_path)
    pool = _sets.Examples(np.repeat(np.eye(2), 5, axis=0), np.repeat([0, 1], 5))
    test = _sets.Examples(np.eye(2)[[0, 1, 0, 1]], np.array([0, 1, 0, 0]))  # the last one cannot be right
    monkeypatch.setattr(_label_runs, "load", lambda *_words: (pool, test))
    assert _label_runs.full_accuracy("toy", _means(tmp_path)) == 0.75
    monkeypatch.setattr(_label_runs, "load", None)  # kept: not made again
    assert _label_runs.full_accuracy("toy", _means(tmp_path, resume=True)) == 0.75
