"""Work out what each labelled item is worth, and which labels to look at again. No torch; moments long.

Result folder:
    values.parquet  a row an item, most suspect first (see `COLUMNS`)
    head.npz        the head that the labels make, for the attribution of predictions
    state.npz       what the next run goes on from; left out where it would be too large
    walks.npz       the orders of data Shapley, where that was asked for
    result.json     counts, the basis, the worth of each source, how far predicted losses can be trusted
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from jobs import program
from selection.programs import columns, value_state
from selection.programs import value_methods as methods
from selection.programs.columns import Shard
from selection.programs.value_state import Codes, Floats, Part
from selection.strategies import hardness
from selection.strategies.hardness import cartography, loss_ranking
from selection.strategies.value import head as heads
from selection.strategies.value import uses
from selection.strategies.value.data_shapley import Walks
from selection.strategies.value.head import Head, with_one
from selection.strategies.value.influence import influence
from selection.strategies.value.knn_shapley import NEIGHBOURS, knn_shapley
from training.programs import specs

LEAST_ITEMS = 10
LEAST_VALIDATION = 30  # fewer say too little: then the labelled items are measured by each other, in folds
MOST_PAIRS = 25_000_000  # of training and validation items kept for the next run: 300 MB
FOLDS = 5
COLUMNS = (
    *("row", "label", "source", "rank", "suspicion", "value", "influence", "loss", "weight"),
    *("gradient_similarity", "tracin", "data_shapley"),
    *("model_label", "model_probability", "neighbour_label", "neighbour_share"),
    *("confidence", "variability", "forgotten", "region"),
)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ValueSpec(specs.Spec):
    """What to value.

    Attributes:
        result: the folder to make. labelled: parquet (row, label, split, source) of the items with a final
        label, of
            the train and validation splits; test items have no business here.
        features: shards of the embedding column; they must hold all of the rows.
        neighbours: of the vote that KNN-Shapley values are for. c: inverse strength of the head's L2 term.
        before: result folder of the run before, to go on from; or "".
        retrain: work out data Shapley too, of at most value_methods.MOST_PLAYERS items, by validation items.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    labelled: str
    features: list[Shard]
    neighbours: int = NEIGHBOURS
    c: float = 10.0
    seed: int = 0
    before: str = ""
    retrain: bool = False

    def __post_init__(self) -> None:
        specs.check_range("neighbours", self.neighbours, 1, 1000)
        specs.check_range("c", self.c, 1e-9, 1e9)
        specs.check_range("seed", self.seed, 0, 2**31 - 1)


