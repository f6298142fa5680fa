"""Build the index of an embedding column, or bring one up to date, and measure what it finds. No torch.

Result folder: see selection.index.stored.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from jobs import program
from selection.index import stored
from selection.index.choice import Choice, Kind, choose
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
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    embeddings: list[Shard]
    base: str = ""
    kind: str = ""
    memory_mb: float = 1000.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind and self.kind not in get_args(Kind):
            raise ValueError(f"there is no index {self.kind!r}: use one of {', '.join(get_args(Kind))}")


def work(data: dict[str, Any]) -> None:
    """The program. Cost: see `stored.build` and `stored.measured`."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = IndexSpec.from_json(data)
        rows = columns.held(spec.embeddings)
        if not len(rows):
            raise ValueError("the embedding column is empty: embed the pool first")
        width = int(np.load(Path(spec.embeddings[0]["values"]), mmap_mode="r").shape[1])
        wanted = choose(len(rows), width, spec.memory_mb, spec.kind or None)  # type: ignore[arg-type]
        program.progress(0, 3, f"{wanted.kind} over {len(rows)} vectors")
        index, rows, trained_on = _index(spec, rows, wanted)
        program.progress(2, 3, "measuring")
        recall, probes, widened, queries = stored.measured(
            index, spec.embeddings, rows, wanted, seed=spec.seed
        )
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
        with program.result_folder(spec.result) as folder:
            stored.write(folder, index, rows, facts)
            result = {"seconds": round(time.monotonic() - started, 2), "is_new": trained_on == len(rows)}
            (folder / "result.json").write_text(json.dumps(result))


def _index(spec: IndexSpec, rows: Rows, wanted: Choice) -> tuple[Any, Rows, int]:
    """The index, its rows in their order, and of how many vectors its cells were learnt."""
    if spec.base:
        try:
            index, held, facts = stored.read(Path(spec.base))
        except ValueError as error:
            program.log(f"{error}; it is built anew")
        else:
            fresh = np.setdiff1d(rows, held)
            fits = facts.kind == wanted.kind and len(held) + len(fresh) == len(rows)
            if fits and len(rows) <= MOST_GROWTH * facts.trained_on:
                program.log(f"adding {len(fresh)} vectors to {len(held)}")
                stored.add(index, spec.embeddings, fresh)
                return index, np.concatenate([held, fresh]), facts.trained_on
    program.progress(1, 3, "learning the cells" if wanted.lists else "adding vectors")
    return stored.build(spec.embeddings, rows, wanted, seed=spec.seed), rows, len(rows)


if __name__ == "__main__":
    program.main(work)
