"""The demo projects: made-up messages with two real rounds by the product's own services, and then the answers
of an assistant (`demo_answers`).

Every step looks at what is there first, so a start that was interrupted is taken up where it stopped.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.demo.guideline import GUIDELINE
from annotation.demo.messages import Message, Person, answer, messages, schema_definition
from annotation.models import Project, Review, Slot, Source
from annotation.selectors.queue import payloads
from annotation.services import items, labelling, projects, queue
from jobs.services import dispatch
from selection.models import Round
from selection.round_spec import RoundSpec
from selection.services import demo_answers, demo_people, rounds, steps
from selection.services.demo_people import Cast
from training.services import programs

SLUG = "demo"
COUNT = 3000
SEED = 2026
FIRST_BATCH, SECOND_BATCH = 180, 100
SECOND_LABELLED = 60  # of the second batch: the rest is for whoever opens the demo
ANCHORED = 0.2  # how often a person accepts a suggestion that they would not have chosen
SKIPPED = 0.01
ACCOUNTS, UNFINISHED = "demo-accounts.txt", "demo-unfinished"

Report = Callable[[str], None]


def unfinished() -> bool:
    """Whether an earlier start was stopped while it made the demo."""
    return (Path(settings.DATA_DIR) / UNFINISHED).exists()


def make(report: Report = lambda line: None, *, count: int = COUNT) -> Project:
    """Make the demo projects, or finish them; gives the first one. The accounts are written to
    `demo-accounts.txt` in the data folder.

    One random password for all accounts, made anew for each installation. Takes about half a minute.
    """
    folder = Path(settings.DATA_DIR)
    marker = folder / UNFINISHED
    if not marker.exists():
        marker.touch(mode=0o600)
        marker.write_text("-".join(secrets.token_hex(2) for _part in range(3)))
    password = marker.read_text()
    with dispatch.held(), programs.in_this_process(), steps.by_hand_only():
        cast = demo_people.cast(password)
        project, truth = _project(cast, count)
        report(f"{count} messages by a seeded grammar; embedding some and picking the first batch …")
        _label(project, _round(project, 1, cast, FIRST_BATCH), cast, truth)
        _review(project, cast, truth)
        report("the first batch is labelled; training, evaluating and picking the second one …")
        _label(project, _round(project, 2, cast, SECOND_BATCH), cast, truth, limit=SECOND_LABELLED)
        _review(project, cast, truth)
        report(f"{demo_answers.COUNT} questions with two answers each, judged in part …")
        demo_answers.make(cast)
    accounts = folder / ACCOUNTS
    accounts.touch(mode=0o600)
    accounts.write_text(demo_people.accounts(cast, password))
    marker.unlink()
    return project


def _project(cast: Cast, count: int) -> tuple[Project, dict[str, Message]]:
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        project = projects.create(
            _("Demo: customer messages"),
            slug=SLUG,
            created_by=cast.admin,
            definition=schema_definition(),
            guideline=GUIDELINE,
            is_synthetic=True,
            description=_("Synthetic messages of a made-up shop, labelled in part by simulated people."),
            seed=SEED,
            batch_size=SECOND_BATCH,
            overlap_share=0.3,
            spot_check_share=0.1,
        )
    demo_people.join(project, cast)
    made = messages(count, np.random.default_rng(SEED))
    records = [items.Record(text=one.text, external_id=str(n)) for n, one in enumerate(made)]
    items.add_items(project, records, source="seeded grammar", by=cast.admin, kind=Source.Kind.SYNTHETIC)
    return project, {one.text: one for one in made}


def _round(project: Project, number: int, cast: Cast, size: int) -> Round:
    """The round of this number, run to its end."""
    round_ = project.rounds.filter(number=number).first()
    if round_ is None:
        spec = RoundSpec(
            batch_size=size, control_share=project.control_share, seed=SEED + number, learner="probe"
        )
        round_ = rounds.launch(project, spec, by=cast.engineer)
    elif round_.state in (Round.State.FAILED, Round.State.CANCELLED):
        raise RuntimeError(f"round {number} of the demo ended as {round_.state}: {round_.error}")
    return rounds.run_to_end(round_)


def _label(
    project: Project, round_: Round, cast: Cast, truth: dict[str, Message], limit: int | None = None
) -> None:
    assert round_.batch is not None
    rng = np.random.default_rng([SEED, round_.number])

    def look(user: User, person: Person, slot: Slot) -> None:
        _look(project, user, person, slot, truth[slot.item.text], rng)

    demo_people.take_turns(project, round_.batch, cast, look, rng, limit)


def _look(
    project: Project, user: User, person: Person, slot: Slot, message: Message, rng: np.random.Generator
) -> None:
    if rng.random() < SKIPPED:
        queue.skip(project, user, slot.uuid, _("Several labels fit"))
        return
    shown = payloads(project, user, [slot])[0].prelabel
    label = answer(message, person, rng)
    if shown and rng.random() < ANCHORED:
        label = shown["value"]["label"]
    labelling.submit(
        project,
        user,
        slot.uuid,
        {"label": label},
        client_key=f"demo-{slot.uuid}",
        prelabel_uuid=uuid.UUID(shown["uuid"]) if shown else None,
        active_ms=int(1000 * person.seconds * rng.lognormal(sigma=0.4)),
    )


def _review(project: Project, cast: Cast, truth: dict[str, Message]) -> None:
    """By what the grammar meant."""

    def ruling(review: Review) -> tuple[str, dict[str, str] | None, str]:
        message = truth[review.item.text]
        given = review.annotation.value["label"] if review.annotation else None
        if given is not None and given in (message.label, message.also):
            return Review.Verdict.RIGHT, None, ""
        return Review.Verdict.WRONG, {"label": message.label}, ""

    demo_people.review(project, cast, ruling)
