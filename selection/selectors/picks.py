"""Reading what a round has picked, from the result folder of the pick program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq


@dataclass(frozen=True, kw_only=True)
class Picked:
    """One pick, as the result folder has it."""

    row: int
    rank: int
    arm: str
    inclusion_probability: float | None
    parts: dict[str, float]

    @property
    def is_control(self) -> bool:
        return self.arm == "control"


def read_summary(folder: Path) -> dict[str, Any]:
    """The program's result.json, less its bookkeeping."""
    summary: dict[str, Any] = json.loads((folder / "result.json").read_text())
    summary.pop("spec_version", None)
    return summary


def read_picks(folder: Path) -> list[Picked]:
    """The picks in pick order."""
    table = pq.read_table(folder / "picks.parquet").sort_by("rank").to_pylist()
    fixed = ("row", "rank", "arm", "inclusion_probability")
    return [
        Picked(
            **{name: entry[name] for name in fixed},
            parts={name: value for name, value in entry.items() if name not in fixed and value is not None},
        )
        for entry in table
    ]


def explanations(folder: Path, picks: list[Picked]) -> list[dict[str, Any]]:
    """Why each pick, for whoever labels it: its parts with their weights in the score, and what makes it
    hard. The control arm was chosen by none of them.
    """
    weights, tags = read_summary(folder).get("weights") or {}, read_tags(folder)
    found: list[dict[str, Any]] = []
    for place, pick in enumerate(picks):
        said: dict[str, Any] = {"parts": pick.parts}
        if weights and not pick.is_control:
            said["weights"] = weights
        if tags and tags[place]:
            said["tags"] = [tag.name for tag in tags[place]]
        found.append(said)
    return found


@dataclass(frozen=True, kw_only=True)
class HardTag:
    """A kind of hard (selection.strategies.hardness.tags): the rule compared `found` with `bound`. `labels`: ids
    of those that it speaks of."""

    name: str
    found: float
    bound: float
    labels: list[str]


def read_tags(folder: Path) -> list[list[HardTag]]:
    """What makes each pick hard, in pick order; empty where nothing was tagged."""
    path = folder / "tags.json"
    if not path.is_file():
        return []
    return [[HardTag(**one) for one in own] for own in json.loads(path.read_text())]


def read_probabilities(folder: Path) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """(count, k) probabilities of the picked rows in pick order; None where there was no model."""
    path = folder / "probs.npy"
    return np.load(path) if path.is_file() else None


def read_map(folder: Path) -> dict[str, Any]:
    """Points of pool, labelled and picked items in the plane; see selection.programs.plane."""
    points: dict[str, Any] = json.loads((folder / "map.json").read_text())
    return points
