"""Judge a tuned language model on frozen test items, beside the deployed model and the base it came from.

Result folder:
    result.json  n, kind, measure, model, baseline (the deployed one's, or null), base (the untouched one's),
                 against ("deployed" or "base"), difference (of accuracy), likelihood_difference (responses:
                 nats a character)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs import program
from training.evaluation import language as figures
from training.evaluation.language import Floats
from training.learning import precision
from training.learning.precision import Asked
from training.objectives import language
from training.objectives.language import RESPONSE, Example
from training.programs import specs


@dataclass(frozen=True, kw_only=True)
class JudgeSpec(specs.Spec):
    """What to judge.

    Attributes:
        result: the folder to make. data: folder of the frozen dataset. kind: "response" or "preference".
        model: result folder of a run, and base_model: what that was tuned from (a folder or a GGUF file).
        baseline, baseline_base: the same of the deployed model; empty: there is none.
        models: where a GGUF file is unpacked to.
        seed: of the bootstraps.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    data: str
    kind: str
    model: str
    base_model: str
    models: str = ""
    baseline: str = ""
    baseline_base: str = ""
    precision: Asked = "auto"
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in language.TYPES:
            raise ValueError(f"kind: found {self.kind!r}, expected one of {', '.join(language.TYPES)}")
        specs.check_range("seed", self.seed, 0, 2**63 - 1)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        precision.check(self.precision)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One model's figures, and what it is compared by: (n,) an item, rows ascending."""

    figures: dict[str, Any]
    right: Floats
    likelihood: Floats | None  # log likelihood of a character; of responses


def work(data: dict[str, Any]) -> None:
    """The program. Cost: a forward pass of each model over all test replies."""
    with specs.clear_errors(data):
        spec = JudgeSpec.from_json(data)
        objective = language.SFT if spec.kind == RESPONSE else language.DPO
        examples = [
            one
            for one in language.read(Path(spec.data), "test", objective)
            if all(reply.strip() for reply in one.replies)
        ]
        if not examples:
            raise ValueError("found no test item to judge on (ties teach nothing): label evaluation items")
        found = judge(spec, examples)
        with program.result_folder(spec.result) as folder:
            (folder / "result.json").write_text(
                json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
            )
        program.progress(1, 1, "done")


def judge(spec: JudgeSpec, examples: Sequence[Example]) -> dict[str, Any]:
    """The figures. One model is in memory at a time. All are asked the same tokens: what is longer than one of
    them was trained to read is cut for all, or the one that reads least would have least to guess.
    """
    from training.learning.tuned_model import longest_text

    longest = min(longest_text(Path(one)) for one in (spec.model, spec.baseline) if one)
    new = _told(spec, examples, spec.model, spec.base_model, "the new model", longest)
    deployed = (
        _told(spec, examples, spec.baseline, spec.baseline_base, "the deployed model", longest)
        if spec.baseline
        else None
    )
    base = _told(spec, examples, "", spec.base_model, "the base model", longest)
    other = deployed or base
    rng = np.random.default_rng([spec.seed, 2])
    found: dict[str, Any] = {
        "spec_version": specs.SPEC_VERSION,
        "n": new.figures["n"],
        "kind": spec.kind,
        "labels": [],
        "measure": "log likelihood" if spec.kind == RESPONSE else "accuracy",
        "against": "deployed" if deployed else "base",
        "model": new.figures,
        "baseline": deployed.figures if deployed else None,
        "base": base.figures,
        "difference": asdict(figures.paired(new.right, other.right, rng)),
        "likelihood_difference": None,
    }
    if new.likelihood is not None and other.likelihood is not None:
        found["likelihood_difference"] = asdict(figures.paired(new.likelihood, other.likelihood, rng))
    return found


def _told(
    spec: JudgeSpec, examples: Sequence[Example], model: str, base: str, what: str, longest: int
) -> Told:
    from training.learning import language_base, text_model
    from training.learning.tuned_model import TunedModel

    text_model.set_threads(spec.threads)
    program.progress(0, 1, f"opening {what}")
    opened = TunedModel(
        Path(model) if model else None,
        language_base.folder_of(base, spec.models),
        precision=spec.precision,
        max_length=longest,
    )
    replies = [opened.spoken(one.prompt, reply) for one in examples for reply in one.replies]
    rows = np.array([one.row for one in examples], dtype=np.int64)
    rng = np.random.default_rng([spec.seed, 1])
    tell = specs.Progress(0, len(replies), f"asking {what}: reply")
    if spec.kind != RESPONSE:
        scores = opened.scores(replies, tell).reshape(-1, 2)
        margins = scores[:, 0] - scores[:, 1]
        right = figures.by_item(rows, (margins > 0) + 0.5 * (margins == 0))
        return Told(figures=figures.of_pairs(rows, margins, rng), right=right, likelihood=None)
    found = opened.likelihoods(replies, tell)
    characters = np.array([max(1, len(one.replies[0])) for one in examples], dtype=np.float64)
    return Told(
        figures=figures.of_responses(rows, found.sums, found.tokens, found.right, rng),
        right=figures.by_item(rows, found.right / np.maximum(1, found.tokens)),
        likelihood=figures.by_item(rows, found.sums / characters),
    )


if __name__ == "__main__":
    program.main(work)
