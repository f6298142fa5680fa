"""Runs that lose ranks and machines: do they finish, with the same weights, and how soon do they go on?

A tiny encoder is fine-tuned by two ranks. Ranks are killed (SIGKILL) at seeded random steps, and the weights
at the end are compared bit by bit with those of a run that nobody disturbed. Then one of two agents of
torchrun is killed. Last, what asynchronous checkpoints of MiniLM (22.7 million parameters with their
optimiser, 272 MB) cost a run that writes one every 50 steps: blocks of 50 steps after a checkpoint alternate
with blocks after none.

    python -m bench.survival [--quick] [--json FILE] [--part kills|agent|checkpoint]
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench._report import Figure, main
from bench._survival_runs import Run, answers, free_port, same, write_data
from bench._tiny import tiny_encoder
from training.distributed import elastic
from training.learning.encoder import default_encoder_path

SEED = 5
STEPS, EVERY = 400, 20  # of the runs that are killed
BLOCK = 50
PARTS = argparse.ArgumentParser(add_help=False)
PARTS.add_argument("--part", choices=["kills", "agent", "checkpoint"], help="measure one part alone")


def figures(quick: bool) -> Iterator[Figure]:
    part = PARTS.parse_known_args()[0].part
    with tempfile.TemporaryDirectory(prefix="gyre-survival-") as name:
        folder = Path(name)
        data = write_data(folder / "data", 800, 8)
        base = tiny_encoder(folder / "tiny")
        if part in (None, "kills"):
            yield from _kills(folder, data, base, runs=1 if quick else 4, kills=2 if quick else 5)
        if part in (None, "agent"):
            yield _lost_agent(folder, data, base)
        if part in (None, "checkpoint"):
            yield _overhead(folder, base if quick else default_encoder_path(), blocks=2 if quick else 5)


def _kills(folder: Path, data: Path, base: Path, *, runs: int, kills: int) -> Iterator[Figure]:
    settings = {"max_steps": STEPS, "save_every": EVERY}
    plain = Run(folder / "plain", data, base, **settings)
    plain.start(elastic.launcher(2))
    assert plain.finish(), plain.tail()
    waited: list[float] = []
    repeated: list[int] = []
    finished = equal = 0
    for number in range(runs):
        rng = np.random.default_rng([SEED, number])
        run = Run(folder / f"killed-{number}", data, base, **settings)
        run.start(elastic.launcher(2))
        try:
            for step in np.sort(rng.choice(np.arange(5, STEPS - 20), size=kills, replace=False)):
                run.wait_for_step(int(step), after=len(run.steps()))
                victim = run.notes()[int(rng.integers(2))]
                killed = time.time()
                os.kill(victim.pid, signal.SIGKILL)
                time.sleep(0.2)  # a step that was under way may still be written down
                lines = run.steps()
                waited.append(run.wait_for_step(1, after=len(lines), seconds=40) - killed)
                repeated.append(lines[-1]["step"] - run.steps()[len(lines)]["step"] + 1)
        except (TimeoutError, OSError) as error:
            print(error)
        done = run.finish()
        finished += done
        equal += done and same(plain.weights(), run.weights())
    n = f"{len(waited)} kills in {runs} runs"
    yield Figure("survival.finished", finished / runs, "share", n)
    yield Figure("survival.equal", equal / runs, "share", f"bits of an undisturbed run; {n}")
    if waited:
        spread = f"{n}, {min(waited):.1f} to {max(waited):.1f} s"
        yield Figure("survival.restart_s", float(np.median(waited)), "s", spread)
        most = f"at most {max(repeated)}; a checkpoint every {EVERY}"
        yield Figure("survival.steps_repeated", float(np.median(repeated)), "steps", most)


def _lost_agent(folder: Path, data: Path, base: Path) -> Figure:
    run = Run(folder / "agents", data, base, max_steps=1_000_000, save_every=200)
    port = free_port()
    options = elastic.launcher(1, nodes="1:2", endpoint=f"127.0.0.1:{port}", run_id="bench")
    try:
        run.start(options, node="first")
        run.wait_for(lambda: answers(port))  # the first one holds the place where they meet
        run.start(options, node="second")
        _wait_for_ranks(run, 2)
        run.wait_for_step(1, after=len(run.steps()))
        time.sleep(2.0)
        killed, lines = time.time(), len(run.steps())
        run.agents[1].kill()
        until = time.monotonic() + 90
        while time.monotonic() < until:
            alone = [entry for entry in run.steps()[lines:] if entry["ranks"] == 1]
            if alone:
                return Figure(
                    "survival.lost_agent_s", alone[0]["at"] - killed, "s", "48 s with torch's defaults"
                )
            time.sleep(0.05)
        print(run.tail())
        return Figure("survival.lost_agent_s", skipped="the other agent did not go on within 90 s")
    finally:
        run.stop()


def _wait_for_ranks(run: Run, ranks: int) -> None:
    until = time.monotonic() + 90
    while len(run.notes()) < ranks:
        if time.monotonic() > until:
            raise TimeoutError(run.tail())
        time.sleep(0.1)


def _overhead(folder: Path, base: Path, *, blocks: int) -> Figure:
    steps = 2 * BLOCK * (blocks + 1)
    data = write_data(folder / "even", 16 * BLOCK, 18)
    run = Run(folder / "checkpoints", data, base, max_steps=steps, save_every=2 * BLOCK)
    run.start(elastic.launcher(1), threads=os.cpu_count() or 1)
    times: dict[int, float] = {}
    while run.agents[0].poll() is None and len(times) < steps:
        times |= {entry["step"]: entry["at"] for entry in run.steps()}
        time.sleep(0.2)
    run.finish()
    if len(times) < steps:
        print(run.tail())
        why = f"the run ended after {len(times)} of {steps} steps"
        return Figure("survival.checkpoint_overhead", skipped=why)
    # The first pair of blocks warms up. After step 2 * BLOCK * k a checkpoint is written; half way none is.
    starts = [2 * BLOCK * k for k in range(1, blocks + 1)]
    busy = sum(times[at + BLOCK] - times[at] for at in starts)
    free = sum(times[min(at + 2 * BLOCK, max(times))] - times[at + BLOCK] for at in starts)
    note = f"{blocks} blocks of {BLOCK} steps with and without, {free / blocks / BLOCK * 1000:.0f} ms a step"
    return Figure("survival.checkpoint_overhead", busy / free - 1, "share", note, busy / free)


if __name__ == "__main__":
    raise SystemExit(main(figures, options=PARTS))
