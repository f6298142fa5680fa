"""What a fine-tune of an encoder learns, as the program sees it: an objective bound to a field of the schema.

Shapes: n items, b items of a batch, t tokens, k outputs of the head, w columns of what is predicted, m parts of
the loss. Outputs and targets of n items are an array whose first axis are the items, or for `per_token` a list
of one (t, k) array an item.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from training.objectives.frozen import Examples, Floats

if TYPE_CHECKING:
    import torch

    from training.learning.text_model import Tokeniser

Field = Mapping[str, Any]
Calibration = dict[str, Any]  # plain values: it is kept in the model's result.json
Tagging = Literal["bio", "bilou"]
SHOWN_SCORES = 5  # probabilities kept with an answer: the likeliest few


@dataclass(frozen=True, kw_only=True)
class Choices:
    """`soft_labels`: learn from shares of belief instead of the final label. `tagging`: see spans."""

    soft_labels: bool = False
    tagging: Tagging = "bio"


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Token ids of n texts, and where the objective needs it what it knows of their tokens."""

    tokens: list[list[int]]
    units: list[Any] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`value` as the task type stores it; `confidence` that all of it is right, in [0, 1]; `scores`: the
    likeliest few columns."""

    value: Any
    confidence: float
    scores: dict[str, float]


class Task(ABC):
    """An objective bound to a field.

    Attributes:
        columns: w names of what `probabilities` gives, in order.
        outputs: k, the width of the head.
        parts: m names of what the loss is the sum of, such as dimensions; empty where it is one thing.
        parts_are: what they are: "dimensions", "levels" or "labels"; "" without any.
        per_token: whether the head stands on every token instead of on the mean of all.
        writes_answers: whether an answer is more than the likeliest of the columns.
    """

    per_token: ClassVar[bool] = False
    writes_answers: ClassVar[bool] = True
    parts_are: ClassVar[str] = ""
    parts: Sequence[str] = ()
    columns: list[str]
    outputs: int

    def __init__(self, given: Field, choices: Choices) -> None:
        self.field, self.choices = given, choices

    @abstractmethod
    def read(self, folder: Path, split: str) -> Examples:
        """One split of a frozen dataset. Soft labels are for the split "train" alone.

        Raises:
            ValueError: the file is damaged, or holds what the field does not know.
        """

    @abstractmethod
    def check(self, train: Examples) -> None:
        """Raise ValueError where these examples, all of weight above 0, teach nothing."""

    @abstractmethod
    def counts(self, train: Examples) -> dict[str, int]:
        """How many items name each label, zeros included."""

    def encode(self, tokeniser: Tokeniser, texts: Sequence[str]) -> Encoded:
        return Encoded(tokens=tokeniser(texts))

    def targets(self, examples: Examples, encoded: Encoded) -> Any:
        """What the loss reads: see the module."""
        return examples.targets

    def collate(self, targets: Sequence[Any]) -> torch.Tensor:
        """The targets of a batch as one tensor."""
        import torch

        return torch.from_numpy(np.stack(targets))

    @abstractmethod
    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b,) loss of each item, from the head's outputs (b, k) or (b, t, k). The trainer weighs them."""

    def part_losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b, m) what each part adds to the loss of an item; without parts (b, 1), the loss itself."""
        return self.losses(outputs, targets)[:, None]

    def watch(self, outputs: Any, targets: Any) -> tuple[float, float]:
        """Mean loss and share of right answers on validation items, while a run goes on."""
        import torch

        losses = self.losses(torch.from_numpy(outputs), torch.from_numpy(np.asarray(targets)))
        return float(losses.mean()), float(np.mean(self.correct(outputs, targets)))

    @abstractmethod
    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        """Whether the likeliest answer is right: (n,), or one a label, dimension or token."""

    @abstractmethod
    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """What makes the outputs honest probabilities, fitted on validation items; neutral without any."""

    @abstractmethod
    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> Any:
        """(n, w) float32, or for `per_token` one (units, w) an item."""

    @abstractmethod
    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """What the probabilities come to: a value that the task type takes, so also a pre-label."""

    @abstractmethod
    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        """How validation items (one or more) are met, for the run's page."""

    def head_start(
        self, vectors: Floats, train: Examples, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """Weight (k, d) and bias (k,) of linear probes on the encoder's vectors (n, d), to begin with; None
        begins at zero."""
        return None


def likeliest(columns: Sequence[str], probs: Floats) -> dict[str, float]:
    """The highest few of (w,) by name."""
    order = np.argsort(-probs, kind="stable")[:SHOWN_SCORES]
    return {columns[at]: round(float(probs[at]), 4) for at in order}
