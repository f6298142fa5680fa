"""Real items of the pool near the boundary of a hard labelled one: what to label so that it is drawn better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from annotation.models import Item, Project
from jobs.models import Job
from selection.models import Column
from selection.selectors import column_files
from selection.selectors import values as reads
from selection.services import neighbours, pool
from selection.services.neighbours import Neighbour
from selection.strategies.hardness import loss_ranking
from selection.strategies.ranking import top

FLIP, FGSM, PGD = "flip", "fgsm", "pgd"
ATTACKS = (FLIP, FGSM, PGD)
BEYOND = 1.25  # so many times the smallest push goes one that is no smallest one
SHOWN = 10
HARD = 5


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Where the head of a valuation changes its mind about one labelled item.

    Attributes:
        given: its label. before, after: what the head says of it, and of the pushed vector; equal where no push
            of that kind flips it.
        smallest: the least l2 push on the vector, of length one, that flips the head; None where none does.
        size: of the push that was made. found: items of the pool nearest to the pushed vector.
    """

    row: int
    text: str
    given: str
    before: str
    after: str
    attack: str
    smallest: float | None
    size: float
    found: list[Neighbour]


def hard_rows(job: Job) -> list[int]:
    """The labelled items of hard loss by models that have not seen them, hardest first: those above the 95th
    percentile, or where none is (losses that are equal), those of greatest loss.
    """
    table = pq.read_table(reads.folder(job) / "values.parquet", columns=["row", "loss"]).sort_by("row")
    rows, losses = table["row"].to_numpy(), table["loss"].to_numpy()
    hard = loss_ranking.above_percentile(losses)[:HARD]
    return [int(row) for row in rows[hard if len(hard) else top(losses, min(HARD, len(losses)))]]


def is_current(project: Project, job: Job) -> bool:
    """Whether the valuation is of the vectors that the project has now: else what is near lies elsewhere."""
    return bool(job.result["encoder"] == pool.embedding_key(project))


def near(project: Project, job: Job, row: int, attack: str = FLIP) -> Boundary | None:
    """The labelled item at `row` pushed over the boundary, and the pool there; None where the valuation has no
    such item, or is of other vectors. One product with the head and one search.
    """
    from selection.index import scan
    from selection.strategies.hardness import adversarial

    if not is_current(project, job):
        return None
    item = Item.objects.filter(project=project, row=row).first()
    with np.load(reads.folder(job) / "head.npz", allow_pickle=False) as held:
        weight, rows, codes = held["weight"], held["rows"], held["codes"]
    own = np.flatnonzero(rows == row)
    vector = scan.vector_of(column_files.shards(project, Column.Kind.EMBEDDING, job.result["encoder"]), row)
    if item is None or vector is None or not len(own):
        return None
    head = adversarial.Linear(weight[:, :-1], weight[:, -1])
    x = np.asarray(vector, dtype=np.float64)[None]
    top = head.logits(x).argmax(axis=1)
    flip = adversarial.linear_flip(head, x)
    smallest = float(flip.epsilon[0])
    moved = flip.moved
    if attack != FLIP and np.isfinite(smallest):
        push = adversarial.fgsm if attack == FGSM else adversarial.pgd
        moved = push(head, x, top, BEYOND * smallest, norm="l2")
    labels, names = reads.read_summary(reads.folder(job))["labels"], reads.label_names(project)
    said = [names.get(labels[code], labels[code]) for code in (top[0], head.logits(moved)[0].argmax())]
    given = labels[codes[own[0]]]
    length = float(np.linalg.norm(moved))
    query = (moved[0] / max(length, 1e-12)).astype(np.float32)
    return Boundary(
        row=row,
        text=item.text,
        given=names.get(given, given),
        before=said[0],
        after=said[1],
        attack=attack,
        smallest=smallest if np.isfinite(smallest) else None,
        size=float(np.linalg.norm(moved - x)),
        found=neighbours.near_vector(project, query, most=SHOWN),
    )
