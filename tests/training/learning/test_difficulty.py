from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from tests import training_kit as kit
from training.learning import dialogues, difficulty
from training.objectives.frozen import Examples
from training.objectives.registry import flat_field, objective
from training.objectives.spans import IGNORED
from training.objectives.task import Choices

pytestmark = pytest.mark.slow  # torch
SPANS = {"name": "entities", "type": "spans", "labels": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}


def no_states() -> Iterator[Any]:
    raise AssertionError("no states of tokens are needed")


class Tagged:
    """25 items of 3 to 6 tokens, the first of which bears none; a token's vector tells its tag, but for item 3,
    whose tags are others. Read in two batches, the longest items first, padded."""

    def __init__(self, *, is_alike: bool = False) -> None:
        rng = np.random.default_rng(0)
        self.task = objective("spans").bind(SPANS, Choices())
        lengths = [3 + at % 4 for at in range(25)]
        self.tags = [np.append(IGNORED, rng.integers(3, size=length - 1)) for length in lengths]
        if is_alike:
            self.tags = [np.append(IGNORED, np.zeros(length - 1, dtype=np.int64)) for length in lengths]
        self.vectors = [
            rng.normal(scale=0.2, size=(len(row), 5)) + 4 * np.eye(5)[np.maximum(row, 0)] for row in self.tags
        ]
        if not is_alike:
            self.tags[3][1:] = (self.tags[3][1:] + 1) % 3
        self.weights = np.ones(25)
        self.train = Examples(
            rows=np.arange(25), texts=["-"] * 25, weights=self.weights, answers=[{"spans": []}] * 25
        )

    def states(self) -> Iterator[Any]:
        order = np.argsort([-len(row) for row in self.tags], kind="stable")
        for at in (order[:12], order[12:]):
            padded = np.full((len(at), max(len(self.tags[i]) for i in at), 5), 7.0, dtype=np.float32)
            for row, item in enumerate(at):
                padded[row, : len(self.vectors[item])] = self.vectors[item]
            yield at, padded

    def by_hand(self, item: int) -> float:
        """Cross-entropy of one item under scikit-learn's probe on the items of the other folds."""
        order = np.random.default_rng([0, 14]).permutation(25)
        fold = int(np.flatnonzero(order == item)[0]) % difficulty.FOLDS
        others = [one for place, one in enumerate(order.tolist()) if place % difficulty.FOLDS != fold]
        unit = [row / np.linalg.norm(row, axis=1, keepdims=True) for row in self.vectors]
        x, y = (np.concatenate([part[one][1:] for one in others]) for part in (unit, self.tags))
        probe = LogisticRegression(C=10.0, max_iter=2000, tol=1e-8).fit(x, y)
        logs = np.log(probe.predict_proba(unit[item][1:]))
        return float(-logs[np.arange(len(logs)), self.tags[item][1:]].mean())


def test_spans_are_hard_whose_words_the_others_contradict(tmp_path: Path) -> None:
    given = Tagged()
    path = kit.write_dataset(tmp_path, kit.messages(25)) / "train.parquet"

    def none_needed() -> np.ndarray:
        raise AssertionError("no vectors of texts are needed")

    found, source = difficulty.measured(
        path,
        given.train,
        given.tags,
        [len(row) for row in given.tags],
        given.task,
        none_needed,
        given.states,
        0,
    )
    assert source == "cross-validated loss" and found.argmax() == 3
    # The two other tags of BIO are never seen, and have a small chance all the same.
    assert found == pytest.approx([given.by_hand(item) for item in range(25)], abs=0.05)
    alike = Tagged(is_alike=True)
    found, source = difficulty.measured(
        path,
        alike.train,
        alike.tags,
        [3 + at % 4 for at in range(25)],
        alike.task,
        none_needed,
        alike.states,
        0,
    )
    assert source == "length" and found[:5].tolist() == [3, 4, 5, 6, 3]


