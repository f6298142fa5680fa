from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from training import learners
from training.learners import FinetuneSettings, TuneSettings
from training.learning.encoder import default_encoder_path


@pytest.mark.parametrize(
    ("rows", "steps"),
    [(1, 100), (16, 100), (100, 100), (480, 150), (1600, 400), (3200, 400), (16000, 1000)],
)
def test_it_chooses_epochs_so_that_steps_lie_between_100_and_400_but_a_pass_is_whole(
    rows: int, steps: int
) -> None:
    settings = FinetuneSettings(batch_size=16)
    assert learners.epochs_for(settings, rows) * -(-rows // 16) == pytest.approx(steps)


def test_it_keeps_the_epochs_that_a_person_asked_for() -> None:
    assert learners.epochs_for(FinetuneSettings(epochs=2.5), 10) == 2.5


@pytest.mark.parametrize(
    ("steps", "between"), [(1, 1), (3, 1), (100, 25), (150, 38), (400, 100), (9000, 100)]
)
def test_it_loses_a_quarter_of_a_run_or_100_steps_to_a_kill(steps: int, between: int) -> None:
    assert learners.save_every(steps) == between


def test_it_plans_checkpoints_by_the_steps_of_the_run() -> None:
    plan = learners.LEARNERS["finetune"].plan(FinetuneSettings(batch_size=16), 16)
    assert (plan["epochs"], plan["save_every"]) == (100.0, 25)


def test_it_reads_the_settings_of_both_learners() -> None:
    assert learners.settings_of("finetune", {"epochs": "3"}).epochs == 3.0
    assert learners.settings_of("probe", {"c": 1}).c == 1.0
    assert learners.settings_of("finetune", {"layout": "tp", "processes": 2}).layout == "tp"
    plan = learners.LEARNERS["finetune"].plan
    patient = [plan(FinetuneSettings(patience=patience), 16) for patience in (0, 3)]
    assert [(told["patience"], told["save_every"]) for told in patient] == [(None, 25), (3, 10)]


@pytest.mark.parametrize(
    ("learner", "given", "words"),
    [
        ("forest", {}, "no learner 'forest': use one of finetune, probe"),
        ("finetune", {"epochs": -1}, "epochs: found -1"),
        ("finetune", {"batch_size": 0}, "batch_size: found 0"),
        ("finetune", {"learning_rate": 0}, "learning_rate: found 0"),
        ("finetune", {"max_length": 4}, "max_length: found 4"),
        ("finetune", {"processes": 0}, "processes: found 0"),
        ("finetune", {"processes": 3, "batch_size": 16}, "use a multiple of 3"),
        ("finetune", {"autotune_s": 4000}, "autotune_s: found 4000"),
        ("finetune", {"layout": "pipeline"}, "layout: found 'pipeline', expected one of auto, ddp, zero1"),
        ("finetune", {"patience": -1}, "patience: found -1"),
        ("finetune", {"compression_share": 1.5}, "compression_share: found 1.5, expected a number above 0"),
        ("finetune", {"layout": "zero3", "compression": "topk"}, "found topk with the layout zero3"),
        ("finetune", {"gradient_surgery": True}, "found a run that learns nothing again"),
        ("finetune", {"surgery_tasks": "moods"}, "surgery_tasks: found 'moods', expected one of increment"),
        (
            "finetune",
            {"gradient_surgery": True, "start_from": "deployed", "layout": "zero3"},
            "found it with the layout zero3, expected auto, ddp or zero1",
        ),
        (
            "finetune",
            {"gradient_surgery": True, "start_from": "deployed", "compression": "topk"},
            "gradient_surgery: found it with the compression topk, expected none",
        ),
        ("probe", {"c": 0}, "c: found 0"),
        ("tune", {"curriculum": "hard"}, "curriculum: found 'hard', expected one of none, difficulty"),
        ("tune", {"layout": "pp"}, "layout: found 'pp', expected one of auto, ddp"),
    ],
)
def test_it_refuses_settings_that_cannot_work(learner: str, given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        learners.settings_of(learner, given)


def test_it_refuses_what_an_encoder_cannot(tmp_path: Path) -> None:
    path = default_encoder_path()
    learners.check_encoder(FinetuneSettings(layout="tp", processes=2), path)
    with pytest.raises(ValueError, match="tp for 8 processes and a model with 12 attention"):
        learners.check_encoder(FinetuneSettings(layout="tp", processes=8), path)
    for settings in (
        FinetuneSettings(layout="hsdp", processes=2),
        FinetuneSettings(layout="tp", processes=4),
    ):
        learners.check_encoder(settings, path, machines=3)
    with pytest.raises(ValueError, match="found hsdp for 2 processes, expected an even number of 4"):
        learners.check_encoder(FinetuneSettings(layout="hsdp", processes=2), path)
    with pytest.raises(ValueError, match="tp for 8 processes"):
        learners.check_encoder(FinetuneSettings(layout="tp", processes=4), path, machines=2)
    config = {"num_attention_heads": 2, "max_position_embeddings": 66, "model_type": "roberta"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    learners.check_encoder(FinetuneSettings(max_length=64), tmp_path)
    with pytest.raises(ValueError, match="max_length: found 65, and the base model reads 64 tokens"):
        learners.check_encoder(FinetuneSettings(max_length=65), tmp_path)
    with pytest.raises(ValueError, match="holds no configuration of an encoder"):
        learners.check_encoder(FinetuneSettings(), tmp_path / "none")


def test_it_refuses_a_language_model_whose_heads_processes_cannot_share(tmp_path: Path) -> None:
    """The packaged one is a file, whose heads are known; a folder says them."""
    cut = TuneSettings(layout="tp", processes=2)
    with pytest.raises(ValueError, match=r"found tp for 2 processes .* 9 attention heads \(3 of keys"):
        learners.check_language_base(cut, tmp_path / "smollm2.gguf")
    learners.check_language_base(TuneSettings(layout="tp", processes=3), tmp_path / "smollm2.gguf")
    with pytest.raises(ValueError, match="found tp_zero3 for 2 processes, expected an even number"):
        learners.check_language_base(TuneSettings(layout="tp_zero3", processes=2), tmp_path / "s.gguf")
    for config, refused in (
        ({"num_attention_heads": 8, "num_key_value_heads": 2}, False),
        ({"num_attention_heads": 8, "num_key_value_heads": 1}, True),
        ({"n_head": 3}, True),
        ({"num_attention_heads": 8, "model_type": "phi3"}, True),
        ({"num_attention_heads": 8, "intermediate_size": 65, "model_type": "llama"}, True),
        ({}, False),  # the program looks again, at the model itself
    ):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match="use zero3") if refused else nullcontext():
            learners.check_language_base(cut, tmp_path)
        learners.check_language_base(TuneSettings(layout="zero3", processes=2), tmp_path)
    with pytest.raises(ValueError, match="expected a model as transformers saves it"):
        learners.check_language_base(cut, tmp_path / "gone")
    (tmp_path / "config.json").write_text('{"num_attention_heads": [8]}')
    with pytest.raises(ValueError, match=r"its config.json says \[8\] where a number is expected"):
        learners.check_language_base(cut, tmp_path)
    learners.check_language_base(TuneSettings(layout="zero3", processes=2), tmp_path)
