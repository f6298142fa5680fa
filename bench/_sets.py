"""The labelled sets that benchmarks learn from, embedded once by the default encoder and kept in a cache."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotation.intake.normalise import normalise
from selection.evidence.simulation import Examples

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "var" / "bench-cache"


class SetMissing(Exception):
    """The set is not on this machine. The message is the reason a figure is skipped."""


@dataclass(frozen=True)
class LabelledSet:
    """Attributes: pool, test: no text of the test part is in the pool. labels: names by code."""

    name: str
    pool: Examples
    test: Examples
    labels: list[str]


def data_folder() -> Path:
    """GYRE_DATA, or ../shared/data beside the repository."""
    return Path(os.environ.get("GYRE_DATA") or ROOT.parent / "shared" / "data")


def load(
    name: str, *, pool_limit: int | None = None, test_limit: int | None = None, layer: str = "last"
) -> LabelledSet:
    """A set with fields text and label, in train.jsonl.gz and test.jsonl.gz.

    Texts that are equal once normalised are one duplicate cluster; those that are also in the test part are
    left out of the pool. The limits keep a fixed random part.

    Raises:
        SetMissing: the files are not there.
    """
    train, test = _rows(name, "train"), _rows(name, "test")
    train, test = _part(train, pool_limit), _part(test, test_limit)
    sacred = {normalise(text) for text, _label in test}
    train = [row for row in train if normalise(row[0]) not in sacred]
    labels = sorted({label for _text, label in train + test})
    parts = (_examples(name, part, labels, layer) for part in (train, test))
    return LabelledSet(name, *parts, labels)


def _rows(name: str, part: str) -> list[tuple[str, str]]:
    path = data_folder() / name / f"{part}.jsonl.gz"
    if not path.is_file():
        raise SetMissing(f"{path} is not there: set GYRE_DATA to the folder that holds {name}")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return [(row["text"], row["label"]) for row in rows]


def _part(rows: list[tuple[str, str]], limit: int | None) -> list[tuple[str, str]]:
    if limit is None or limit >= len(rows):
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), size=limit, replace=False)
    return [rows[at] for at in np.sort(chosen)]


def _examples(name: str, rows: list[tuple[str, str]], labels: list[str], layer: str) -> Examples:
    code = {label: at for at, label in enumerate(labels)}
    keys = [normalise(text) for text, _label in rows]
    return Examples(
        embeddings=embed(name, [text for text, _label in rows], layer),
        labels=np.array([code[label] for _text, label in rows], dtype=np.int64),
        clusters=np.unique(keys, return_inverse=True)[1].astype(np.int64),
    )


def embed(name: str, texts: list[str], layer: str = "last") -> npt.NDArray[np.float32]:
    """(n, d) unit vectors of the texts, from the cache if these very texts were embedded before."""
    from training.learning import encoder

    path = encoder.default_encoder_path()
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()
    file = CACHE / encoder.encoder_key(path, layer) / f"{name}-{digest}.npy"
    if not file.is_file():
        vectors = encoder.Encoder.load(path, layer=layer).encode(texts, on_progress=_tell(name))
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_name(f"{file.name}.{os.getpid()}.npy")
        np.save(whole, vectors)
        whole.replace(file)
    return np.load(file, mmap_mode="r")


def _tell(name: str):  # type: ignore[no-untyped-def]
    """Progress on standard error, on a line of its own that is written over."""

    def tell(done: int, total: int) -> None:
        end = "\n" if done == total else "\r"
        print(f"{name}: embedded {done} of {total} texts", end=end, file=sys.stderr, flush=True)

    return tell