def test_probes_of_tokens_learn_from_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Tagged()
    whole = difficulty.of_tokens(given.states, given.train, given.tags, given.task, 0)
    monkeypatch.setattr(difficulty, "MOST_TOKENS", 40)
    seen: list[int] = []
    fit = difficulty.probe_head

    def counting(vectors: Any, *rest: Any) -> Any:
        seen.append(len(vectors))
        return fit(vectors, *rest)

    monkeypatch.setattr(difficulty, "probe_head", counting)
    few = difficulty.of_tokens(given.states, given.train, given.tags, given.task, 0)
    assert whole is not None and few is not None
    assert sum(seen) == 40 * (difficulty.FOLDS - 1) and max(seen) < 40
    assert few.argmax() == whole.argmax() == 3 and np.isfinite(few).all()


def test_an_item_without_words_is_as_easy_as_can_be() -> None:
    given = Tagged()
    given.tags[5][:] = IGNORED
    found = difficulty.of_tokens(given.states, given.train, given.tags, given.task, 0)
    assert found is not None and found[5] == 0 and found.min() == 0


def test_it_takes_the_column_by_row_and_refuses_one_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"row": [7, 8, 9], "difficulty": [0.5, None, 2.0]}), path)
    assert difficulty.from_column(path, np.array([9, 7])).tolist() == [2.0, 0.5]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no number in its column difficulty for 1 of 2 training items"):
        difficulty.from_column(path, np.array([8, 9]))
    pq.write_table(pa.table({"row": [7]}), path)
    assert difficulty.from_column(path, np.array([7])) is None


def test_replies_are_hard_that_the_base_finds_unlikely_and_pairs_of_which_it_prefers_the_worse() -> None:
    def spoken(tokens: int) -> dialogues.Spoken:
        return dialogues.Spoken(ids=[0] * (3 + tokens), prompt=3)

    def examples(*lengths: tuple[int, ...]) -> list[dialogues.Tokenised]:
        return [
            dialogues.Tokenised(row=0, replies=tuple(map(spoken, some)), characters=some) for some in lengths
        ]

    responses, source = difficulty.of_replies(examples((2,), (8,)), np.array([-3.0, -4.0]))
    assert (responses.tolist(), source) == ([1.5, 0.5], "base loss")  # the longer one is easier by the token
    pairs, source = difficulty.of_replies(examples((2, 4), (1, 5)), np.array([-3.0, -4.0, -1.0, -10.0]))
    assert (pairs.tolist(), source) == ([0.5, -1.0], "base preference")


def test_it_finds_items_hard_whose_label_the_others_contradict(tmp_path: Path) -> None:
    rows = [(f"text {at}", kit.TOPICS[at % 2]) for at in range(40)]
    rows[3] = (rows[3][0], kit.TOPICS[0])  # wrong
    folder = kit.write_dataset(tmp_path, rows)
    task = objective("classification").bind(flat_field(list(kit.TOPICS)), Choices())
    train = task.read(folder, "train")
    vectors = np.zeros((40, 4), dtype=np.float32)
    vectors[np.arange(40), np.arange(40) % 2] = 1
    found, source = difficulty.measured(
        folder / "train.parquet", train, train.targets, [5] * 40, task, lambda: vectors, no_states, 0
    )
    assert source == "cross-validated loss"
    assert found.argmax() == 3 and found[3] > 2 * np.delete(found, 3).max()


def test_it_goes_by_length_where_there_are_too_few_items_for_probes(tmp_path: Path) -> None:
    folder = kit.write_dataset(tmp_path, kit.messages(6))
    task = objective("classification").bind(flat_field(list(kit.TOPICS)), Choices())
    train = task.read(folder, "train")

    def none_needed() -> np.ndarray:
        raise AssertionError("no vectors are needed")

    found, source = difficulty.measured(
        folder / "train.parquet", train, train.targets, [3, 9, 4, 5, 6, 7], task, none_needed, no_states, 0
    )
    assert source == "length" and found.tolist() == [3, 9, 4, 5, 6, 7]
