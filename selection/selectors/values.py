"""Reading what labels are worth: which to look at again and why, sources, and what taught a prediction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from accounts.figures import number, percent
from annotation.models import Item, Project
from annotation.selectors import schemas
from annotation.selectors.choices import in_language
from annotation.services.datasets import Weights
from jobs.models import Artifact, Job
from jobs.services import artifacts
from selection.models import Column
from selection.selectors import column_files

KIND = "selection.value_labels"
LOSS = "loss"  # of models that have not seen the item: the greatest comes first
METHODS = ("value", "influence", "tracin", "gradient_similarity", "data_shapley", LOSS)
PER_PAGE = 25
SHOWN = 5  # items for and against a prediction


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One label to look at again. `reasons`: sentences; empty where nothing speaks against it. `dynamics`: how
    it fared in training, with figures; empty where that is not known.
    """

    row: int
    text: str
    label: str
    rank: int
    suspicion: float
    value: float
    reasons: list[str]
    dynamics: str = ""


@dataclass(frozen=True, kw_only=True)
class SuspectPage:
    rows: list[Suspect]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Taught:
    row: int
    text: str
    label: str
    amount: float


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What the labels say about one item: the likeliest label with its probability, and who taught it."""

    row: int
    text: str
    label: str
    probability: float
    given: str
    for_it: list[Taught]
    against: list[Taught]


def running(project: Project) -> Job | None:
    return Job.objects.filter(scope=project.uuid, kind=KIND, state__in=["queued", "running"]).first()


def newest(project: Project) -> Job | None:
    """The newest valuation that is done."""
    return Job.objects.filter(scope=project.uuid, kind=KIND, state="done").order_by("-pk").first()


def failed(project: Project) -> Job | None:
    """The newest job, where it failed: its sentence is worth showing."""
    job = Job.objects.filter(scope=project.uuid, kind=KIND).order_by("-pk").first()
    return job if job is not None and job.state == "failed" else None


def folder(job: Job) -> Path:
    """Raises BrokenArtifact where the files are gone."""
    return artifacts.path(Artifact(kind="values", sha256=job.result["artifact"]))


def read_summary(result: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((result / "result.json").read_text())
    return summary


def weights(job: Job) -> Weights:
    """How much each training item should count, by its value: see `uses.sample_weights`.

    Raises:
        BrokenArtifact: the files are gone.
    """
    table = pq.read_table(folder(job) / "values.parquet", columns=["row", "label", "weight"]).to_pydict()
    rows = zip(table["row"], table["label"], table["weight"], strict=True)
    return Weights(
        by_row={row: (label, float(weight)) for row, label, weight in rows},
        told={"valuation": str(job.uuid), "at": (job.finished_at or job.created_at).isoformat()},
    )


def label_names(project: Project) -> dict[str, str]:
    labels = schemas.label_field(schemas.require(project)).get("labels", ())
    return {label["id"]: str(in_language(label, "name")) for label in labels}


def methods(job: Job) -> list[str]:
    """Those of METHODS that the valuation has worked out; "" is the cleaning order."""
    table = pq.read_table(folder(job) / "values.parquet")
    held = set(table.column_names)
    return ["", *(one for one in METHODS if one in held and not np.isnan(table[one].to_numpy()).all())]


def suspects(
    project: Project, job: Job, page: int = 1, per_page: int = PER_PAGE, by: str = ""
) -> SuspectPage:
    """A page of the cleaning order, most suspect first; or by one method alone, what is worth least, or has the
    greatest loss, first.
    """
    path = folder(job) / "values.parquet"
    table = pq.read_table(path)
    if by in METHODS and by in table.column_names:
        table = table.sort_by([(by, "descending" if by == LOSS else "ascending"), ("row", "ascending")])
        ranks = pa.array(np.arange(len(table)))
        table = table.set_column(table.column_names.index("rank"), "rank", ranks)
    pages = max(1, -(-len(table) // per_page))
    page = min(max(1, page), pages)
    rows = table.slice((page - 1) * per_page, per_page).to_pylist()
    texts = _texts(project, [row["row"] for row in rows])
    names = label_names(project)
    found = [
        Suspect(
            row=row["row"],
            text=texts.get(row["row"], ""),
            label=names.get(row["label"], row["label"]),
            rank=row["rank"] + 1,
            suspicion=row["suspicion"],
            value=row[by or "value"],
            reasons=_reasons(row, names),
            dynamics=_dynamics(row),
        )
        for row in rows
    ]
    return SuspectPage(rows=found, page=page, pages=pages, total=len(table))


def _reasons(row: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    reasons = []
    if row["model_label"] != row["label"]:
        reasons.append(
            _("A model that has not seen it says %(label)s (%(share)s).")
            % {
                "label": names.get(row["model_label"], row["model_label"]),
                "share": percent(row["model_probability"]),
            }
        )
    if row["neighbour_label"] != row["label"]:
        reasons.append(
            _("Of its nearest labelled items %(share)s are %(label)s.")
            % {
                "label": names.get(row["neighbour_label"], row["neighbour_label"]),
                "share": percent(row["neighbour_share"]),
            }
        )
    if row["value"] < 0:
        reasons.append(_("Held-out items near to it have other labels, so it misleads."))
    if row["region"] == "hard":
        reasons.append(_("Training does not come to agree with it."))
    return reasons


def _dynamics(row: Mapping[str, Any]) -> str:
    """How training came to agree with the label, or "" where the valuation has no such figures."""
    known = [row.get(name) for name in ("confidence", "variability", "forgotten")]
    if row.get("region") not in _REGIONS or any(value is None or np.isnan(value) for value in known):
        return ""
    confidence, variability, forgotten = known
    return _(
        "In training: %(region)s, confidence %(confidence)s, variability %(variability)s, forgotten %(times)s×."
    ) % {
        "region": _REGIONS[row["region"]],
        "confidence": number(confidence, 2),
        "variability": number(variability, 2),
        "times": int(forgotten),
    }


_REGIONS = {
    "easy": pgettext_lazy("training dynamics", "easy"),
    "ambiguous": pgettext_lazy("training dynamics", "ambiguous"),
    "hard": pgettext_lazy("training dynamics", "hard"),
}


def attribution(project: Project, job: Job, row: int) -> Attribution | None:
    """What the labelled items say about the item at `row`; None where it has no vector or there is no item.

    The head of the valuation is asked, and its logit is divided among the items that it was fitted to. O(n
    d).
    """
    from selection.index import scan
    from selection.strategies.value import uses
    from selection.strategies.value.head import Head, with_one

    item = Item.objects.filter(project=project, row=row).first()
    result = folder(job)
    shards = column_files.shards(project, Column.Kind.EMBEDDING, job.result["encoder"])
    vector = scan.vector_of(shards, row)
    if item is None or vector is None:
        return None
    from scipy.special import softmax

    from training.learning.columns import gather

    with np.load(result / "head.npz", allow_pickle=False) as held:
        head, rows, codes = Head(held["weight"], float(held["ridge"])), held["rows"], held["codes"]
    labels, names = read_summary(result)["labels"], label_names(project)
    x, query = with_one(gather(shards, rows)), with_one(vector[None])
    probs = softmax(head.logits(query)[0])
    best = int(probs.argmax())
    amounts = uses.representers(head, x, codes, query, np.array([best]))[0]
    amounts[rows == row] = 0.0  # its own label is no news
    for_it, against = uses.taught_most(amounts, SHOWN)
    texts = _texts(project, rows[np.concatenate([for_it, against])].tolist())

    def taught(positions: Any) -> list[Taught]:
        return [
            Taught(
                row=int(rows[at]),
                text=texts.get(int(rows[at]), ""),
                label=names.get(labels[codes[at]], labels[codes[at]]),
                amount=float(amounts[at]),
            )
            for at in positions
        ]

    own = np.flatnonzero(rows == row)
    given = labels[codes[own[0]]] if len(own) else ""
    return Attribution(
        row=row,
        text=item.text,
        label=names.get(labels[best], labels[best]),
        probability=float(probs[best]),
        given=names.get(given, given),
        for_it=taught(for_it),
        against=taught(against),
    )


def _texts(project: Project, rows: list[int]) -> dict[int, str]:
    return dict(Item.objects.filter(project=project, row__in=rows).values_list("row", "text"))
