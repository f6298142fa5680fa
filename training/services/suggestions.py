"""Suggestions before there is a model of one's own: asked for, measured on resolved items, booked in shards.

Each source, with the field and the temperature it was used with, suggests under a labeller of its own. What an
earlier one suggested for the same item goes, unless somebody has acted on it; a trained model's suggestions and
those of patterns stay, and their items are left alone.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models import Labeller, Project
from annotation.selectors import schemas, suggestible
from annotation.services import labellers, prelabels
from annotation.services.archive import guard_writable
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue, validate_part
from jobs.errors import NotCancellable
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext
from training.errors import BadSettings, NotSuggestible
from training.learning import guesses
from training.selectors import suggestions as reads
from training.services import suggestion_files as files
from training.suggestion_sources import LEAST_JUDGED, ORDERS, QUEUE, SMOLLM2, SOURCES, Source, shard_of

KIND, WITHDRAW = reads.KIND, "training.withdraw_suggestions"
PATIENCE_S = 30.0  # for a job that was told to end
PROGRAM = "training.programs.suggest"


def launch(
    project: Project, *, source: str, field: str = "", limit: int, order: str = QUEUE, by: User | None = None
) -> Job:
    """Add the job that suggests for `limit` open items; with 0 the source is only measured.

    Args:
        field: the schema's field; empty: the first one that the source can suggest for.

    Raises:
        BadSettings: an unknown source or order, or a limit out of bounds.
        NotSuggestible: the source cannot suggest for the field; its package is missing; it is at work already.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    if source not in SOURCES or order not in ORDERS:
        raise BadSettings(
            _("“%(given)s” is not known: use one of %(known)s.")
            % {
                "given": source if source not in SOURCES else order,
                "known": ", ".join(SOURCES if source not in SOURCES else ORDERS),
            }
        )
    chosen = SOURCES[source]
    if not 0 <= limit <= chosen.most:
        raise BadSettings(
            _("Found a limit of %(limit)s items, expected 0 to %(most)s.")
            % {"limit": limit, "most": f"{chosen.most:,}"}
        )
    described = reads.field_for(project, chosen, field)
    model_path(chosen)
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=project.pk)
        if reads.at_work(project).exists():
            raise NotSuggestible(
                _("Suggestions are being made for this project: wait until they are, or cancel them.")
            )
        params = {"source": source, "field": described["name"], "limit": limit, "order": order}
        job = jobs.enqueue(KIND, subject=project, scope=project.uuid, params=params, created_by=by)
        audit.record("suggestions.launched", actor=by, scope=project.uuid, target=job, **params)
    return job


def model_path(source: Source) -> Path:
    """The weights that the source works with.

    Raises:
        NotSuggestible: their package is not installed.
    """
    from training.learning import encoder, language_model

    try:
        return language_model.default_path() if source.name == SMOLLM2 else encoder.default_encoder_path()
    except ValueError as error:
        raise NotSuggestible(
            _("%(source)s cannot be used: %(why)s.") % {"source": source.label, "why": error}
        ) from error


def perform(ctx: JobContext) -> dict[str, Any] | None:
    """The job: measure the source on resolved items, then suggest, a shard at a time."""
    project: Project | None = ctx.subject
    if project is None:
        return None
    guard_writable(project)
    return _Work(ctx, project).done()


