from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests import training_kit as kit
from training.distributed import autotune
from training.learning import faster
from training.learning.faster import Faster
from training.learning.loading import Collate, Loading, RankBatches, TokenData, loader
from training.learning.text_model import TextClassifier, load_encoder
from training.objectives.registry import flat_field, objective
from training.objectives.task import Choices

CPU = torch.device("cpu")


def trials(folder: Path) -> faster.Trials:
    task = objective("classification").bind(flat_field(["a", "b"]), Choices(soft_labels=False, tagging="bio"))
    return faster.Trials(
        model=TextClassifier(load_encoder(kit.tiny_encoder(folder)), 2),
        data=TokenData([[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 5, 3], [2, 3]], [0, 1, 0, 1]),
        collate=Collate(task, 0),
        batches=[np.array([0, 1, 2, 3])],
        weights=np.ones(4),
        share=4,
        precision="fp32",
        device=CPU,
    )


def test_it_tries_threads_and_parts_first_and_slow_starters_only_with_time() -> None:
    few = faster.asked_for(5, 16, cores=8, ranks=2, is_plain=True)
    assert few == {"threads": [4, 2, 8], "micro_batch": [8, 4]}
    more = faster.asked_for(40, 16, cores=8, ranks=2, is_plain=True)
    assert list(more) == ["threads", "micro_batch", "workers", "prefetch"] and more["workers"] == [1, 2]
    assert "workers" not in faster.asked_for(40, 16, cores=8, ranks=2, is_plain=False)
    assert faster.asked_for(5, 1, cores=1, ranks=2, is_plain=True) == {"threads": [1], "micro_batch": []}


def test_it_takes_a_share_in_as_many_parts_as_it_takes() -> None:
    assert [Faster(threads=1, micro_batch=size).pieces(16) for size in (0, 16, 8, 5, 1)] == [1, 1, 2, 4, 16]


def test_it_measures_steps_of_the_model_and_leaves_threads_as_they_were(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    given = trials(tmp_path)
    weights = {name: value.clone() for name, value in given.model.state_dict().items()}
    found = given.search(0.8, cores=2, is_plain=True)
    assert torch.get_num_threads() == before
    assert all(trial.rate > 0 and not trial.error for trial in found.trials)
    assert found.trials[0].settings == {
        "threads": before,
        "micro_batch": 4,
        "workers": 0,
        "prefetch": 2,
        "compile": False,
    }
    for name, value in given.model.state_dict().items():
        assert torch.equal(value, weights[name])  # nothing was learnt
    assert all(value.grad is None for value in given.model.parameters())


def test_it_tells_what_was_kept_and_remembers_it_for_the_next_attempt(tmp_path: Path) -> None:
    one, two = {"threads": 1}, {"threads": 2}
    tuned = autotune.Tuned(
        two, 0.25, [autotune.Trial(one, 10.0), autotune.Trial(two, 12.5), autotune.Trial(two, 0.0, "no")]
    )
    told = faster.to_json(tuned, 3.14159)
    assert told == {
        "settings": two,
        "start": one,
        "gain": 0.25,
        "tried": 2,
        "failed": 1,
        "complete": True,
        "seconds": 3.1,
    }
    assert faster.remembered(tmp_path / "work", CPU) is None
    faster.remember(tmp_path / "work", told)
    assert faster.remembered(tmp_path / "work", CPU) == told
    assert [path.name for path in (tmp_path / "work").iterdir()] == [faster.FILE]


def test_processes_beside_prepare_the_same_batches(tmp_path: Path) -> None:
    given = trials(tmp_path)
    sampler = RankBatches([np.array([0, 1, 2]), np.array([3, 2])], given.weights, 0, 1)
    here, beside = (list(loader(given.data, sampler, given.collate, Loading(workers))) for workers in (0, 1))
    assert len(here) == len(beside) == 2
    for one, other in zip(here, beside, strict=True):
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
