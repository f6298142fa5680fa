"""Replaying a round: the pick program runs again on what the round kept, and the picks are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from jobs.models import Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import NothingToReplay
from selection.models import Column, Round
from selection.programs import losses
from selection.round_spec import RoundSpec
from selection.selectors import column_files
from selection.selectors import picks as picks_of
from selection.services import draws, item_columns, picking, pool
from training.services import programs

KIND = "selection.replay_round"


def launch(round_: Round, *, by: User | None = None) -> Job:
    """Add the job that replays a round.

    Raises:
        NothingToReplay: the round has not picked yet.
    """
    if round_.picks is None:
        raise NothingToReplay(_("Round %(number)s has picked nothing yet.") % {"number": round_.number})
    return jobs.enqueue(KIND, subject=round_, scope=round_.project.uuid, created_by=by)


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: pick again from the stored inputs and say whether the picks, in order and arm, are equal."""
    round_: Round = ctx.subject
    assert round_.picks is not None
    stored = artifacts.path(round_.picks)
    again = programs.run_light(ctx, picking.PROGRAM, _order(round_, stored))
    before, after = picks_of.read_picks(stored), picks_of.read_picks(again)
    differing = sum(a != b for a, b in zip(before, after, strict=False)) + abs(len(before) - len(after))
    identical = differing == 0
    note = (
        _("Identical: all %(count)s picks came out again in the same order.") % {"count": len(before)}
        if identical
        else _("Different: %(differing)s of %(count)s picks did not come out again.")
        % {"differing": differing, "count": len(before)}
    )
    ctx.log(note)
    return {"identical": identical, "differing": differing, "picks": len(before), "note": note}


def _order(round_: Round, stored: Path) -> dict[str, Any]:
    """The pick program's spec from the round's result folder; columns and the seed come from elsewhere."""
    spec, summary = RoundSpec.from_json(round_.spec), picks_of.read_summary(stored)
    labelled = stored / "labelled.parquet"
    scores: dict[str, Any] = {}
    for name, file_name in (("probabilities", "probs.npy"), ("unsure", "unsure.npy")):
        if (stored / file_name).is_file() and round_.model is not None:
            scores[name] = column_files.shards(
                round_.project, Column.Kind.PROBABILITY, str(round_.model.uuid)
            )
    drawn: dict[str, Any] = {}
    if (stored / "drawn.npy").is_file() and round_.model is not None:
        drawn = {"draws": draws.shards(round_.model), "drawn": str(stored / "drawn.npy")}
    hard: dict[str, Any] = {}
    if (stored / losses.POOL_FILE).is_file():
        shard = {"values": str(stored / losses.POOL_FILE), "rows": str(stored / "rows.npy")}
        hard = {"hardness": [shard]}
    return {
        "rows": str(stored / "rows.npy"),
        "clusters": str(stored / "clusters.npy"),
        **scores,
        **drawn,
        **hard,
        **{
            name: str(stored / f"{name}.npy")
            for name in (item_columns.SECONDS, item_columns.SOURCES)
            if (stored / f"{name}.npy").is_file()
        },
        "embeddings": pool.embedding_shards(round_.project, summary.get("embedding_key", "")),
        "label_names": summary.get("label_names", []),
        "labelled": str(labelled) if labelled.is_file() else "",
        "strategy": summary["strategy"],
        "settings": summary["settings"],
        "count": spec.batch_size,
        "control_share": spec.control_share,
        "modules": list(settings.STRATEGY_MODULES),
        "seed": spec.seed,
        "turn": round_.number - 1,
        "versions": {
            key: column_files.shards(round_.project, Column.Kind.PROBABILITY, key)
            for key in summary.get("versions", [])
        },
    }
