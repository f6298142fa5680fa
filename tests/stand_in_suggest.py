"""Quick scores for tests around suggestions: shared words, with the face of the suggest program."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs import program
from training.learning import label_words


def work(spec: dict[str, Any]) -> None:
    table = pq.read_table(spec["texts"])
    field, texts = spec["field"], table["text"].to_pylist()
    program.progress(spec["done"] + len(texts), spec["total"], f"looked at {spec['done'] + len(texts)}")
    with program.result_folder(spec["result"]) as folder:
        np.save(folder / "rows.npy", table["row"].to_numpy().astype(np.int64))
        if field["type"] == "response":
            told = [
                {"row": row, "text": f"About {text}." if text != "mute" else " ", "confidence": 0.5}
                for row, text in zip(table["row"].to_pylist(), texts, strict=True)
            ]
            (folder / "drafts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
            return
        names = label_words.columns(field)
        labels = [one.text for one in label_words.label_words(field)] if field["type"] != "rating" else names
        scores = [[float(len(_words(text) & _words(label))) for label in labels] for text in texts]
        np.save(folder / "scores.npy", np.array(scores, dtype=np.float32) / 10)


def _words(text: str) -> set[str]:
    return set(text.lower().replace(".", " ").replace(",", " ").split())


if __name__ == "__main__":
    program.main(work)
