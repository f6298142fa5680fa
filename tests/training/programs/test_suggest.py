"""Real runs of both sources, by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import program
from tests import training_kit as kit
from training.learning import encoder, guesses, language_model
from training.programs import suggest

MODULE = "training.programs.suggest"
WORDS = {
    "AddToPlaylist": ("Add to playlist", "Put a song, an album or an artist into a playlist."),
    "BookRestaurant": ("Book a restaurant", "Reserve a table in a restaurant, bar or cafe."),
    "GetWeather": ("Weather", "Ask for the weather or a forecast at a place or time."),
    "PlayMusic": ("Play music", "Play a song, an album, an artist or a kind of music."),
    "RateBook": ("Rate a book", "Give a book stars or points."),
    "SearchCreativeWork": (
        "Find a creative work",
        "Look for a film, a show, a song, a game or a book by its title.",
    ),
    "SearchScreeningEvent": ("Film times", "Ask when and in which cinema films are shown."),
}
SNIPS: dict[str, Any] = {
    "name": "label",
    "type": "classification",
    "labels": [
        {"id": label.lower(), "name": name, "description": description}
        for label, (name, description) in WORDS.items()
    ],
}


def spec_of(folder: Path, texts: list[str], field: dict[str, Any], **more: Any) -> dict[str, Any]:
    path = kit.write_texts(folder / "texts.parquet", texts, list(range(100, 100 + len(texts))))
    given = {"source": "descriptions", "model": str(encoder.default_encoder_path()), **more}
    return {"result": str(folder / "result"), "texts": str(path), "field": field, **given}


def right(folder: Path, examples: list[kit.Example], temperature: float) -> float:
    """The share of the examples whose label is suggested."""
    probs = guesses.probabilities(SNIPS, np.load(folder / "result" / "scores.npy"), temperature)
    found = [guesses.guess(SNIPS, one).answer for one in probs]
    return float(np.mean([one == label.lower() for one, (_text, label) in zip(found, examples, strict=True)]))


@pytest.mark.slow
def test_descriptions_alone_find_most_intents(tmp_path: Path) -> None:
    examples = kit.real("snips", "test", 100)
    suggest.work(spec_of(tmp_path, [text for text, _label in examples], SNIPS, done=50, total=200))
    assert right(tmp_path, examples, 0.05) >= 0.85  # measured: 0.86; by chance 0.14
    program.verify_manifest(tmp_path / "result")
    assert np.load(tmp_path / "result" / "rows.npy").tolist() == list(range(100, 200))
    told = json.loads((tmp_path / "result" / "result.json").read_text())
    assert told["n"] == 100 and told["columns"] == [label.lower() for label in WORDS]


@pytest.mark.slow
@pytest.mark.xdist_group("smollm2")
def test_a_small_language_model_finds_many_intents(smollm2: Path, tmp_path: Path) -> None:
    examples = kit.real("snips", "test", 36)
    given = {"source": "smollm2", "model": str(language_model.default_path()), "models": str(smollm2.parent)}
    suggest.work(spec_of(tmp_path, [text for text, _label in examples], SNIPS, **given))
    assert right(tmp_path, examples, 0.6) >= 0.7  # measured: 0.78; by chance 0.14


@pytest.mark.slow
@pytest.mark.xdist_group("smollm2")
def test_a_small_language_model_rates_and_drafts(smollm2: Path, tmp_path: Path) -> None:
    given = {"source": "smollm2", "model": str(language_model.default_path()), "models": str(smollm2.parent)}
    tone = {"id": "tone", "name": "Sentiment", "anchors": ["very bad", "so-so", "very good"]}
    field = {"name": "rated", "type": "rating", "points": 3, "dimensions": [tone]}
    suggest.work(spec_of(tmp_path, ["This is awful, I hate it.", "I love it, wonderful!"], field, **given))
    awful, lovely = np.load(tmp_path / "result" / "scores.npy")
    assert awful.shape == (3,) and lovely[2] - lovely[0] > awful[2] - awful[0]
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    reply = {"name": "reply", "type": "response"}
    suggest.work(spec_of(drafts, ["What is the capital of France?"], reply, **given))
    [line] = (drafts / "result" / "drafts.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert told["row"] == 100 and "Paris" in told["text"] and 0 < told["confidence"] <= 1


@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"source": "gpt"}, "found the source 'gpt', expected descriptions or smollm2"),
        ({"source": "smollm2"}, "found no folder for models"),
        (
            {"field": {"name": "r", "type": "response"}},
            "descriptions suggests for classification, multilabel, found",
        ),
        ({"threads": 0.5}, "threads: found 0.5, expected 1 to 1024"),
        ({"model": "/nowhere"}, "/nowhere holds no model.safetensors"),
    ],
)
def test_it_refuses_a_spec_in_one_sentence(tmp_path: Path, more: dict[str, Any], sentence: str) -> None:
    spec = {**spec_of(tmp_path, ["a"], SNIPS), **more}
    with pytest.raises(program.Refused, match=sentence):
        suggest.work(spec)
    assert not (tmp_path / "result").exists()
