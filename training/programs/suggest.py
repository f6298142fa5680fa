"""Scores and drafts for items by models that have learnt nothing from this project.

Two sources: the descriptions of the labels against the default encoder, and a small language model. A
probability is not made here: who started this knows which temperature fits.

Result folder:
    scores.npy    (n, c) float32, more is likelier; columns as in result.json; of a field that is chosen
    drafts.jsonl  {"row", "text", "confidence"} a line; of a field that is written
    rows.npy      (n,) int64 item rows, as they were given
    result.json   source, columns, counts, pace
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from jobs import program
from training.learning import label_words, prompts
from training.programs import specs
from training.programs.predict import read_rows

DESCRIPTIONS, SMOLLM2 = "descriptions", "smollm2"


@dataclass(frozen=True, kw_only=True)
class SuggestSpec(specs.Spec):
    """What to suggest.

    Attributes:
        result: the folder to make. source: "descriptions" or "smollm2".
        field: the schema's field. texts: parquet (row, text), and for a field that is written messages (JSON).
        model: folder of the encoder, or the GGUF file of the language model.
        models: where the language model is unpacked to, once.
        done, total: items of earlier and of all calls, for the progress; 0: this call is all there is.
        threads: torch threads; None leaves them.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    source: str
    field: dict[str, Any]
    texts: str
    model: str
    models: str = ""
    done: int = 0
    total: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        specs.check_range("threads", self.threads or 1, 1, 1024)
        if self.source not in (DESCRIPTIONS, SMOLLM2):
            raise ValueError(f"found the source {self.source!r}, expected {DESCRIPTIONS} or {SMOLLM2}")
        known: tuple[str, ...] = label_words.LABEL_TYPES
        if self.source == SMOLLM2:
            known = (*known, "rating", "response")
            if not self.models:
                raise ValueError("found no folder for models, expected one to unpack the language model to")
        if self.field.get("type") not in known:
            raise ValueError(
                f"{self.source} suggests for {', '.join(known)}, found a field of type {self.field.get('type')}"
            )


def work(data: dict[str, Any]) -> None:
    """The program."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = SuggestSpec.from_json(data)
        rows = read_rows(Path(spec.texts))
        tell = specs.Progress(spec.done, spec.total or len(rows), "looked at")
        with program.result_folder(spec.result) as folder:
            if spec.source == DESCRIPTIONS:
                _by_descriptions(spec, folder, tell)
            elif spec.field["type"] == "response":
                _drafts(spec, folder, tell)
            else:
                _by_likelihood(spec, folder, tell)
            np.save(folder / "rows.npy", rows)
            seconds = time.monotonic() - started
            result = {
                "spec_version": specs.SPEC_VERSION,
                "source": spec.source,
                "columns": label_words.columns(spec.field),
                "n": len(rows),
                "seconds": round(seconds, 3),
                "items_per_s": round(len(rows) / seconds, 1),
            }
            (folder / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))


def _by_descriptions(spec: SuggestSpec, folder: Path, tell: specs.Progress) -> None:
    """Cosines between each text and the words of each label, both embedded by the same encoder."""
    from training.learning.encoder import Encoder

    encoder = Encoder.load(spec.model, spec.threads)
    labels = encoder.encode([one.text for one in label_words.label_words(spec.field)])  # (k, d)
    texts = [text for text, _messages in _read(spec)]
    _save(folder, encoder.encode(texts, on_progress=tell) @ labels.T)


def _by_likelihood(spec: SuggestSpec, folder: Path, tell: specs.Progress) -> None:
    """Mean log likelihoods of the words of each label, or of each point of a scale."""
    from training.learning.likelihood import mean_log_likelihoods

    model, tokenizer = _language_model(spec)
    texts = [text for text, _messages in _read(spec)]
    asked = prompts.questions(spec.field, tokenizer)
    parts = []
    for number, question in enumerate(asked):

        def report(done: int, total: int, before: int = number) -> None:
            tell((before * total + done) // len(asked), total)

        # What the question makes likely by itself, without any text, says nothing of the text.
        found = mean_log_likelihoods(
            model,
            tokenizer,
            beginning=question.beginning,
            prompts=[question.prompt(text) for text in [prompts.NO_TEXT, *texts]],
            continuations=question.continuations,
            on_progress=report,
        )
        parts.append(found[1:] - found[0])
    _save(folder, np.concatenate(parts, axis=1))


def _drafts(spec: SuggestSpec, folder: Path, tell: specs.Progress) -> None:
    from training.learning import drafting

    model, tokenizer = _language_model(spec)
    rows = read_rows(Path(spec.texts))
    asked = [messages or [{"role": "user", "content": text}] for text, messages in _read(spec)]
    with (folder / "drafts.jsonl").open("w", encoding="utf-8") as out:
        found = drafting.drafts(model, tokenizer, asked, on_progress=tell)
        for row, draft in zip(rows.tolist(), found, strict=True):
            line = {"row": row, "text": draft.text, "confidence": draft.confidence}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _language_model(spec: SuggestSpec) -> tuple[Any, Any]:
    from training.learning import language_model, text_model

    text_model.set_threads(spec.threads)
    gguf, models = Path(spec.model), Path(spec.models)
    if not language_model.converted_path(gguf, models).is_dir():
        program.progress(spec.done, spec.total or 1, "unpacking the language model, once")
    return language_model.load(language_model.convert(gguf, models))


def _read(spec: SuggestSpec) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Text and dialogue of each item."""
    held = pq.read_table(spec.texts)
    dialogues = held["messages"].to_pylist() if "messages" in held.schema.names else [None] * len(held)
    for text, messages in zip(held["text"].to_pylist(), dialogues, strict=True):
        yield text, json.loads(messages) if messages else []


def _save(folder: Path, scores: npt.NDArray[np.floating]) -> None:
    np.save(folder / "scores.npy", scores.astype(np.float32))


if __name__ == "__main__":
    program.main(work)
