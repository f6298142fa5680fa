from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.training_kit import write_answers
from training.learning.encoder import default_encoder_path
from training.objectives import spans
from training.objectives.spans import IGNORED, Spans
from training.objectives.task import Choices, Encoded

LABELS = [{"id": "person", "name": "Person"}, {"id": "place", "name": "Place"}]
FIELD = {"name": "entities", "type": "spans", "labels": LABELS}
TEXTS = [
    "Ana Müller-Íñiguez waits in 北京市 with Bob 😀, twice.",
    "  电话：王小明住在上海。iPhone15 unbelievableness",
    "",
]


@pytest.fixture(scope="module")
def tokeniser():  # type: ignore[no-untyped-def]
    from training.learning.text_model import Tokeniser

    return Tokeniser.load(default_encoder_path(), 64)


def marked(text: str, *words: tuple[str, str]) -> dict[str, object]:
    found = [(text.index(word), text.index(word) + len(word), label) for word, label in words]
    return spans.as_answer(found)


ANSWERS = [
    marked(TEXTS[0], ("Ana Müller-Íñiguez", "person"), ("北京市", "place"), ("Bob", "person")),
    marked(TEXTS[1], ("王小明", "person"), ("上海", "place")),
    spans.as_answer([]),
]


@pytest.mark.parametrize("tagging", ["bio", "bilou"])
def test_spans_come_back_from_their_tags_in_code_points(tokeniser, tmp_path: Path, tagging: str) -> None:  # type: ignore[no-untyped-def]
    task = Spans(FIELD, Choices(tagging=tagging))  # type: ignore[arg-type]
    write_answers(tmp_path, FIELD, list(zip(TEXTS, ANSWERS, strict=True)))
    examples = task.read(tmp_path, "train")
    encoded = task.encode(tokeniser, examples.texts)
    targets = task.targets(examples, encoded)
    outputs = []
    for row in targets:
        sure = np.zeros((len(row), task.outputs), dtype=np.float32)
        sure[np.arange(len(row)), np.where(row == IGNORED, 0, row)] = 20.0
        outputs.append(sure)
    probs = task.probabilities(outputs, encoded, {"temperature": 1.0})
    assert [one.value for one in task.answers(probs, encoded, {})] == ANSWERS
    figures = task.figures(examples, encoded, outputs, targets, {"temperature": 1.0})
    assert (figures["f1"], figures["accuracy"], figures["word_accuracy"], figures["beyond"]) == (1, 1, 1, 0)


def test_a_word_is_one_unit_and_a_chinese_character_another(tokeniser) -> None:  # type: ignore[no-untyped-def]
    encoded = Spans(FIELD, Choices()).encode(tokeniser, TEXTS[1:2])
    text, own = encoded.units[0]
    words = [text[unit.start : unit.end] for unit in own]
    assert words[:4] == ["电", "话", "：", "王"] and words[-2:] == ["iPhone15", "unbelievableness"]


@pytest.mark.parametrize("tagging", ["bio", "bilou"])
def test_the_decoded_tags_are_the_likeliest_allowed_ones(tagging: str) -> None:
    task = Spans(FIELD, Choices(tagging=tagging))  # type: ignore[arg-type]
    columns = task.columns
    rng = np.random.default_rng(3)

    def is_allowed(path: tuple[int, ...]) -> bool:
        tags = [columns[at] for at in path]
        open_label = ""
        for tag in tags:
            part, label = tag[:1], tag[2:]
            if part in "IL" and label != open_label:
                return False
            if tagging == "bilou":
                if open_label and part not in "IL":
                    return False
                open_label = label if part in "BI" else ""
            else:
                open_label = label
        return not (tagging == "bilou" and open_label)

    for _ in range(5):
        logs = np.log(rng.dirichlet(np.ones(len(columns)), size=4))
        best = max(
            (path for path in itertools.product(range(len(columns)), repeat=4) if is_allowed(path)),
            key=lambda path: sum(logs[at, tag] for at, tag in enumerate(path)),
        )
        assert spans.viterbi(logs, task.allowed, task.first, task.last).tolist() == list(best)
    assert spans.viterbi(np.empty((0, len(columns))), task.allowed, task.first, task.last).tolist() == []


def test_the_loss_of_an_item_is_the_mean_over_its_words() -> None:
    import torch

    task = Spans(FIELD, Choices())
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, task.outputs))
    targets = np.array([[IGNORED, 1, 2], [0, IGNORED, IGNORED]])
    logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    wanted = [-(logs[0, 1, 1] + logs[0, 2, 2]) / 2, -logs[1, 0, 0]]
    found = task.losses(torch.from_numpy(logits), torch.from_numpy(targets)).numpy()
    assert found == pytest.approx(wanted, rel=1e-5)


def test_spans_within_others_are_left_out_or_refused(tmp_path: Path) -> None:
    field = {**FIELD, "nested": True}
    inner = spans.as_answer([(0, 10, "place"), (0, 3, "person")])
    rows = [("Ana Street is here", inner), *[("Ana waits", spans.as_answer([(0, 3, "person")]))] * 30]
    write_answers(tmp_path, field, rows)
    found = Spans(field, Choices()).read(tmp_path, "train")
    assert found.answers[0] == spans.as_answer([(0, 10, "place")])
    write_answers(tmp_path, field, rows[:4])
    with pytest.raises(ValueError, match="1 of 5 spans lie inside or across another"):
        Spans(field, Choices()).read(tmp_path, "train")


def test_it_refuses_soft_labels_and_data_without_spans(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave soft_labels off"):
        Spans(FIELD, Choices(soft_labels=True))
    write_answers(tmp_path, FIELD, [("nothing", spans.as_answer([]))])
    task = Spans(FIELD, Choices())
    with pytest.raises(ValueError, match="found no span in the 1 items"):
        task.check(task.read(tmp_path, "train"))


def test_an_answer_ends_where_its_words_do() -> None:
    task = Spans(FIELD, Choices())
    text = "a  b"
    encoded = Encoded(tokens=[[1]], units=[(text, [spans.Unit(0, 0, 2), spans.Unit(1, 2, 4)])])
    probs = [np.array([[0.1, 0.8, 0.1, 0, 0], [0.2, 0.1, 0.7, 0, 0]], dtype=np.float32)]
    found = task.answers(probs, encoded, {})[0]
    assert found.value == spans.as_answer([(0, 4, "person")])
    assert found.confidence == pytest.approx(0.56) and found.scores == {"person": 0.56}
