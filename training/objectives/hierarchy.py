"""One label of a tree: at each node of the path a choice among its children.

The probability of a node is the product of the choices down its path, so probabilities agree with the tree:
those of a node's children sum to its own (conditional softmax over sister nodes: Redmon & Farhadi 2017,
"YOLO9000: Better, Faster, Stronger", section 4). The loss of an item is the sum of the cross-entropies along
its path, which is the negative log of its leaf's probability. With "any_node" an inner node that may be answered
has one more choice, "here". With soft labels the loss is that expected under the shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from annotation.task_types import labels as label_lists
from training.learning import calibration as fitting
from training.objectives import classification
from training.objectives.classification import hard, one_label_figures, probe_head
from training.objectives.frozen import Examples, Floats
from training.objectives.task import Answer, Calibration, Choices, Encoded, Field, Task, likeliest

if TYPE_CHECKING:
    import torch


class LabelTree(Task):
    """One label of a tree. Columns: the labels that may be answered; outputs: a logit for each choice, group by
    group (`groups` are slices of the outputs: the root's children first).

    `paths` (w, k) is 1 where a choice lies on the path to an answer, `levels` (k, m) where it is one of a level.
    The parts are the levels, "1" the choice at the root; an answer that lies higher adds nothing to those below.
    """

    writes_answers = False
    parts_are = "levels"

    def __init__(self, given: Field, choices: Choices) -> None:
        super().__init__(given, choices)
        self.columns = label_lists.answers_of(given)
        self.groups, depths, choice_at = _groups(given)
        self.outputs = len(choice_at)
        self.parts = [str(depth + 1) for depth in range(max(depths) + 1)]
        self.levels = np.zeros((self.outputs, len(self.parts)), dtype=np.float32)
        for group, depth in zip(self.groups, depths, strict=True):
            self.levels[group, depth] = 1.0
        inner = set(label_lists.parents_of(given["labels"]).values())
        self.paths = np.zeros((len(self.columns), self.outputs), dtype=np.float32)
        for at, answer in enumerate(self.columns):
            for node in label_lists.path(given["labels"], answer):
                self.paths[at, choice_at[node]] = 1.0
            if answer in inner:
                self.paths[at, choice_at[f"{answer} here"]] = 1.0

    def read(self, folder: Path, split: str) -> Examples:
        """Targets: (n,) columns, or (n, w) shares with soft labels."""
        soft = self.choices.soft_labels and split == "train"
        return classification.read(folder, split, self.columns, soft=soft)

    def check(self, train: Examples) -> None:
        classification.check(train)

    def counts(self, train: Examples) -> dict[str, int]:
        return classification.counts(train, self.columns)

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b,) loss along the path in nats, from logits (b, k) and columns (b,) or shares (b, w)."""
        return self.part_losses(outputs, targets).sum(dim=1)

    def part_losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b, m) loss of the choice at each level."""
        import torch

        wide = outputs.float()
        choices = torch.cat([torch.log_softmax(wide[:, group], dim=1) for group in self.groups], dim=1)
        paths, levels = (torch.from_numpy(one).to(wide.device) for one in (self.paths, self.levels))
        taken = paths[targets] if targets.ndim == 1 else targets @ paths  # (b, k) the share that goes there
        return -(choices * taken) @ levels

    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = self._logs(outputs, 1.0).argmax(axis=1) == hard(targets)
        return found

    def _logs(self, outputs: Any, temperature: float) -> Floats:
        """(n, w) float64 log probabilities."""
        wide = np.asarray(outputs, dtype=np.float64) / temperature
        choices = np.concatenate([_log_softmax(wide[:, group]) for group in self.groups], axis=1)
        return choices @ self.paths.T.astype(np.float64)

    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """One temperature for all choices."""
        if not len(outputs):
            return {"temperature": 1.0}
        wanted = hard(targets)

        def loss(temperature: float) -> float:
            logs = self._logs(outputs, temperature)
            return fitting.smoothed_loss(logs, wanted)

        return {"temperature": fitting.fit_by(loss, len(wanted))}

    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> Any:
        """(n, w) float32 rows that sum to 1."""
        return np.exp(self._logs(outputs, float(calibration["temperature"]))).astype(np.float32)

    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """The likeliest answer of the whole tree, the first among equals; not the likeliest child of the
        likeliest parent, which may be less likely."""
        return [
            Answer(
                value=self.columns[int(probs.argmax())],
                confidence=min(1.0, float(probs.max())),
                scores=likeliest(self.columns, probs),
            )
            for probs in probabilities
        ]

    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        """As of a flat list, and the share of items whose first level is right."""
        scaled = self.probabilities(outputs, encoded, calibration)
        wanted = hard(targets)
        top = np.array([label_lists.path(self.field["labels"], answer)[0] for answer in self.columns])
        right = top[scaled.argmax(axis=1)] == top[wanted]
        raw = self.probabilities(outputs, encoded, {"temperature": 1.0})
        return {**one_label_figures(raw, scaled, wanted), "top_accuracy": float(right.mean())}

    def head_start(
        self, vectors: Floats, train: Examples, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """A probe for each group, on the items whose path goes through it."""
        weight = np.zeros((self.outputs, vectors.shape[1]), dtype=np.float32)
        bias = np.zeros(self.outputs, dtype=np.float32)
        chosen = self.paths[hard(train.targets)]  # (n, k)
        for group in self.groups:
            here = np.flatnonzero(chosen[:, group].any(axis=1))
            if not len(here):
                continue
            child = chosen[here, group].argmax(axis=1).astype(np.int64)
            width = group.stop - group.start
            found = probe_head(vectors[here], child, width, train.weights[here], seed)
            if found is not None:
                weight[group], bias[group] = found
        return weight, bias


def is_tree(given: Field) -> bool:
    """Whether some label of the field has a parent."""
    return bool(label_lists.parents_of(given["labels"]))


def _groups(given: Field) -> tuple[list[slice], list[int], dict[str, int]]:
    """The groups of sister choices, how many labels stand above each group, and the place of each choice: a
    label id, or "<id> here" for an inner node that may itself be answered."""
    parents = label_lists.parents_of(given["labels"])
    children: dict[str, list[str]] = {"": []}
    for identity in label_lists.label_ids(given):
        children.setdefault(parents.get(identity, ""), []).append(identity)
    groups, depths, place = [], [], dict[str, int]()
    for parent, members in children.items():
        start = len(place)
        if parent and given.get("any_node"):
            members = [*members, f"{parent} here"]
        for member in members:
            place[member] = len(place)
        groups.append(slice(start, len(place)))
        depths.append(len(label_lists.path(given["labels"], parent)) if parent else 0)
    return groups, depths, place


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
