from __future__ import annotations

from pathlib import Path

import pytest

from tests import language_kit
from training.objectives import language


def test_it_reads_responses_as_dialogues_with_one_reply(tmp_path: Path) -> None:
    data = language_kit.write_dataset(tmp_path, train=language_kit.responses(2))
    first, second = language.read(data, "train", "sft")
    assert first.prompt == [{"role": "user", "content": "where is my the 0"}]
    assert (first.row, second.row) == (0, 1)
    assert second.replies == ("your a was sent back soon",)


def test_it_reads_pairs_of_texts_and_of_dialogues_alike(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    dialogue = {
        "prompt": turns,
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    }
    text = {"prompt": "hi", "chosen": "good", "rejected": "bad"}
    data = language_kit.write_dataset(tmp_path, test=[[dialogue, text], []])
    one, other = language.read(data, "test", "dpo")
    assert (one.prompt, one.replies) == (turns, ("good", "bad"))
    assert (other.prompt, other.replies) == ([{"role": "user", "content": "hi"}], ("good", "bad"))
    assert one.row == other.row == 0  # two pairs of one item; the item with a tie gives none


def test_it_reads_weights_and_leaves_out_what_weighs_nothing(tmp_path: Path) -> None:
    two = [*language_kit.pairs(1), *language_kit.pairs(1, 9)]
    rows = [*language_kit.pairs(3), [two[0][0], two[1][0]]]
    data = language_kit.write_dataset(tmp_path, [0.5, 0.0, None, 2.0], train=rows)
    found = language.read(data, "train", "dpo")
    assert [(one.row, one.weight) for one in found] == [(0, 0.5), (2, 1.0), (3, 2.0), (3, 2.0)]


def test_it_refuses_examples_of_another_kind_and_unknown_objectives(tmp_path: Path) -> None:
    data = language_kit.write_dataset(tmp_path, train=language_kit.pairs(1))
    with pytest.raises(
        ValueError, match="found an example with prompt, chosen, rejected, expected one of a response"
    ):
        language.read(data, "train", "sft")
    with pytest.raises(ValueError, match="there is no objective 'ppo': use one of sft, dpo, reward"):
        language.kind_of("ppo")
