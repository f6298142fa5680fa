"""Spans of a text: a tag for each word, learnt by cross-entropy, decoded to spans that the tags allow.

A *unit* is what bears a tag: a word of a script with spaces between words, else a token (a Chinese character, as
tokenizers part them). Its tag is read at its first token; offsets are those of the text in Unicode code points.
Tags are BIO (Ramshaw & Marcus 1995, "Text Chunking using Transformation-Based Learning") or BILOU, which also
marks last and single words (Ratinov & Roth 2009, "Design Challenges and Misconceptions in Named Entity
Recognition"). The likeliest sequence that the scheme allows is found by Viterbi's algorithm over the tags'
probabilities (Forney 1973, "The Viterbi Algorithm").

A unit has one tag, so spans that lie inside or across another cannot be learnt: of such the longest is kept and
the others are counted; where they are more than one in twenty the data are refused. Relations are not learnt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from annotation.task_types import labels as label_lists
from training.learning import calibration as fitting
from training.objectives import frozen
from training.objectives.frozen import Examples, Floats
from training.objectives.task import Answer, Calibration, Choices, Encoded, Field, Task

if TYPE_CHECKING:
    import torch

    from training.learning.text_model import Tokeniser

IGNORED = -100  # the target of a token that bears no tag
MOST_CROSSING = 0.05  # share of spans inside or across another, above which the data are refused
Span = tuple[int, int, str]  # start, end, label


class Unit(NamedTuple):
    """A word: its first token, and where it lies in the text."""

    token: int
    start: int
    end: int


class Spans(Task):
    """Labelled spans. Columns: tags, "O" first; outputs: a logit each, on every token."""

    per_token = True

    def __init__(self, given: Field, choices: Choices) -> None:
        super().__init__(given, choices)
        if choices.soft_labels:
            raise ValueError(
                "spans are not learnt from shares of belief, which stand by whole span: leave soft_labels off"
            )
        self.labels = label_lists.answers_of(given)
        parts = "BI" if choices.tagging == "bio" else "BILU"
        self.columns = ["O", *(f"{part}-{label}" for label in self.labels for part in parts)]
        self.outputs = len(self.columns)
        self.place = {tag: at for at, tag in enumerate(self.columns)}
        self.allowed, self.first, self.last = transitions(self.columns)

    def read(self, folder: Path, split: str) -> Examples:
        """Answers {"spans": [...]}, those left out that cross another. Targets come with the tokens."""
        found = frozen.read(folder, split)
        known = set(self.labels)
        answers, crossing, total = [], 0, 0
        for text, row in zip(found.texts, found.first_examples(), strict=True):
            spans = [(int(one["start"]), int(one["end"]), str(one["label"])) for one in row["spans"]]
            if unknown := sorted({label for _start, _end, label in spans} - known):
                raise ValueError(
                    f"{found.path} has labels that the schema does not know: {', '.join(unknown[:5])}; "
                    f"expected some of the {len(known)} labels given"
                )
            if any(end > len(text) for _start, end, _label in spans):
                raise ValueError(
                    f"{found.path} has a span behind the end of its text: freeze the dataset again"
                )
            kept = apart(spans)
            total, crossing = total + len(spans), crossing + len(spans) - len(kept)
            answers.append(as_answer(kept))
        if split == "train" and crossing > MOST_CROSSING * total:
            raise ValueError(
                f"{crossing} of {total} spans lie inside or across another, and a word has one tag here: "
                "turn nested and overlapping spans off in the schema, or export the dataset instead"
            )
        return found.of(answers)

    def check(self, train: Examples) -> None:
        if not any(answer["spans"] for answer in train.answers):
            raise ValueError(
                f"found no span in the {len(train)} items to train on, expected some: "
                "mark spans and freeze again"
            )

    def counts(self, train: Examples) -> dict[str, int]:
        """Spans of each label."""
        found = Counter(one["label"] for answer in train.answers for one in answer["spans"])
        return {label: found[label] for label in self.labels}

    def encode(self, tokeniser: Tokeniser, texts: Sequence[str]) -> Encoded:
        """Tokens, and the units of each text that lie within the longest length."""
        tokens, offsets = tokeniser.with_offsets(texts)
        found = [(text, units(text, places)) for text, places in zip(texts, offsets, strict=True)]
        return Encoded(tokens=tokens, units=found)

    def targets(self, examples: Examples, encoded: Encoded) -> list[npt.NDArray[np.int64]]:
        """Of each item the tag of every token, `IGNORED` where a token is not the first of a unit."""
        made = []
        for answer, tokens, (_text, own) in zip(examples.answers, encoded.tokens, encoded.units, strict=True):
            row = np.full(len(tokens), IGNORED, dtype=np.int64)
            for unit, tag in zip(own, self.tags(own, answer["spans"]), strict=True):
                row[unit.token] = self.place[tag]
            made.append(row)
        return made

    def tags(self, own: Sequence[Unit], spans: Sequence[dict[str, Any]]) -> list[str]:
        """The tag of each unit; one that a span touches belongs to it, to the first of two."""
        tags = ["O"] * len(own)
        for span in spans:
            inside = [
                at
                for at, unit in enumerate(own)
                if unit.start < span["end"] and unit.end > span["start"] and tags[at] == "O"
            ]
            for at in inside:
                tags[at] = f"I-{span['label']}"
            if inside:
                tags[inside[0]] = f"B-{span['label']}"
            if inside and self.choices.tagging == "bilou":
                tags[inside[-1]] = f"{'L' if len(inside) > 1 else 'U'}-{span['label']}"
        return tags

    def collate(self, targets: Sequence[Any]) -> torch.Tensor:
        """(b, t) padded with `IGNORED`."""
        import torch

        out = np.full((len(targets), max(len(row) for row in targets)), IGNORED, dtype=np.int64)
        for i, row in enumerate(targets):
            out[i, : len(row)] = row
        return torch.from_numpy(out)

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b,) mean over an item's units of the cross-entropy in nats, from logits (b, t, k) and tags (b, t); 0
        for an item without units."""
        from torch.nn.functional import cross_entropy

        flat = cross_entropy(
            outputs.float().flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORED
        )
        counts = (targets != IGNORED).sum(dim=1).clamp(min=1)
        return flat.view(targets.shape).sum(dim=1) / counts

    def watch(self, outputs: Any, targets: Any) -> tuple[float, float]:
        """Mean loss of the items, and the share of units with the right tag."""
        import torch

        losses = [
            float(self.losses(torch.from_numpy(found)[None], torch.from_numpy(row)[None])[0])
            for found, row in zip(outputs, targets, strict=True)
        ]
        return float(np.mean(losses)), float(np.mean(self.correct(outputs, targets)))

    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        """Whether the likeliest tag of each unit of all items is right."""
        logits, wanted = _flat(outputs, targets)
        found: npt.NDArray[np.bool_] = logits.argmax(axis=1) == wanted
        return found

    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """One temperature of the tags (Guo et al. 2017)."""
        if not len(outputs):
            return {"temperature": 1.0}
        return {"temperature": fitting.fit_temperature(*_flat(outputs, targets))}

    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> list[Any]:
        """Of each item (units, k) float32, rows that sum to 1."""
        temperature = float(calibration["temperature"])
        return [
            fitting.calibrated(found[[unit.token for unit in own]].reshape(-1, self.outputs), temperature)
            for found, (_text, own) in zip(outputs, encoded.units, strict=True)
        ]

    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """The spans of the likeliest allowed sequence of tags. Confidence: the product of its tags'
        probabilities, as if words were independent; scores: of each label the surest span of it."""
        return [
            self._answer(probs, text, own)
            for probs, (text, own) in zip(probabilities, encoded.units, strict=True)
        ]

    def _answer(self, probs: Floats, text: str, own: list[Unit]) -> Answer:
        logs = np.log(np.maximum(np.asarray(probs, dtype=np.float64), 1e-12))
        path = viterbi(logs, self.allowed, self.first, self.last)
        chances = probs[np.arange(len(path)), path]
        spans, scores = [], dict[str, float]()
        for start, end, label in segments([self.columns[tag] for tag in path]):
            trimmed = _trimmed(text, own[start].start, own[end - 1].end)
            if trimmed is None:
                continue
            spans.append((*trimmed, label))
            sure = round(float(chances[start:end].prod()), 4)
            scores[label] = max(sure, scores.get(label, 0.0))
        confidence = float(np.clip(chances.prod(), 0.0, 1.0))
        return Answer(value=as_answer(spans), confidence=confidence, scores=scores)

    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        """Accuracy: the share of items with all spans right; `f1` of exact spans; `beyond`: spans that begin
        behind the longest length and cannot be found."""
        logits, wanted = _flat(outputs, targets)
        probs = self.probabilities(outputs, encoded, calibration)
        given = [_as_set(one.value) for one in self.answers(probs, encoded, calibration)]
        true = [_as_set(answer) for answer in examples.answers]
        shared = sum(len(one & two) for one, two in zip(given, true, strict=True))
        total = sum(map(len, given)) + sum(map(len, true))
        return {
            "n": len(true),
            "accuracy": float(np.mean([one == two for one, two in zip(given, true, strict=True)])),
            "f1": 2 * shared / total if total else None,
            "word_accuracy": float((logits.argmax(axis=1) == wanted).mean()) if len(wanted) else None,
            "loss": _nll(logits, wanted, 1.0),
            "loss_calibrated": _nll(logits, wanted, float(calibration["temperature"])),
            "beyond": sum(
                span[0] >= (own[-1].end if own else 0)
                for spans, (_text, own) in zip(true, encoded.units, strict=True)
                for span in spans
            ),
        }


