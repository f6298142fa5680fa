"""From a model's scores to an answer that people can look at: probabilities, the answer, how sure it is.

Scores are any numbers of which more is likelier (cosines, mean log likelihoods); a temperature makes them
probabilities. Shapes: (n, c) for n items and the c columns of `label_words.columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.task_types import multilabel, rating
from training.learning import calibration, label_words

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

SHOWN_SCORES = 5  # probabilities kept with a suggestion: the likeliest few
ALSO = 0.5  # a further label of several is suggested from this share of the likeliest one's probability on


@dataclass(frozen=True, kw_only=True)
class Guess:
    """`answer` as the field's type stores it; `confidence` in [0, 1]; `scores` by column, the likeliest few."""

    answer: Any
    confidence: float
    scores: dict[str, float]


def groups(field: Mapping[str, Any]) -> list[slice]:
    """The columns among which exactly one is true: all labels, or the points of one dimension each."""
    width = len(label_words.columns(field))
    step = len(rating.scale(field)) if field["type"] == "rating" else width
    return [slice(at, at + step) for at in range(0, width, step)]


def probabilities(field: Mapping[str, Any], scores: Floats, temperature: float) -> npt.NDArray[np.float32]:
    """Softmax of `scores` (n, c) divided by the temperature, group by group: (n, c), each group sums to 1."""
    parts = [calibration.calibrated(scores[:, group], temperature) for group in groups(field)]
    return np.concatenate(parts, axis=1)


def guess(field: Mapping[str, Any], probs: Floats) -> Guess:
    """The answer that one item's probabilities (c,) come to.

    * One label: the likeliest, the first among equals; the confidence is its probability.
    * Several labels: the likeliest, with those at least half as likely, within the bounds of the field. The
      confidence is their sum: the share of the item's labels expected among them.
    * A rating: the likeliest point of each dimension; the confidence is the product, as if dimensions were
      independent.
    """
    names = label_words.columns(field)
    if field["type"] == "rating":
        points, sure = {}, 1.0
        for group in groups(field):
            best = group.start + int(np.argmax(probs[group]))
            dimension, point = names[best].rsplit("=", 1)
            points[dimension] = int(point)
            sure *= float(probs[best])
        return Guess(answer=points, confidence=min(1.0, sure), scores=_likeliest(names, probs))
    ranked = np.argsort(-probs, kind="stable")
    if field["type"] == "multilabel":
        low, high = multilabel.bounds(field)
        enough = int((probs >= ALSO * probs[ranked[0]]).sum())
        taken = ranked[: max(low, min(high, enough))]
        held = {names[at] for at in taken}
        answer: Any = [one for one in names if one in held]
        return Guess(
            answer=answer, confidence=min(1.0, float(probs[taken].sum())), scores=_likeliest(names, probs)
        )
    return Guess(
        answer=names[ranked[0]],
        confidence=min(1.0, float(probs[ranked[0]])),
        scores=_likeliest(names, probs),
    )


def _likeliest(names: Sequence[str], probs: Floats) -> dict[str, float]:
    return {names[at]: round(float(probs[at]), 4) for at in np.argsort(-probs, kind="stable")[:SHOWN_SCORES]}


def truths(field: Mapping[str, Any], answers: Sequence[Any]) -> tuple[Ints, Ints]:
    """Which columns are true of which item, as two arrays (m,): positions in `answers`, and columns.

    Several for an item with several labels or dimensions; none where the schema no longer has what was
    answered.
    """
    place = {name: at for at, name in enumerate(label_words.columns(field))}
    pairs = [
        (position, place[name])
        for position, answer in enumerate(answers)
        for name in _named(field, answer)
        if name in place
    ]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _named(field: Mapping[str, Any], answer: Any) -> list[str]:
    if field["type"] == "rating":
        return [f"{dimension}={point}" for dimension, point in answer.items()]
    return list(answer) if field["type"] == "multilabel" else [answer]


def temperature(
    field: Mapping[str, Any], scores: Floats, answers: Sequence[Any], start: float, *, least_items: int
) -> float:
    """The temperature that fits best to what people decided, by `calibration.fit_temperature`; `start` where
    there are fewer than `least_items` answers.

    An item with several labels counts once for each of them, so its probabilities come to be the share of its
    labels; a rating's dimensions share one temperature. Scores are divided by `start` first, so the result lies
    within 0.05 to 20 times it.
    """
    at, column = truths(field, answers)
    if len(set(at.tolist())) < least_items:
        return start
    logits, labels = [], []
    for group in groups(field):
        here = (column >= group.start) & (column < group.stop)
        logits.append(scores[at[here], group] / start)
        labels.append(column[here] - group.start)
    fitted = calibration.fit_temperature(np.concatenate(logits), np.concatenate(labels), least_items=1)
    return start * fitted
