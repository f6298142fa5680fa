"""In which order a tune meets its examples; what comes of it when it trains: test_tune, test_tune_survival."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests import language_kit
from training.learning import dialogues, language_base
from training.objectives import language
from training.programs.tune_order import Reference, order_of
from training.programs.tune_spec import TuneSpec

pytestmark = pytest.mark.slow  # torch
CPU = torch.device("cpu")
WEIGHTS = [1.0] * 11 + [2.0]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_kit.tiny_llama(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    return {
        "response": language_kit.write_dataset(
            folder / "r", WEIGHTS, train=language_kit.responses(12), validation=language_kit.responses(2, 40)
        ),
        "preference": language_kit.write_dataset(folder / "p", train=language_kit.pairs(12)),
    }


def spec_of(folder: Path, data: Path, base: Path, objective: str, **changes: Any) -> TuneSpec:
    given = {"objective": objective, "base_model": str(base), "data": str(data), "batch_size": 3}
    paths = {"result": str(folder / "result"), "work": str(folder / "work")}
    return TuneSpec.from_json({**given, **paths, "curriculum": "competence", **changes})


class Base:
    """The base of a spec, its examples as token ids, and how often it was asked for its model."""

    def __init__(self, spec: TuneSpec) -> None:
        self.spec, self.asked = spec, 0
        self.tokenizer = language_base.load_tokenizer(Path(spec.base_model))
        self.pad = int(self.tokenizer.pad_token_id)
        found = language.read(Path(spec.data), "train", spec.objective)
        self.examples = dialogues.tokenised(self.tokenizer, found, 96).examples
        self.reference = self.anew()

    def anew(self) -> Reference:
        return Reference(self.spec, self.examples, self.pad, CPU)

    def model(self) -> Any:
        self.asked += 1
        return language_base.load_base(
            Path(self.spec.base_model), "sft", torch.float32, self.tokenizer
        ).eval()

    def by_hand(self, reply: dialogues.Spoken) -> float:
        """Mean log probability of the reply's tokens, by a plain pass over it alone."""
        ids = torch.tensor([reply.ids])
        with torch.no_grad():
            each = self.model()(input_ids=ids).logits.log_softmax(dim=-1)[0, :-1]
        return float(each.gather(1, ids[0, 1:, None])[reply.prompt - 1 :, 0].mean())


def test_it_meets_the_responses_first_that_the_base_finds_likely(
    tmp_path: Path, data: dict[str, Path], base: Path
) -> None:
    asked = Base(spec_of(tmp_path, data["response"], base, "sft"))
    order = order_of(asked.spec, asked.examples, asked.reference, asked.model)
    wanted = np.array([-asked.by_hand(example.replies[0]) for example in asked.examples])
    np.testing.assert_allclose(order.difficulty, wanted, rtol=1e-4)
    assert (order.source, order.weights) == ("base loss", WEIGHTS)
    batches = order.batches(np.arange(80), list)
    told = order.figures(batches, None)["curriculum"]  # of a run that was taken up after its last step
    assert len(told["competences"]) == 80 // told["block"]
    batches = order.batches(np.arange(80), list)
    easy = set(np.argsort(wanted)[:4].tolist())  # three in ten of them, and a batch's worth
    assert set(np.concatenate([batches[0], batches[1]]).tolist()) <= easy
    assert set(np.concatenate([batches[at] for at in range(80)]).tolist()) == set(range(12))


@pytest.mark.parametrize("objective", ["dpo", "reward"])
def test_pairs_come_last_of_which_the_base_prefers_the_worse_and_it_is_asked_once(
    tmp_path: Path, data: dict[str, Path], base: Path, objective: str
) -> None:
    asked = Base(spec_of(tmp_path, data["preference"], base, objective))
    order = order_of(asked.spec, asked.examples, asked.reference, asked.model)
    assert asked.asked == 1
    wanted = [asked.by_hand(rejected) - asked.by_hand(chosen) for chosen, rejected in pairs(asked)]
    np.testing.assert_allclose(order.difficulty, wanted, rtol=1e-3, atol=1e-5)
    asked.asked = 0
    again = order_of(asked.spec, asked.examples, asked.anew(), asked.model)  # a later attempt
    np.testing.assert_array_equal(again.difficulty, order.difficulty)
    assert (again.source, asked.asked) == ("base preference", 0)
    asked.reference.clear()
    assert not list(Path(asked.spec.work).iterdir())


def pairs(asked: Base) -> list[tuple[dialogues.Spoken, ...]]:
    return [example.replies for example in asked.examples]


def test_the_column_of_the_dataset_comes_before_the_base_and_must_be_whole(
    tmp_path: Path, data: dict[str, Path], base: Path
) -> None:
    table = pq.read_table(data["preference"] / "train.parquet")
    path = tmp_path / "train.parquet"
    pq.write_table(table.append_column("difficulty", [[float(12 - row) for row in range(12)]]), path)
    asked = Base(spec_of(tmp_path, tmp_path, base, "reward"))
    order = order_of(asked.spec, asked.examples, asked.reference, asked.model)
    assert order.difficulty is not None and order.difficulty.tolist() == list(range(12, 0, -1))
    assert (order.source, asked.asked) == ("column", 0)
    pq.write_table(table.append_column("difficulty", [[None, *range(11)]]), path)
    with pytest.raises(ValueError, match="no number in its column difficulty for 1 of 12 training items"):
        order_of(asked.spec, asked.examples, asked.reference, asked.model)


def test_it_takes_no_curriculum_of_another_name(tmp_path: Path, base: Path) -> None:
    with pytest.raises(ValueError, match="curriculum: found 'hard', expected one of none, difficulty"):
        spec_of(tmp_path, tmp_path, base, "sft", curriculum="hard")