def units(text: str, offsets: Sequence[tuple[int, int]]) -> list[Unit]:
    """The units of a text whose tokens lie at `offsets`; special tokens (start equal to end) are none.

    A token that goes on where the one before ended, with a letter or digit of a script with spaces on both sides
    of the border, belongs to the same unit.
    """
    found: list[Unit] = []
    for token, (start, end) in enumerate(offsets):
        if start >= end:
            continue
        if found and found[-1].end == start and _in_word(text[start - 1]) and _in_word(text[start]):
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Unit(token, start, end))
    return found


def _in_word(letter: str) -> bool:
    """A letter or digit of a script that puts spaces between words: not Chinese, Japanese, Thai, Lao, Khmer."""
    point = ord(letter)
    spaceless = (
        0x2E80 <= point <= 0x9FFF
        or 0xF900 <= point <= 0xFAFF
        or 0x20000 <= point <= 0x3FFFF
        or 0x0E00 <= point <= 0x0EFF
        or 0x1780 <= point <= 0x17FF
    )
    return letter.isalnum() and not spaceless


def apart(spans: Sequence[Span]) -> list[Span]:
    """The spans less those that lie inside or across a longer one (of equals: an earlier one), by place.

    >>> apart([(0, 3, "a"), (0, 8, "b"), (9, 12, "a")])
    [(0, 8, 'b'), (9, 12, 'a')]
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one[0] - one[1], one)):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
    return sorted(kept)


def as_answer(spans: Sequence[Span]) -> dict[str, Any]:
    """As the task type stores it."""
    return {"spans": [{"start": s, "end": e, "label": label} for s, e, label in sorted(spans)]}


def _as_set(answer: dict[str, Any]) -> set[Span]:
    return {(one["start"], one["end"], one["label"]) for one in answer["spans"]}


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The place less white space at its ends; None where nothing else is there."""
    words = text[start:end]
    if not words.strip():
        return None
    return start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())


