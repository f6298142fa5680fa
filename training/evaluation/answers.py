"""How good a model's answers are, by type of field: several labels, spans, ratings, and labels of a tree.

Every type gives the share of items that are right as a whole as "accuracy", and a figure of its own by which two
models are compared: see `HEADLINES`. Labels that only one side knows count as any other.

n items, k labels, d dimensions, p points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.task_types import labels as label_lists
from annotation.task_types import rating as rating_type
from training.evaluation.scores import Score, matches, share

Field = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

# The figure that decides, by type of field; of all of them more is better.
HEADLINES = {
    "classification": "accuracy",
    "multilabel": "micro_f1",
    "spans": "f1",
    "rating": "kappa",
}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """`scores` by name, with "accuracy" among them. `labels`: names of what `counts` is about; `counts` (k, 3):
    how often each was right, true and given. `tables`: name -> (p, p) counts, true by given. `points`: names of
    p."""

    scores: dict[str, Score]
    labels: list[str]
    counts: npt.NDArray[np.int64]
    tables: dict[str, npt.NDArray[np.int64]]
    points: list[str]


def several(field: Field, gold: Sequence[Any], given: Sequence[Any]) -> Sheet:
    """Sets of labels: subset accuracy, micro- and macro-F1 (Tsoumakas & Katakis 2007)."""
    labels = _labels(field, [*gold, *given], lambda answer: answer)
    true, said = _indicators(gold, labels), _indicators(given, labels)
    shared = true * said
    micro, macro = matches(shared, true, said)
    return Sheet(
        scores={"accuracy": share((true == said).all(axis=1)), "micro_f1": micro, "macro_f1": macro},
        labels=labels,
        counts=_counts(shared, true, said),
        tables={},
        points=[],
    )


def entities(field: Field, gold: Sequence[Any], given: Sequence[Any]) -> Sheet:
    """Spans: F1 of exact ones (start, end and label), over all and as the mean over labels (Tjong Kim Sang & De
    Meulder 2003, "Introduction to the CoNLL-2003 Shared Task")."""
    true_sets, said_sets = ([_spans(answer) for answer in answers] for answers in (gold, given))
    labels = _labels(field, [*true_sets, *said_sets], lambda spans: [label for _s, _e, label in spans])
    place = {label: at for at, label in enumerate(labels)}
    shared, true, said = (np.zeros((len(gold), len(labels))) for _ in range(3))
    for i, (one, other) in enumerate(zip(true_sets, said_sets, strict=True)):
        for table, spans in ((shared, one & other), (true, one), (said, other)):
            for _start, _end, label in spans:
                table[i, place[label]] += 1
    micro, macro = matches(shared, true, said)
    right = np.array([one == other for one, other in zip(true_sets, said_sets, strict=True)], dtype=bool)
    return Sheet(
        scores={"accuracy": share(right), "f1": micro, "macro_f1": macro},
        labels=labels,
        counts=_counts(shared, true, said),
        tables={},
        points=[],
    )


def ratings(field: Field, gold: Sequence[Any], given: Sequence[Any]) -> Sheet:
    """Points of scales: quadratic weighted kappa (Cohen 1968, "Weighted Kappa") and mean absolute error, each
    the mean over the dimensions that both sides rate."""
    points = list(rating_type.scale(field))
    place = {point: at for at, point in enumerate(points)}
    names = [one["id"] for one in field["dimensions"]]
    held = [
        name
        for name in names
        if all(answer.get(name) in place for answers in (gold, given) for answer in answers)
    ]
    if not held:
        raise ValueError("no dimension of the scale is rated by both: freeze the dataset and train again")
    true, said = (
        np.array([[place[answer[name]] for name in held] for answer in answers], dtype=np.int64)
        for answers in (gold, given)
    )
    off = np.abs(true - said)
    cells = len(points) ** 2
    rows = np.zeros((len(gold), len(held) * cells))
    at = np.arange(len(held)) * cells + true * len(points) + said
    np.put_along_axis(rows, at, 1.0, axis=1)
    tables = rows.sum(axis=0).astype(np.int64).reshape(len(held), len(points), len(points))
    pairs = [f"{name}={point}" for name in held for point in points]
    return Sheet(
        scores={
            "accuracy": share((off == 0).all(axis=1)),
            "kappa": Score(rows, lambda sums: _kappa(sums, len(held), len(points))),
            "mae": share(off.mean(axis=1)),
        },
        labels=pairs,
        counts=np.stack(
            [
                tables.diagonal(axis1=1, axis2=2).ravel(),
                tables.sum(axis=2).ravel(),
                tables.sum(axis=1).ravel(),
            ],
            axis=1,
        ),
        tables=dict(zip(held, tables, strict=True)),
        points=[str(point) for point in points],
    )


def levels(field: Field, gold: Sequence[str], given: Sequence[str]) -> dict[str, Score]:
    """Of labels of a tree: the share of items whose label is right down to each level, and F1 of the nodes on
    the paths (Kiritchenko, Matwin & Famili 2005, "Functional Annotation of Genes Using Hierarchical Text
    Categorization"). Empty for a flat list. An answer that is shorter than a level is compared as it is."""
    labels = field.get("labels", ())
    if not label_lists.parents_of(labels):
        return {}
    true, said = ([label_lists.path(labels, one) for one in answers] for answers in (gold, given))
    depth = max(len(label_lists.path(labels, one)) for one in label_lists.label_ids(field))
    found = {
        f"level_{level}": share(
            np.array([one[:level] == other[:level] for one, other in zip(true, said, strict=True)])
        )
        for level in range(1, depth + 1)
    }
    rows = np.array(
        [[len(set(one) & set(other)), len(one), len(other)] for one, other in zip(true, said, strict=True)],
        dtype=np.float64,
    )
    found["path_f1"] = Score(rows, lambda sums: 2 * sums[:, 0] / (sums[:, 1] + sums[:, 2]))
    return found


def answer_of(field: Field, example: Mapping[str, Any]) -> Any:
    """The answer in a training example of the field's type."""
    if field["type"] == "multilabel":
        return list(example["labels"])
    if field["type"] == "spans":
        return {"spans": example["spans"]}
    return {one["id"]: example.get(f"{field['name']}_{one['id']}") for one in field["dimensions"]}


SHEETS: dict[str, Callable[[Field, Sequence[Any], Sequence[Any]], Sheet]] = {
    "multilabel": several,
    "spans": entities,
    "rating": ratings,
}


def _kappa(sums: Floats, d: int, p: int) -> Floats:
    """(b,) mean over d dimensions of 1 - (weighted disagreement) / (that of chance); NaN where chance would not
    disagree in any of them."""
    tables = sums.reshape(-1, d, p, p)
    step = np.arange(p)
    weights = ((step[:, None] - step[None]) / (p - 1)) ** 2
    total = tables.sum(axis=(2, 3))
    expected = tables.sum(axis=3)[..., None] * tables.sum(axis=2)[:, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (weights * tables).sum(axis=(2, 3)) / total
        chance = (weights * expected).sum(axis=(2, 3)) / total**2
        kappas = np.where(chance > 0, 1 - seen / chance, np.nan)
        held = ~np.isnan(kappas)
        found: Floats = np.where(held, kappas, 0.0).sum(axis=1) / held.sum(axis=1)
    return found


def _labels(field: Field, answers: Sequence[Any], named: Callable[[Any], Sequence[str]]) -> list[str]:
    """The field's labels, and behind them those that only the answers know."""
    return list(
        dict.fromkeys([*label_lists.answers_of(field), *(label for one in answers for label in named(one))])
    )


def _indicators(answers: Sequence[Sequence[str]], labels: Sequence[str]) -> Floats:
    place = {label: at for at, label in enumerate(labels)}
    out = np.zeros((len(answers), len(labels)))
    for i, answer in enumerate(answers):
        out[i, [place[label] for label in answer]] = 1.0
    return out


def _counts(shared: Floats, true: Floats, said: Floats) -> npt.NDArray[np.int64]:
    return np.stack([table.sum(axis=0) for table in (shared, true, said)], axis=1).astype(np.int64)


def _spans(answer: Mapping[str, Any]) -> set[tuple[int, int, str]]:
    return {(one["start"], one["end"], one["label"]) for one in answer["spans"]}
