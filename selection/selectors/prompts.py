"""How unsure a language model is about the prompts of a project, as it was last measured."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from annotation.models import Item, Project
from annotation.selectors import schemas
from jobs.models import Artifact, Job
from jobs.services import artifacts

KIND = "selection.ask_prompts"
SHOWN = 100  # prompts
# A signal and the sign by which more of it is less sure.
SIGNALS = {
    "semantic_entropy": 1,
    "unique_share": 1,
    "consistency": -1,
    "log_prob": -1,
    "log_prob_variance": 1,
    "dispersion": 1,
    "depth": 1,
}
_COLUMNS = {"log_prob": "mean_log_prob", "log_prob_variance": "var_log_prob"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One meaning among the answers to a prompt: its first wording, and how many answers have it."""

    text: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt at one temperature. `unique_share` and `consistency` in (0, 1], `semantic_entropy` in nats,
    `log_prob` the mean a token and `log_prob_variance` over answers (see selection.strategies.sampling.answers).

    Of the prompt itself, None where it was not looked at: `dispersion`, the entropy of attention over its log in
    [0, 1], mean over layers; `by_layer`, that of each layer, the first one first, empty where it was not looked
    at; `depth`, the share of layers after which the next token stands.
    """

    row: int
    text: str
    unique_share: float
    semantic_entropy: float
    consistency: float
    log_prob: float
    log_prob_variance: float
    dispersion: float | None
    depth: float | None
    answers: list[Said]
    by_layer: list[float]

    def signal(self, name: str) -> float | None:
        return getattr(self, name)  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The newest measurement: its prompts at one temperature, the least sure first by `by`, and semantic
    entropies at each one. `by_layer`: dispersion of attention in each layer, a figure a prompt. `model`: name of
    the language model that was asked.
    """

    prompts: list[Prompt]
    temperature: float
    temperatures: list[float]
    by_temperature: list[tuple[float, list[float]]]
    by_layer: list[list[float]]
    count: int
    samples: int
    by: str
    model: str
    job: Job


def asks_for_responses(project: Project) -> bool:
    schema = schemas.current(project)
    return schema is not None and any(one["type"] == "response" for one in schema.definition["fields"])


def running(project: Project) -> Job | None:
    return Job.objects.filter(scope=project.uuid, kind=KIND, state__in=["queued", "running"]).first()


def newest(project: Project) -> Job | None:
    """The newest job that is done."""
    return Job.objects.filter(scope=project.uuid, kind=KIND, state="done").order_by("-pk").first()


def failed(project: Project) -> Job | None:
    """The newest job, where it failed: its sentence is worth showing."""
    job = Job.objects.filter(scope=project.uuid, kind=KIND).order_by("-pk").first()
    return job if job is not None and job.state == "failed" else None


def read_summary(result: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((result / "result.json").read_text())
    return summary


def asked(
    project: Project, job: Job, temperature: float | None = None, by: str = "semantic_entropy"
) -> Asked:
    """What a job has measured, at the temperature nearest to the one asked for (else the middle one), in the
    order of one of SIGNALS.

    Raises:
        BrokenArtifact: its files are gone.
    """
    folder = artifacts.path(Artifact(kind="answers", sha256=job.result["artifact"]))
    measures = pq.read_table(folder / "measures.parquet").to_pylist()
    by_temperature: dict[float, list[float]] = defaultdict(list)
    for one in measures:
        by_temperature[one["temperature"]].append(one["semantic_entropy"])
    known = sorted(by_temperature)
    wanted = known[len(known) // 2] if temperature is None else temperature
    chosen = min(known, key=lambda one: abs(one - wanted))
    by = by if by in SIGNALS else "semantic_entropy"
    inside = _inside(folder)
    measured = [
        {**one, **inside.get(one["row"], {"dispersion": None, "depth": None, "by_layer": []})}
        for one in measures
        if one["temperature"] == chosen
    ]
    sign = SIGNALS[by]

    def place(one: dict[str, Any]) -> tuple[float, float, int]:
        value = one[_COLUMNS.get(by, by)]
        return (math.inf if value is None else -sign * value, -one["unique_share"], one["row"])

    shown = sorted(measured, key=place)
    rows = [one["row"] for one in shown[:SHOWN]]
    texts = dict(Item.objects.filter(project=project, row__in=rows).values_list("row", "text"))
    said = _said(folder, chosen, set(rows))
    return Asked(
        prompts=[
            Prompt(
                row=one["row"],
                text=texts.get(one["row"], ""),
                unique_share=one["unique_share"],
                semantic_entropy=one["semantic_entropy"],
                consistency=one["consistency"],
                log_prob=one["mean_log_prob"],
                log_prob_variance=one["var_log_prob"],
                dispersion=one["dispersion"],
                depth=one["depth"],
                answers=said[one["row"]],
                by_layer=one["by_layer"],
            )
            for one in shown[:SHOWN]
        ],
        temperature=chosen,
        temperatures=known,
        by_temperature=[(one, by_temperature[one]) for one in known],
        by_layer=[list(layer) for layer in zip(*(one["by_layer"] for one in inside.values()), strict=True)],
        count=len(shown),
        samples=sum(one.count for one in said[rows[0]]) if rows else 0,
        by=by,
        model=job.result.get("model", "smollm2"),
        job=job,
    )


def _inside(folder: Path) -> dict[int, dict[str, Any]]:
    """What was seen inside the model, by prompt; nothing where it was not looked at."""
    path = folder / "inside.parquet"
    found = pq.read_table(path).to_pylist() if path.is_file() else []
    return {
        one["row"]: {
            "dispersion": sum(one["dispersion"]) / len(one["dispersion"]),
            "depth": one["depth"] / max(1, one["layers"]),
            "by_layer": one["dispersion"],
        }
        for one in found
    }


def _said(folder: Path, temperature: float, rows: set[int]) -> dict[int, list[Said]]:
    """The answers to each prompt by meaning, the commonest first."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    first: dict[tuple[int, int], str] = {}
    for one in pq.read_table(folder / "answers.parquet").to_pylist():
        if one["temperature"] == temperature and one["row"] in rows:
            counts[one["row"]][one["meaning"]] += 1
            first.setdefault((one["row"], one["meaning"]), one["answer"])
    return {
        row: [Said(text=first[row, meaning], count=count) for meaning, count in found.most_common()]
        for row, found in counts.items()
    }
