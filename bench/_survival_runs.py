"""Fine-tunes in processes of their own, watched step by step, and what is done to them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.distributed import elastic, recovery
from training.programs.finetune_spec import FinetuneSpec

ROOT = Path(__file__).parents[1]
MODULE = "training.programs.finetune"
TOPICS = ("refund", "card", "login", "delivery")
WORDS = [
    "help",
    "please",
    "account",
    "payment",
    "late",
    "wrong",
    "number",
    "bank",
    "today",
    "again",
    "phone",
    "order",
    "money",
    "never",
    "why",
    "how",
]


def write_data(folder: Path, items: int, words: int, seed: int = 0) -> Path:
    """A frozen dataset of made-up messages of equal length, so that every step costs the same."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for split, count in (("train", items), ("validation", 0), ("test", 0)):
        topics = [TOPICS[i] for i in rng.integers(len(TOPICS), size=count)]
        texts = [f"{topic} " + " ".join(rng.choice(WORDS, size=words)) for topic in topics]
        table = {
            "row": pa.array(range(count), pa.int64()),
            "text": pa.array(texts, pa.string()),
            "label": pa.array(topics, pa.string()),
            "weight": pa.array([1.0] * count, pa.float64()),
        }
        pq.write_table(pa.table(table), folder / f"{split}.parquet")
    return folder


class Run:
    """One fine-tune in a folder of its own, under one agent of torchrun or several.

    Attributes:
        module: the program. given: what its spec has beside what all specs have, unless the settings say else.
    """

    module = MODULE
    given: Mapping[str, Any] = {"labels": list(TOPICS), "head_start": False, "learning_rate": 1e-4}

    def __init__(self, folder: Path, data: Path, base: Path, **settings: Any) -> None:
        folder.mkdir(parents=True)
        self.folder, self.work, self.result = folder, folder / "work", folder / "result"
        self.spec = {
            "spec_version": 1,
            "result": str(self.result),
            "work": str(self.work),
            "data": str(data),
            "base_model": str(base),
            **self.given,
            **settings,
        }
        self.agents: list[subprocess.Popen[bytes]] = []
        (folder / "spec.json").write_text(json.dumps(self.spec))

    def start(
        self,
        options: Sequence[str],
        *,
        node: str = "",
        threads: int = 1,
        inside: Sequence[str] = (),
        **environ: str,
    ) -> subprocess.Popen[bytes]:
        """Start an agent with its ranks; what they print goes to log-<n>.

        Args:
            inside: a command that runs the one it is given, such as `ip netns exec NAME`.
            environ: more of its environment.
        """
        log = (self.folder / f"log-{len(self.agents)}").open("wb")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            **({"GYRE_NODE": node} if node else {}),
            **environ,
        }
        launch = [sys.executable, "-m", "training.distributed.agent", *options, "-m", self.module]
        agent = subprocess.Popen(
            [*inside, *launch, str(self.folder / "spec.json")],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
            start_new_session=True,
        )
        log.close()
        self.agents.append(agent)
        return agent

    def key(self) -> str:
        """The key of its checkpoints."""
        return FinetuneSpec.from_json(self.spec).key()

    def steps(self) -> list[dict[str, Any]]:
        """The journal so far, every line of it."""
        path = self.work / recovery.STEPS
        if not path.is_file():
            return []
        lines = path.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for_step(self, step: int, *, after: int = 0, seconds: float = 120) -> float:
        """Wait until the journal has a line of this step or a later one, beyond its first `after` lines.

        Returns the time of that line.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for entry in self.steps()[after:]:
                if entry["step"] >= step:
                    return float(entry["at"])
            if any(agent.poll() not in (None, -signal.SIGKILL) for agent in self.agents):
                break
            time.sleep(0.01)
        raise TimeoutError(f"step {step} did not come; the log ends:\n{self.tail()}")

    def wait_for(self, holds: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until something holds."""
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"it did not come; the log ends:\n{self.tail()}")
            time.sleep(0.02)

    def starts(self) -> list[Path]:
        """The folders of notes of all starts of the group."""
        return list((self.work / "starts").glob("*"))

    def wait_for_start(self, *, after: int) -> None:
        """Wait until the group was started more than `after` times."""
        self.wait_for(lambda: len(self.starts()) > after)

    def notes(self) -> list[elastic.Note]:
        """What the ranks of the newest start say of themselves."""
        return elastic.newest_notes(self.work)

    def finish(self, seconds: float = 120) -> bool:
        """Wait for the end. Whether there is a result."""
        for agent in self.agents:
            try:
                agent.wait(seconds)
            except subprocess.TimeoutExpired:
                break
        self.stop()
        return self.result.is_dir()

    def stop(self) -> None:
        """End whatever still runs."""
        for agent in self.agents:
            if agent.stdin is not None:
                agent.stdin.close()
            try:
                agent.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(agent.pid, signal.SIGKILL)
                agent.wait()

    def weights(self) -> dict[str, Any]:
        """All tensors of the result."""
        from safetensors.numpy import load_file

        files = sorted((self.result / "model").glob("*.safetensors"))
        return {name: value for path in files for name, value in load_file(path).items()}

    def figures(self) -> dict[str, Any]:
        """result.json."""
        found: dict[str, Any] = json.loads((self.result / "result.json").read_text())
        return found

    def tail(self, lines: int = 25) -> str:
        """The end of all logs."""
        return "\n".join(
            "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self.folder.glob("log-*"))
        )


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two models agree in every bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not asked after yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