def transitions(
    columns: Sequence[str],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(k, k) whether tag j may follow tag i, (k,) may begin, (k,) may end. "O", and "X-label" with X of BIO (no
    L among the tags) or BILOU.

    >>> allowed, first, last = transitions(["O", "B-a", "I-a"])
    >>> allowed[0].tolist(), first.tolist(), last.tolist()
    ([True, True, False], [True, True, False], [True, True, True])
    """
    is_bilou = any(tag.startswith("L-") for tag in columns)
    opens = ("B-", "I-") if is_bilou else ()  # after these the span has to go on

    def may_follow(before: str, after: str) -> bool:
        label = before[2:]
        if before.startswith(opens):
            return after in (f"I-{label}", f"L-{label}")
        if is_bilou or before == "O":
            return not after.startswith(("I-", "L-"))
        return not after.startswith("I-") or after == f"I-{label}"

    allowed = np.array([[may_follow(before, after) for after in columns] for before in columns], dtype=bool)
    first = np.array([not tag.startswith(("I-", "L-")) for tag in columns], dtype=bool)
    last = np.array([not (opens and tag.startswith(opens)) for tag in columns], dtype=bool)
    return allowed, first, last


def viterbi(
    logs: Floats,
    allowed: npt.NDArray[np.bool_],
    first: npt.NDArray[np.bool_],
    last: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """(t,) tags of the allowed sequence with the greatest sum of `logs` (t, k); the lower tag among equals.

    O(t k²). There must be a tag that may begin, end and follow itself, as "O".
    """
    if not len(logs):
        return np.empty(0, dtype=np.int64)
    forbidden = np.where(allowed, 0.0, -np.inf)
    best = np.where(first, logs[0], -np.inf)
    back = np.zeros(logs.shape, dtype=np.int64)
    for at in range(1, len(logs)):
        sums = best[:, None] + forbidden
        back[at] = sums.argmax(axis=0)
        best = sums[back[at], np.arange(sums.shape[1])] + logs[at]
    path = np.empty(len(logs), dtype=np.int64)
    path[-1] = np.where(last, best, -np.inf).argmax()
    for at in range(len(logs) - 1, 0, -1):
        path[at - 1] = back[at, path[at]]
    return path


def segments(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first unit, unit behind the last, label) of each span in an allowed sequence of tags.

    >>> segments(["O", "B-a", "I-a", "B-b"])
    [(1, 3, 'a'), (3, 4, 'b')]
    """
    found: list[tuple[int, int, str]] = []
    for at, tag in enumerate(tags):
        if tag[:2] in ("B-", "U-"):
            found.append((at, at + 1, tag[2:]))
        elif tag != "O":
            start, _end, label = found.pop()
            found.append((start, at + 1, label))
    return found


def _flat(outputs: Any, targets: Any) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Logits and tags of all units of all items."""
    logits, wanted = np.concatenate(list(outputs)), np.concatenate(list(targets))
    held = wanted != IGNORED
    return logits[held], wanted[held]


def _nll(logits: Floats, wanted: npt.NDArray[np.int64], temperature: float) -> float | None:
    if not len(wanted):
        return None
    logs = log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return float(-logs[np.arange(len(wanted)), wanted].mean())
