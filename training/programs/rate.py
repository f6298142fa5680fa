"""How unsure a tuned language model is of each item, and what it would answer.

Strategies read probabilities; so a model of words tells two for each item, the larger first:

* preference: how likely the best response is better than the second, sigmoid of the difference of their scores
  (Bradley-Terry): a small difference is unsure.
* response: (1 + g) / 2 and (1 - g) / 2, where g is the geometric mean of the draft's token probabilities, that
  is exp of minus its mean negative log likelihood. Their margin is g, so every strategy that ranks by margin,
  entropy or confidence ranks by that likelihood. The draft is the item's own, or what the model would write.

Result folder:
    probs.npy      (n, 2) float32
    answers.jsonl  {"row", "answer", "confidence"} a line: the ranking, or the text that the model would write
    rows.npy       (n,) int64 item rows, as they were given
    result.json    counts, pace
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs import program
from training.learning import precision
from training.learning.precision import Asked
from training.objectives import language
from training.objectives.language import PREFERENCE, Turns
from training.programs import specs
from training.programs.predict import read_rows


@dataclass(frozen=True, kw_only=True)
class RateSpec(specs.Spec):
    """What to rate.

    Attributes:
        result: the folder to make. kind: "response" or "preference".
        model: result folder of a run; base_model: what it was tuned from; models: where a GGUF is unpacked to.
        texts: parquet (row, text, data), data being an item's dialogue, responses and draft as JSON.
        most_new_tokens: of a draft that the model writes.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    kind: str
    model: str
    base_model: str
    models: str = ""
    texts: str
    most_new_tokens: int = 96
    precision: Asked = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in language.TYPES:
            raise ValueError(f"kind: found {self.kind!r}, expected one of {', '.join(language.TYPES)}")
        specs.check_range("most_new_tokens", self.most_new_tokens, 1, 4096)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        precision.check(self.precision)


@dataclass(frozen=True, kw_only=True)
class Item:
    """`at`: its place in the file. `responses`: (id, text)."""

    at: int
    row: int
    prompt: Turns
    responses: tuple[tuple[str, str], ...]
    draft: str


def work(data: dict[str, Any]) -> None:
    """The program. Cost: a forward pass over all replies; writing drafts costs one for each of their tokens."""
    from training.learning import language_base, text_model
    from training.learning.tuned_model import TunedModel

    started = time.monotonic()
    with specs.clear_errors(data):
        spec = RateSpec.from_json(data)
        rows, items = read_rows(Path(spec.texts)), _read(Path(spec.texts))
        text_model.set_threads(spec.threads)
        model = TunedModel(
            Path(spec.model),
            language_base.folder_of(spec.base_model, spec.models),
            precision=spec.precision,
        )
        begun = time.monotonic()
        rate = _rate_responses if spec.kind == PREFERENCE else _rate_drafts
        sure, answers = rate(model, items, spec)
        with program.result_folder(spec.result) as folder:
            np.save(folder / "probs.npy", np.stack([sure, 1 - sure], axis=1).astype(np.float32))
            np.save(folder / "rows.npy", rows)
            with (folder / "answers.jsonl").open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in answers)
            result = {
                "spec_version": specs.SPEC_VERSION,
                "kind": spec.kind,
                "n": len(rows),
                "answers": len(answers),
                "seconds": round(time.monotonic() - started, 3),
                "computed_s": round(time.monotonic() - begun, 3),
            }
            (folder / "result.json").write_text(json.dumps(result, indent=1))


def _rate_responses(model: Any, items: Sequence[Item], spec: RateSpec) -> tuple[Any, list[dict[str, Any]]]:
    """An item with fewer than two responses is sure: there is nothing to ask."""
    known = [item for item in items if len(item.responses) > 1]
    replies = [model.spoken(item.prompt, text) for item in known for _id, text in item.responses]
    scores = model.scores(replies, specs.Progress(0, len(replies), "scoring response"))
    sure, answers, start = np.ones(len(items)), [], 0
    for item in known:
        some = scores[start : start + len(item.responses)]
        start += len(item.responses)
        order = np.argsort(-some, kind="stable")
        best = float(1 / (1 + np.exp(-min(60.0, some[order[0]] - some[order[1]]))))
        sure[item.at] = best
        ranking = [[item.responses[i][0]] for i in order.tolist()]
        answers.append({"row": item.row, "answer": {"ranking": ranking}, "confidence": best})
    return sure, answers


def _rate_drafts(model: Any, items: Sequence[Item], spec: RateSpec) -> tuple[Any, list[dict[str, Any]]]:
    sure, answers = np.ones(len(items)), []
    given = [item for item in items if item.draft.strip()]
    if given:
        replies = [model.spoken(item.prompt, item.draft) for item in given]
        found = model.likelihoods(replies, specs.Progress(0, len(items), "reading draft"))
        mean = found.sums / np.maximum(1, found.tokens)
        for item, each in zip(given, mean.tolist(), strict=True):
            sure[item.at] = (1 + np.exp(each)) / 2
    asked = [item for item in items if not item.draft.strip()]
    tell = specs.Progress(len(given), len(items), "writing draft")
    written = model.drafts([item.prompt for item in asked], spec.most_new_tokens, tell)
    for item, draft in zip(asked, written, strict=True):
        sure[item.at] = (1 + draft.confidence) / 2
        if draft.text.strip():
            answers.append({"row": item.row, "answer": {"text": draft.text}, "confidence": draft.confidence})
    return sure, answers


def _read(path: Path) -> list[Item]:
    table = pq.read_table(path, columns=["row", "text", "data"])
    found = []
    told = zip(table["row"].to_pylist(), table["text"].to_pylist(), table["data"].to_pylist(), strict=True)
    for at, (row, text, data) in enumerate(told):
        held = json.loads(data or "{}")
        found.append(
            Item(
                at=at,
                row=row,
                prompt=language.turns_of(held.get("messages") or text),
                responses=tuple((one["id"], one["text"]) for one in held.get("responses", ())),
                draft=str(held.get("draft") or ""),
            )
        )
    return found


if __name__ == "__main__":
    program.main(work)
