"""What happens to real agents and ranks, and that the run ends with the weights of an undisturbed one."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench._survival_runs import Run, answers, free_port, is_alive, same
from tests import training_kit as kit
from training.distributed import agent as agents
from training.distributed import elastic
from training.distributed.recovery import Recovery
from training.programs import finetune

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agents")]
SMALLEST_FILE = 8_000  # bytes: room for a rank's notes, not for weights


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data, and the encoder to begin with."""
    folder = tmp_path_factory.mktemp("agents")
    data = kit.write_dataset(folder / "data", kit.messages(101), kit.messages(20, 1))
    return data, kit.tiny_encoder(folder / "tiny")


@pytest.fixture
def make(tmp_path: Path, place: tuple[Path, Path]) -> Iterator[Callable[..., Run]]:
    made = []

    def make_run(name: str, **settings: Any) -> Run:
        given = {"labels": list(kit.TOPICS), "learning_rate": 1e-3, "dropout": 0.0, **settings}
        made.append(Run(tmp_path / name, *place, **given))
        return made[-1]

    yield make_run
    for run in made:
        run.stop()


def assert_alike(one: Run, other: Run) -> None:
    """Other numbers of ranks add up in another order, so not to the last bit."""
    first, second = one.weights(), other.weights()
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("agent", [0, 1])
def test_it_ends_as_if_nothing_had_been_when_either_agent_is_killed(
    make: Callable[..., Run], agent: int
) -> None:
    settings = {"max_steps": 120, "save_every": 10}
    plain, run = make("plain", **settings), make("run", **settings)
    finetune.work(plain.spec)
    port = free_port()
    options = elastic.launcher(1, nodes="1:2", endpoint=f"127.0.0.1:{port}", run_id="run")
    run.start(options, node="first")
    run.wait_for(lambda: answers(port))  # the first holds the place where they meet
    run.start(options, node="second")
    run.wait_for(lambda: any(entry["ranks"] == 2 for entry in run.steps()))
    step = int(np.random.default_rng([agent, 5]).integers(run.steps()[-1]["step"] + 5, 70))
    run.wait_for_step(step)
    ranks = [note.pid for note in run.notes()]
    run.agents[agent].kill()
    if agent == 0:  # nobody can form a group without it: the other ends, and the job starts anew
        assert run.agents[1].wait(90) == 1
        assert agents.LOST.format(endpoint=f"127.0.0.1:{port}") in run.tail()
        run.wait_for(lambda: not any(is_alive(pid) for pid in ranks), 60)
        run.agents.clear()
        run.start(elastic.launcher(2), node="first")
    assert run.finish(), run.tail()
    assert_alike(plain, run)
    figures = run.figures()
    assert figures["steps"] == 120 and figures["resumed_from_step"] >= 10
    assert [event["kind"] for event in figures["recovered"]] == ["lost"]


def test_a_node_whose_rank_dies_three_times_is_left_out_and_the_other_ends_the_run(
    make: Callable[..., Run],
) -> None:
    run = make("run", max_steps=300, save_every=100)
    port = free_port()
    options = elastic.launcher(1, nodes="1:2", endpoint=f"127.0.0.1:{port}", run_id="run")
    run.start(options, node="a")
    run.wait_for(lambda: answers(port))
    run.start(options, node="b")
    killed: set[int] = set()
    for _time in range(3):
        run.wait_for(lambda: both_train(run, killed))
        (pid,) = [note.pid for note in run.notes() if note.node == "b"]
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    run.wait_for(lambda: run.agents[1].poll() is not None)
    assert run.agents[1].returncode == 1
    assert agents.LEFT_OUT.format(node="b") in run.tail() and "Traceback" not in run.tail()
    assert run.finish(), run.tail()
    assert run.agents[0].returncode == 0
    events = run.figures()["recovered"]
    assert [event["kind"] for event in events] == ["lost", "lost", "lost", "node"]
    assert [event["nodes"] for event in events[:3]] == [["b"]] * 3
    assert events[3]["text"] == "node b has failed 3 times and is left out"


def test_a_node_that_is_left_out_stays_where_all_meet_until_the_others_are_done(
    make: Callable[..., Run],
) -> None:
    """It failed in an earlier attempt of the job."""
    run = make("run", max_steps=300, save_every=100)
    Recovery(key=run.key(), left_out=["b"]).write(run.work)
    port = free_port()
    options = elastic.launcher(1, nodes="1:2", endpoint=f"127.0.0.1:{port}", run_id="run")
    run.start(options, node="b")
    run.wait_for(lambda: answers(port))
    run.start(options, node="a")
    said = agents.LEFT_OUT.format(node="b") + agents.HOLDS
    run.wait_for(lambda: said in run.tail())
    assert run.agents[0].poll() is None  # without it the other could not form its group
    assert run.finish(), run.tail()
    assert [agent.returncode for agent in run.agents] == [0, 0]
    assert run.figures()["recovered"] == []


def both_train(run: Run, killed: set[int]) -> bool:
    """Whether two ranks take steps, none of them one that was killed."""
    notes = run.notes()
    return len(notes) == 2 and all(note.step >= 0 and note.pid not in killed for note in notes)


def test_ranks_take_their_share_in_pieces_once_one_of_them_runs_out_of_memory(
    make: Callable[..., Run], tmp_path: Path
) -> None:
    plain, run = make("plain", max_steps=6), make("run", max_steps=6)
    finetune.work(plain.spec)
    module = "tests.training.programs.short_of_memory"
    outcome = kit.finish(kit.start(module, run.spec, tmp_path / "spec.json", launcher=elastic.launcher(2)))
    assert outcome.code == 0, outcome
    (event,) = run.figures()["recovered"]
    assert (event["kind"], event["pieces"]) == ("memory", 2)
    assert any("rank 1 ran out of memory" in one["text"] for one in outcome.of("log"))
    assert_alike(plain, run)


def test_training_goes_on_while_the_disk_is_full(make: Callable[..., Run]) -> None:
    settings = {"max_steps": 400, "save_every": 20, "dropout": 0.1}
    plain, run = make("plain", **settings), make("run", **settings)
    plain.start(elastic.launcher(1))  # not here: attention that drops adds up otherwise with other threads
    assert plain.finish(), plain.tail()
    run.start(elastic.launcher(1))
    run.wait_for_step(25)
    (rank,) = [note.pid for note in run.notes()]
    before = resource.prlimit(rank, resource.RLIMIT_FSIZE, (SMALLEST_FILE, resource.RLIM_INFINITY))
    run.wait_for(lambda: "no checkpoint of step" in run.tail(4000))
    resource.prlimit(rank, resource.RLIMIT_FSIZE, before)
    assert run.finish(), run.tail()
    assert same(plain.weights(), run.weights())
    events = run.figures()["recovered"]
    assert {event["kind"] for event in events} == {"checkpoint"}
    assert "the older ones stand: the disk is full" in events[0]["text"]
    assert run.figures()["resumed_from_step"] is None
