"""Build the index of an embedding column, or bring one up to date, and measure what it finds. No torch.

Result folder: see selection.index.stored.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from jobs import program
from selection.index import stored
from selection.index.choice import FLOOR, Choice, Kind, choose, less_lossy
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from training.programs import specs

MOST_GROWTH = 1.5  # so many times what the cells were learnt from: then they are learnt again


@dataclass(frozen=True, kw_only=True)
class IndexSpec(specs.Spec):
    """What to index.

    Attributes:
        result: the folder to make. embeddings: shards of the column.
        base: folder of an index to add to, or "".
        kind: one of selection.index.choice.KINDS, or "" for what fits.
        memory_mb: what the index may take.
        floor: recall at 10 that is aimed at; below it the next less lossy kind that fits is tried, unless `kind`
            says which one is wanted.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    embeddings: list[Shard]
    base: str = ""
    kind: str = ""
    memory_mb: float = 1000.0
    floor: float = FLOOR
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind and self.kind not in get_args(Kind):
            raise ValueError(f"there is no index {self.kind!r}: use one of {', '.join(get_args(Kind))}")
        specs.check_range("floor", self.floor, 0, 1)


def work(data: dict[str, Any]) -> None:
    """The program. Cost: see `stored.build` and `stored.measured`, for each kind that is tried."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = IndexSpec.from_json(data)
        rows = columns.held(spec.embeddings)
        if not len(rows):
            raise ValueError("the embedding column is empty: embed the pool first")
        best = _best(spec, rows)
        with program.result_folder(spec.result) as folder:
            stored.write(folder, best.index, best.rows, best.facts)
            is_new = best.facts.trained_on == len(rows)
            result = {"seconds": round(time.monotonic() - started, 2), "is_new": is_new}
            (folder / "result.json").write_text(json.dumps(result))


@dataclass(frozen=True)
class _Made:
    index: Any
    rows: Rows
    facts: stored.Facts


def _best(spec: IndexSpec, rows: Rows) -> _Made:
    """The first kind that finds enough of these vectors; where none does, the one that finds most."""
    base = _base(spec)
    width = int(np.load(Path(spec.embeddings[0]["values"]), mmap_mode="r").shape[1])
    wanted, tried = _plan(spec, base, rows, width)
    best: _Made | None = None
    for choice in wanted:
        made = _made(spec, base, rows, choice, width)
        facts = made.facts
        program.log(f"{facts.factory} finds {facts.recall_at_10:.3f} of the ten nearest")
        told = {name: getattr(facts, name) for name in stored.Tried.__annotations__}
        tried.append(told)  # type: ignore[arg-type]
        if best is None or facts.recall_at_10 > best.facts.recall_at_10:
            best = made
        if facts.recall_at_10 >= spec.floor:
            break
    assert best is not None
    return replace(best, facts=replace(best.facts, tried=tried))


def _plan(
    spec: IndexSpec, base: _Made | None, rows: Rows, width: int
) -> tuple[list[Choice], list[stored.Tried]]:
    """The kinds to build, each if the ones before it find too little; and what was tried before and stays out.

    While the cells of an index hold that came of trying, it is added to and the others are not built again.
    """
    first = choose(len(rows), width, spec.memory_mb, spec.kind or None)  # type: ignore[arg-type]
    if spec.kind:
        return [first], []
    out: list[stored.Tried] = []
    if base is not None and len(base.facts.tried) > 1 and _holds(base, rows):
        again = choose(len(rows), width, spec.memory_mb, base.facts.kind)  # type: ignore[arg-type]
        fits = again.megabytes <= spec.memory_mb
        if fits and first.kind in {one["kind"] for one in base.facts.tried}:
            first, out = again, [one for one in base.facts.tried if one["kind"] != again.kind]
    further = less_lossy(first, len(rows), width, spec.memory_mb)
    return [first, *(one for one in further if one.kind not in {old["kind"] for old in out})], out


def _base(spec: IndexSpec) -> _Made | None:
    """The index to add to, where there is one that can be read."""
    if not spec.base:
        return None
    try:
        return _Made(*stored.read(Path(spec.base)))
    except ValueError as error:
        program.log(f"{error}; it is built anew")
        return None


def _holds(base: _Made, rows: Rows) -> bool:
    """Whether an index can be added to: all it has is still there, and its cells are not outgrown."""
    return bool(np.isin(base.rows, rows).all()) and len(rows) <= MOST_GROWTH * base.facts.trained_on


def _made(spec: IndexSpec, base: _Made | None, rows: Rows, wanted: Choice, width: int) -> _Made:
    program.progress(0, 3, f"{wanted.kind} over {len(rows)} vectors")
    if base is not None and base.facts.kind == wanted.kind and _holds(base, rows):
        fresh = np.setdiff1d(rows, base.rows)
        program.log(f"adding {len(fresh)} vectors to {len(base.rows)}")
        stored.add(base.index, spec.embeddings, fresh)
        index, rows, trained_on = base.index, np.concatenate([base.rows, fresh]), base.facts.trained_on
    else:
        program.progress(1, 3, "learning the cells" if wanted.lists else "adding vectors")
        index, trained_on = stored.build(spec.embeddings, rows, wanted, seed=spec.seed), len(rows)
    program.progress(2, 3, "measuring")
    recall, probes, widened, queries = stored.measured(index, spec.embeddings, rows, wanted, seed=spec.seed)
    facts = stored.Facts(
        kind=wanted.kind,
        factory=wanted.factory,
        count=len(rows),
        width=width,
        lists=wanted.lists,
        probes=probes,
        recall_at_10=round(recall, 4),
        queries=queries,
        trained_on=trained_on,
        widened=widened,
    )
    return _Made(index, rows, facts)


if __name__ == "__main__":
    program.main(work)
