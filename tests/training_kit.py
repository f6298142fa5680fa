"""Small datasets, a tiny encoder and real runs of programs, for the tests of the numeric core. No Django."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench._sets import data_folder
from bench._tiny import tiny_encoder as tiny_encoder
from training.distributed import elastic

ROOT = Path(__file__).parents[1]
DATA = data_folder()
Example = tuple[str, str]  # text, label

_WORDS = {
    "refund": ("money back", "a refund", "my payment returned"),
    "card": ("a new card", "my lost card", "the stolen card"),
    "login": ("my password", "the sign-in page", "a login code"),
    "delivery": ("my parcel", "the delivery van", "a late package"),
}
_FRAMES = (
    "I need help with {}",
    "what about {} please",
    "nobody answers me about {}",
    "{} again",
    "how do I deal with {} while I am on holiday",
    "tell me everything about {} today",
)
TOPICS = tuple(_WORDS)


def messages(count: int, seed: int = 0) -> list[Example]:
    """Made-up customer messages on four topics, the same for the same seed."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        topic = TOPICS[rng.integers(len(TOPICS))]
        words = _WORDS[topic][rng.integers(3)]
        found.append((f"{_FRAMES[rng.integers(len(_FRAMES))].format(words)} {rng.integers(100)}", topic))
    return found


def real(name: str, split: str, count: int) -> list[Example]:
    """The first rows of a real set in a fixed random order; the test is skipped where the data are absent."""
    path = DATA / name / f"{split}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the data set {name} is not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    order = np.random.default_rng(0).permutation(len(rows))[:count]
    return [(rows[i]["text"], rows[i]["label"]) for i in order]


def write_dataset(
    folder: Path,
    train: Sequence[Example],
    validation: Sequence[Example] = (),
    test: Sequence[Example] = (),
    weights: Sequence[float] | None = None,
) -> Path:
    """A frozen dataset's folder: three parquet files, rows numbered through."""
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for split, rows in (("train", train), ("validation", validation), ("test", test)):
        table = pa.table(
            {
                "row": pa.array(range(first, first + len(rows)), pa.int64()),
                "text": pa.array([text for text, _ in rows], pa.string()),
                "label": pa.array([label for _, label in rows], pa.string()),
                "weight": pa.array(
                    weights if weights is not None and split == "train" else [1.0] * len(rows), pa.float64()
                ),
            }
        )
        pq.write_table(table, folder / f"{split}.parquet")
        first += len(rows)
    return folder


def write_answers(
    folder: Path,
    field: dict[str, Any],
    rows: Sequence[tuple[str, Any]],
    *,
    posteriors: Sequence[dict[str, float] | None] | None = None,
    checked: bool = True,
) -> Path:
    """A frozen dataset's folder of any task type: (text, answer) rows, the same ones in every split."""
    from annotation.task_types import registry
    from annotation.task_types.content import Content

    folder.mkdir(parents=True, exist_ok=True)
    kind = registry.task_type(field)
    contents = [Content(text=text) for text, _answer in rows]
    answers = [
        kind.validate_answer(field, answer, content) if checked else answer
        for content, (_text, answer) in zip(contents, rows, strict=True)
    ]
    examples = [
        kind.training_examples(field, content, answer)
        for content, answer in zip(contents, answers, strict=True)
    ]
    believed = posteriors or [None] * len(rows)
    for number, split in enumerate(("train", "validation", "test")):
        first = number * len(rows)
        table = pa.table(
            {
                "row": pa.array(range(first, first + len(rows)), pa.int64()),
                "text": pa.array([text for text, _answer in rows], pa.string()),
                "label": pa.array([kind.category(field, answer) or "-" for answer in answers], pa.string()),
                "weight": pa.array([1.0] * len(rows), pa.float64()),
                "examples": pa.array([json.dumps(one) for one in examples], pa.string()),
                "posterior": pa.array([json.dumps(one) if one else None for one in believed], pa.string()),
            }
        )
        pq.write_table(table, folder / f"{split}.parquet")
    return folder


def write_texts(path: Path, texts: Sequence[str], rows: Sequence[int] | None = None) -> Path:
    """A parquet file (row, text)."""
    held = pa.array(range(len(texts)) if rows is None else rows, pa.int64())
    pq.write_table(pa.table({"row": held, "text": pa.array(texts, pa.string())}), path)
    return path


def write_shard(folder: Path, vectors: np.ndarray, rows: Sequence[int] | np.ndarray) -> dict[str, str]:
    """One shard of a column."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "values.npy", vectors.astype(np.float32))
    np.save(folder / "rows.npy", np.asarray(rows, dtype=np.int64))
    return {"values": str(folder / "values.npy"), "rows": str(folder / "rows.npy")}


def apart(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """How far the weights of two models lie from each other, as one vector each."""
    assert one.keys() == other.keys()
    return math.sqrt(sum(float(np.sum((one[name] - other[name]) ** 2.0)) for name in one))


@dataclass
class Outcome:
    """How a program ended: its exit code, its event lines, its other lines."""

    code: int
    events: list[dict[str, Any]]
    lines: list[str]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def error(self) -> str:
        return " ".join(event["message"] for event in self.of("error"))


def start(
    module: str,
    spec: dict[str, Any],
    spec_path: Path,
    *,
    processes: int = 0,
    launcher: Sequence[str] = (),
    **popen: Any,
) -> subprocess.Popen[bytes]:
    """Start a program as a job does: torchrun if `processes`, a pipe as its leash, one thread a process."""
    spec_path.write_text(json.dumps(spec))
    options = launcher or ["--standalone", f"--nproc-per-node={processes}"]
    launch = ["-m", elastic.AGENT, *options] if processes or launcher else []
    environment = {
        **os.environ,
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.Popen(
        [sys.executable, *launch, "-m", module, str(spec_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=spec_path.parent,
        env=environment,
        start_new_session=True,
        **popen,
    )


def follow(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """The event lines as they come; any other line as an event "line"."""
    assert child.stdout is not None
    for raw in child.stdout:
        text = raw.decode(errors="replace").rstrip()
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        yield event if isinstance(event, dict) and "event" in event else {"event": "line", "text": text}


def finish(child: subprocess.Popen[bytes], timeout: float = 240) -> Outcome:
    """Wait for a program's end, its leash held."""
    found = list(follow(child))
    code = child.wait(timeout)
    assert child.stdin is not None
    child.stdin.close()
    return Outcome(
        code=code,
        events=[event for event in found if event["event"] != "line"],
        lines=[event["text"] for event in found if event["event"] == "line"],
    )


def run(module: str, spec: dict[str, Any], spec_path: Path, *, processes: int = 0) -> Outcome:
    """Start and finish."""
    return finish(start(module, spec, spec_path, processes=processes))