class _Work:
    """One attempt. What was drawn at first stands in the job's folder: a later attempt goes on with it."""

    def __init__(self, ctx: JobContext, project: Project) -> None:
        self.ctx, self.project = ctx, project
        self.source = SOURCES[ctx.params["source"]]
        self.field = reads.field_for(project, self.source, ctx.params["field"])
        self.folder = ctx.work_folder()
        self.looked_at = self.total = 0

    def done(self) -> dict[str, Any]:
        judged = files.kept(self.folder / "judged.json", self._judged)
        limit = int(self.ctx.params["limit"])
        self.total = len(judged) + limit
        measured = self._measure(judged)
        labeller = self._labeller(measured["temperature"])
        rows = files.kept(self.folder / "rows.json", lambda: self._drawn(labeller, limit)) if limit else []
        self.total = len(judged) + len(rows)
        stored = 0
        step = shard_of(self.source, self.field)
        for start in range(0, len(rows), step):
            stored += self._shard(labeller, rows[start : start + step], start, measured["temperature"])
        return {**measured, "looked_at": len(rows), "stored": stored, "labeller": labeller.key}

    def _judged(self) -> list[list[Any]]:
        """[row, answer] of the resolved items that the source is measured on; none for what is written."""
        if self.field["type"] == "response":
            return []
        found = suggestible.judged(self.project, self.field["name"], self.source.judged)
        return [[row, answer] for row, _text, answer in found]

    def _measure(self, judged: list[list[Any]]) -> dict[str, Any]:
        """How right the source is, and the temperature that makes its probabilities honest."""
        answers = [answer for _row, answer in judged]
        temperature = self.source.temperature
        right = 0
        if judged:
            # The program wants ascending rows no more than we do; the order is that of `judged`.
            scores = self._scores("judged", [row for row, _answer in judged])
            temperature = guesses.temperature(
                self.field, scores, answers, temperature, least_items=LEAST_JUDGED
            )
            probs = guesses.probabilities(self.field, scores, temperature)
            given = [guesses.guess(self.field, one).answer for one in probs]
            right = sum(one == answer for one, answer in zip(given, answers, strict=True))
        return {
            "judged": len(judged),
            "right": right,
            "commonest": reads.commonest(answers),
            "temperature": round(temperature, 6),
            "calibrated": len(judged) >= LEAST_JUDGED,
        }

    def _labeller(self, temperature: float) -> Labeller:
        described = [self.source.name, self.field, round(temperature, 4)]
        digest = hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=8).hexdigest()
        key = f"{reads.LABELLER_KEY}{self.source.name}:{self.field['name']}:{digest}"
        return labellers.rule(self.project, key, str(self.source.label))

    def _drawn(self, labeller: Labeller, limit: int) -> list[int]:
        found = suggestible.lacking(self.project, labeller=labeller, replaced=reads.LABELLER_KEY)
        if self.field["type"] == "response":
            found = found.exclude(data__has_key="draft")
        if self.ctx.params["order"] == QUEUE:
            return suggestible.next_in_queue(self.project, found, limit)
        return suggestible.at_random(self.project, found, limit, self.ctx.job.pk)

    def _shard(self, labeller: Labeller, rows: list[int], start: int, temperature: float) -> int:
        """Look at these items and book what came of it; the number of suggestions stored."""
        name = f"shard-{start}"
        if self.field["type"] == "response":
            told = files.drafts(self._run(name, rows))
            answers = {row: ({"text": one["text"]}, one["confidence"], {}) for row, one in told.items()}
        else:
            scores = self._scores(name, rows)
            probs = guesses.probabilities(self.field, scores, temperature)
            found = [guesses.guess(self.field, one) for one in probs]
            answers = {
                row: (one.answer, one.confidence, one.scores) for row, one in zip(rows, found, strict=True)
            }
        return self._book(labeller, answers)

    def _book(self, labeller: Labeller, answers: Mapping[int, tuple[Any, float, dict[str, float]]]) -> int:
        """Store the suggestions of items that are still open, in short transactions: people label meanwhile."""
        definition = schemas.require(self.project).definition
        rows, stored = list(answers), 0
        for start in range(0, len(rows), prelabels.AT_ONCE):
            self.ctx.check()
            some = suggestible.open_items(self.project).filter(
                row__in=rows[start : start + prelabels.AT_ONCE]
            )
            ready: list[prelabels.Suggestion] = []
            for item in some.order_by("row"):
                answer, confidence, scores = answers[item.row]
                try:
                    value = validate_part(
                        definition, {self.field["name"]: answer}, content_of(item.text, item.data)
                    )
                except InvalidValue as error:
                    self.ctx.log(f"item {item.row}: {error}")
                    continue
                ready.append((item.pk, value, confidence, scores))
            stored += prelabels.replace(self.project, labeller, ready, earlier=reads.LABELLER_KEY)
        return stored

    def _scores(self, name: str, rows: list[int]) -> npt.NDArray[np.float32]:
        return files.scores(self._run(name, rows), rows)

    def _run(self, name: str, rows: list[int]) -> Path:
        """The program's result folder for these items, from an earlier attempt if it has it."""
        texts = files.write_texts(
            self.project, rows, self.folder / f"{name}.parquet", dialogues=self.field["type"] == "response"
        )
        spec = {
            "result": str(self.folder / name),
            "source": self.source.name,
            "field": dict(self.field),
            "texts": str(texts),
            "model": str(model_path(self.source)),
            "models": str(Path(settings.DATA_DIR) / "models"),
            "done": self.looked_at,
            "total": self.total,
        }
        result = self.ctx.run_program(PROGRAM, spec)
        self.looked_at += len(rows)
        return result


def withdraw(project: Project, *, by: User | None = None) -> Job:
    """Add the job that takes back all such suggestions that nobody has acted on."""
    guard_writable(project)
    with transaction.atomic():
        job = jobs.enqueue(WITHDRAW, subject=project, scope=project.uuid, created_by=by)
        audit.record("suggestions.withdrawn", actor=by, scope=project.uuid, target=job)
    return job


def perform_withdraw(ctx: JobContext) -> dict[str, int] | None:
    """The job: stop what is at work, then take back in short transactions."""
    project: Project | None = ctx.subject
    if project is None:
        return None
    for job in reads.at_work(project):
        with suppress(NotCancellable):  # it ended a moment ago
            jobs.cancel(job, None)
    until = time.monotonic() + PATIENCE_S
    while (
        reads.at_work(project).exists() and time.monotonic() < until
    ):  # else what it still stores would stay
        ctx.check()
        time.sleep(0.2)
    gone = 0
    while count := prelabels.withdraw(project, reads.LABELLER_KEY):
        gone += count
        ctx.check()
    return {"withdrawn": gone}
