"""The demo project: made-up messages, simulated people, and two real rounds by the product's own services.

Every step looks at what is there first, so a start that was interrupted is taken up where it stopped.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import users
from annotation.demo.guideline import GUIDELINE
from annotation.demo.messages import PEOPLE, Message, Person, answer, messages, schema_definition
from annotation.models import Project, Review, Role, Slot, Source
from annotation.selectors.queue import payloads
from annotation.services import items, labelling, memberships, projects, queue, reviews
from jobs.services import dispatch
from selection.models import Round
from selection.round_spec import RoundSpec
from selection.services import rounds, steps
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


@dataclass(frozen=True)
class _Cast:
    admin: User
    engineer: User
    reviewer: User
    annotators: dict[str, tuple[User, Person]]


def unfinished() -> bool:
    """Whether an earlier start was stopped while it made the demo."""
    return (Path(settings.DATA_DIR) / UNFINISHED).exists()


def make(report: Report = lambda line: None, *, count: int = COUNT) -> Project:
    """Make the demo project, or finish it; its accounts are written to `demo-accounts.txt` in the data
    folder.

    One random password for all accounts, made anew for each installation. Takes about half a minute.
    """
    folder = Path(settings.DATA_DIR)
    marker = folder / UNFINISHED
    if not marker.exists():
        marker.touch(mode=0o600)
        marker.write_text("-".join(secrets.token_hex(2) for _part in range(3)))
    password = marker.read_text()
    with dispatch.held(), programs.in_this_process(), steps.by_hand_only():
        cast = _people(password)
        project, truth = _project(cast, count)
        report(f"{count} messages by a seeded grammar; embedding some and picking the first batch …")
        _label(project, _round(project, 1, cast, FIRST_BATCH), cast, truth)
        _review(project, cast, truth)
        report("the first batch is labelled; training, evaluating and picking the second one …")
        _label(project, _round(project, 2, cast, SECOND_BATCH), cast, truth, limit=SECOND_LABELLED)
        _review(project, cast, truth)
    accounts = folder / ACCOUNTS
    accounts.touch(mode=0o600)
    accounts.write_text(_accounts(cast, password))
    marker.unlink()
    return project


def _accounts(cast: _Cast, password: str) -> str:
    annotators = ", ".join(cast.annotators)
    rows = [
        (cast.admin.username, _("admin: sees and may do everything")),
        (cast.engineer.username, _("engineer: rounds, models, agreement")),
        (cast.reviewer.username, _("reviewer: spot checks")),
        (annotators, _("annotators")),
    ]
    width = max(len(name) for name, _role in rows)
    lines = [f"  {name:<{width}}  {role}" for name, role in rows]
    return (
        "\n".join([_("Demo accounts, all with the password %(password)s") % {"password": password}, *lines])
        + "\n"
    )


def _people(password: str) -> _Cast:
    def person(username: str, name: str, **more: bool) -> User:
        known = User.objects.filter(username=username).first()
        first, _space, last = name.partition(" ")
        return known or users.create_user(
            username, password=password, first_name=first, last_name=last, **more
        )

    return _Cast(
        admin=person("admin", "Mira Admin", is_superuser=True),
        engineer=person("li", "Li Wei"),
        reviewer=person("rita", "Rita Sommer"),
        annotators={one.username: (person(one.username, one.name), one) for one in PEOPLE},
    )


def _project(cast: _Cast, count: int) -> tuple[Project, dict[str, Message]]:
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
    for user, role in [(cast.engineer, Role.ENGINEER), (cast.reviewer, Role.REVIEWER)]:
        memberships.add(project, user, role, by=cast.admin)
    for user, _person in cast.annotators.values():
        memberships.add(project, user, Role.ANNOTATOR, by=cast.admin)
    made = messages(count, np.random.default_rng(SEED))
    records = [items.Record(text=one.text, external_id=str(n)) for n, one in enumerate(made)]
    items.add_items(project, records, source="seeded grammar", by=cast.admin, kind=Source.Kind.SYNTHETIC)
    return project, {one.text: one for one in made}


def _round(project: Project, number: int, cast: _Cast, size: int) -> Round:
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
    project: Project, round_: Round, cast: _Cast, truth: dict[str, Message], limit: int | None = None
) -> None:
    """Simulated people take turns until the batch is empty, or `limit` of it is done."""
    assert round_.batch is not None
    rng = np.random.default_rng([SEED, round_.number])
    people = list(cast.annotators.values())
    idle = 0
    while idle < 4 * len(people):
        if limit is not None and round_.batch.slots.filter(state=Slot.State.DONE).count() >= limit:
            break
        user, person = people[rng.integers(len(people))]
        slots = queue.lease(project, user, count=1)
        idle = 0 if slots else idle + 1
        for slot in slots:
            _look(project, user, person, slot, truth[slot.item.text], rng)
    for user, _person in people:
        held = Slot.objects.filter(project=project, person=user, state=Slot.State.LEASED)
        queue.release(project, user, list(held.values_list("uuid", flat=True)))


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


def _review(project: Project, cast: _Cast, truth: dict[str, Message]) -> None:
    """The reviewer settles what is pending but for the last few, by what the grammar meant."""
    while Review.objects.filter(project=project, state=Review.State.PENDING).count() > 3:
        review = reviews.claim_next(project, cast.reviewer)
        if review is None:
            break
        message = truth[review.item.text]
        given = review.annotation.value["label"] if review.annotation else None
        right = given is not None and given in (message.label, message.also)
        verdict = Review.Verdict.RIGHT if right else Review.Verdict.WRONG
        value = None if right else {"label": message.label}
        reviews.decide(review, cast.reviewer, verdict, value=value)