def work(data: dict[str, Any]) -> None:
    """The program. Cost: fits of linear heads, plus O(m n d) for m validation and n training items that are
    new.
    """
    with specs.clear_errors(data):
        spec = ValueSpec.from_json(data)
        program.progress(0, 4, "reading labels and embeddings")
        train, validation, names = read(spec)
        validation = _thinned(validation, max(LEAST_VALIDATION, MOST_PAIRS // max(1, len(train.rows))))
        program.progress(1, 4, f"valuing {len(train.rows)} items")
        is_held_out = len(validation.rows) >= LEAST_VALIDATION
        measured = _by_validation if is_held_out else _by_folds
        values, influences, others, head, kept, news = measured(spec, train, validation, names)
        walked: tuple[Walks, Codes] | None = None
        if spec.retrain and is_held_out and len(train.rows) <= methods.MOST_PLAYERS:
            others["data_shapley"], walks, players = methods.by_retraining(
                train, validation, len(names), spec.before, spec.seed
            )
            walked = walks, players
        program.progress(2, 4, "asking models that have not seen the items")
        table, trust = _judged(spec, train, names, values, {"influence": influences, **others})
        program.progress(3, 4, "writing")
        sources = uses.value_by_source(values, train.sources)
        result = {
            "spec_version": specs.SPEC_VERSION,
            "items": len(train.rows),
            "validation": len(validation.rows) if is_held_out else 0,
            "basis": "validation" if is_held_out else "folds",
            "harmful": int((values < 0).sum()),
            "labels": names,
            "sources": [{k: _finite(v) for k, v in asdict(one).items()} for one in sources],
            "trust": {k: _finite(v) for k, v in asdict(trust).items()},
            **news,
        }
        with program.result_folder(spec.result) as folder:
            pq.write_table(table, folder / "values.parquet")
            np.savez(
                folder / "head.npz", weight=head.weight, ridge=head.ridge, rows=train.rows, codes=train.codes
            )
            if walked is not None:
                methods.write(folder, walked[0], train, walked[1], validation)
            if kept is not None:
                np.savez(folder / "state.npz", **kept)
            (folder / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))


def read(spec: ValueSpec) -> tuple[Part, Part, list[str]]:
    """Training items, validation items, names of the labels in the order of their codes."""
    table = pq.read_table(spec.labelled).sort_by("row").to_pydict()
    split, labels = np.asarray(table["split"]), np.asarray(table["label"], dtype=np.str_)
    if "test" in split:
        raise ValueError("found test items, expected none: they are never looked at here")
    names, codes = np.unique(labels, return_inverse=True)
    rows = np.asarray(table["row"], dtype=np.int64)
    training = split == "train"
    if int(training.sum()) < LEAST_ITEMS or len(np.unique(codes[training])) < 2:
        raise ValueError(
            f"found {int(training.sum())} labelled items of {len(np.unique(codes[training]))} labels, "
            f"expected at least {LEAST_ITEMS} of two: label more items"
        )
    sources = np.asarray(table["source"], dtype=np.str_)

    def part(chosen: npt.NDArray[np.bool_]) -> Part:
        own = rows[chosen]
        vectors = columns.gather(spec.features, own) if len(own) else np.empty((0, 1), dtype=np.float32)
        return Part(own, vectors, codes[chosen].astype(np.int64), sources[chosen].tolist())

    return part(training), part(split == "validation"), [str(name) for name in names]


def _thinned(part: Part, most: int) -> Part:
    """At most so many of the items, the same ones each time: memory grows with training times validation."""
    if len(part.rows) <= most:
        return part
    program.log(f"judged by {most} of {len(part.rows)} validation items, drawn at random")
    at = np.sort(np.random.default_rng(0).choice(len(part.rows), size=most, replace=False))
    return Part(part.rows[at], part.vectors[at], part.codes[at], [part.sources[number] for number in at])


Outcome = tuple[Array, Array, "dict[str, Array]", Head, "dict[str, Any] | None", dict[str, int]]


def _by_validation(spec: ValueSpec, train: Part, validation: Part, names: list[str]) -> Outcome:
    before = value_state.load(spec.before, names, spec.neighbours)
    state, news = value_state.brought_up_to_date(before, train, validation, spec.neighbours)
    x, val_x = with_one(train.vectors), with_one(validation.vectors)
    usable = before is not None and before["weight"].shape == (len(names), x.shape[1])
    start = Head(before["weight"], 1 / spec.c) if usable and before is not None else None
    head = heads.fit(x, train.codes, len(names), ridge=1 / spec.c, start=start)
    found = influence(
        head,
        x,
        train.codes,
        val_x,
        validation.codes,
        start=before["solution"] if usable and before is not None else None,
    )
    order = np.argsort(state.rows)
    kept = None
    if state.state.order.size <= MOST_PAIRS:
        kept = {
            "similarity": state.state.similarity,
            "order": state.state.order.astype(np.int32),
            "rows": state.rows,
            "val_rows": state.val_rows,
            "neighbours": spec.neighbours,
            "names": np.asarray(names),
            "weight": head.weight,
            "solution": found.solution,
        }
    others = methods.by_gradients(head, x, train.codes, val_x, validation.codes)
    return state.state.values()[order], found.values, others, head, kept, {**news, "steps": found.steps}


def _by_folds(spec: ValueSpec, train: Part, _validation: Part, names: list[str]) -> Outcome:
    """Every fold is once the validation set of the others; an item's value is its mean over the folds it was
    not in.
    """
    n, x = len(train.rows), with_one(train.vectors)
    fold = hardness.deal(train.codes, FOLDS, np.random.default_rng(spec.seed))
    values, influences = np.zeros(n), np.zeros(n)
    others = {"gradient_similarity": np.zeros(n), "tracin": np.zeros(n)}
    for number in range(FOLDS):
        held, rest = fold == number, fold != number
        vectors, codes = train.vectors, train.codes
        values[rest] += knn_shapley(
            vectors[rest], codes[rest], vectors[held], codes[held], neighbours=spec.neighbours
        )
        head = heads.fit(x[rest], codes[rest], len(names), ridge=1 / spec.c)
        influences[rest] += influence(head, x[rest], codes[rest], x[held], codes[held]).values
        for name, own in methods.by_gradients(head, x[rest], codes[rest], x[held], codes[held]).items():
            others[name][rest] += own / (FOLDS - 1)
    head = heads.fit(x, train.codes, len(names), ridge=1 / spec.c)
    news = {"added": n, "removed": 0, "pairs": n * n * (FOLDS - 1) // FOLDS, "steps": 0}
    return values / (FOLDS - 1), influences / (FOLDS - 1), others, head, None, news


def _judged(
    spec: ValueSpec, train: Part, names: list[str], values: Array, others: dict[str, Array]
) -> tuple[pa.Table, loss_ranking.Trust]:
    n, k = len(train.rows), len(names)
    everyone = np.arange(n)
    probs = hardness.held_out_probabilities(train.vectors, train.codes, k, c=spec.c, seed=spec.seed)
    probs = np.where(np.isnan(probs), 1.0 / k, probs)
    losses = -np.log(np.maximum(probs[everyone, train.codes], hardness.LEAST_PROBABILITY))
    said = probs.argmax(axis=1)
    near, share = _neighbours(train, k, spec.neighbours)
    gold, right = cartography.record(
        train.vectors, train.codes, k, rng=np.random.default_rng(spec.seed), epochs=12
    )
    course = cartography.dynamics(gold, right)
    order, suspicion = uses.cleaning_order([values, -losses])
    rank = np.empty(n, dtype=np.int64)
    rank[order] = everyone
    label = np.asarray(names)
    found = {
        "row": train.rows,
        "label": label[train.codes],
        "source": np.asarray(train.sources),
        "rank": rank,
        "suspicion": suspicion,
        "value": values,
        "data_shapley": np.full(n, np.nan),
        **others,
        "loss": losses,
        "weight": uses.sample_weights(values),
        "model_label": label[said],
        "model_probability": probs[everyone, said],
        "neighbour_label": label[near],
        "neighbour_share": share,
        "confidence": course.confidence,
        "variability": course.variability,
        "forgotten": course.forgotten,
        "region": course.regions(),
    }
    table = pa.table({name: pa.array(found[name][order]) for name in COLUMNS})
    return table, loss_ranking.trust_of_carried(train.vectors, losses, seed=spec.seed)


def _neighbours(train: Part, k: int, neighbours: int) -> tuple[Codes, Floats]:
    """(n,) the label that most of an item's nearest other items have, and its share of them; ties: the
    first.
    """
    from selection.index.flat import nearest

    n = len(train.rows)
    count = min(neighbours, n - 1)
    found, _similarity = nearest(train.vectors, train.vectors, count + 1)
    votes = np.zeros((n, k))
    for item in range(n):
        others = found[item][found[item] != item][:count]
        votes[item] = np.bincount(train.codes[others], minlength=k)
    best = votes.argmax(axis=1).astype(np.int64)
    return best, votes[np.arange(n), best] / count


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


if __name__ == "__main__":
    program.main(work)
