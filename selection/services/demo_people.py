"""The people of the demo projects: their accounts, how they take turns, how the reviewer decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import users
from annotation.demo.messages import PEOPLE, Person
from annotation.models import Batch, Project, Review, Role, Slot
from annotation.services import memberships, queue, reviews

LEFT_TO_REVIEW = 3
Look = Callable[[User, Person, Slot], None]
# What the reviewer has to say of one review: (verdict, value where it is wrong, a note to the labeller).
Ruling = Callable[[Review], tuple[str, Mapping[str, Any] | None, str]]


@dataclass(frozen=True)
class Cast:
    admin: User
    engineer: User
    reviewer: User
    annotators: dict[str, tuple[User, Person]]


def cast(password: str) -> Cast:
    def person(username: str, name: str, **more: bool) -> User:
        known = User.objects.filter(username=username).first()
        first, _space, last = name.partition(" ")
        return known or users.create_user(
            username, password=password, first_name=first, last_name=last, **more
        )

    return Cast(
        admin=person("admin", "Mira Admin", is_superuser=True),
        engineer=person("li", "Li Wei"),
        reviewer=person("rita", "Rita Sommer"),
        annotators={one.username: (person(one.username, one.name), one) for one in PEOPLE},
    )


def accounts(cast: Cast, password: str) -> str:
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


def join(project: Project, cast: Cast) -> None:
    for user, role in [(cast.engineer, Role.ENGINEER), (cast.reviewer, Role.REVIEWER)]:
        memberships.add(project, user, role, by=cast.admin)
    for user, _person in cast.annotators.values():
        memberships.add(project, user, Role.ANNOTATOR, by=cast.admin)


def take_turns(
    project: Project,
    batch: Batch,
    cast: Cast,
    look: Look,
    rng: np.random.Generator,
    limit: int | None = None,
) -> None:
    """People in random order look at one item each until the batch is empty, or `limit` of it is done."""
    people = list(cast.annotators.values())
    idle = 0
    while idle < 4 * len(people):
        if limit is not None and batch.slots.filter(state=Slot.State.DONE).count() >= limit:
            break
        user, person = people[rng.integers(len(people))]
        slots = queue.lease(project, user, count=1)
        idle = 0 if slots else idle + 1
        for slot in slots:
            look(user, person, slot)
    for user, _person in people:
        held = Slot.objects.filter(project=project, person=user, state=Slot.State.LEASED)
        queue.release(project, user, list(held.values_list("uuid", flat=True)))


def review(project: Project, cast: Cast, ruling: Ruling) -> None:
    """The reviewer settles what is pending but for the last few."""
    while Review.objects.filter(project=project, state=Review.State.PENDING).count() > LEFT_TO_REVIEW:
        one = reviews.claim_next(project, cast.reviewer)
        if one is None:
            break
        verdict, value, note = ruling(one)
        reviews.decide(one, cast.reviewer, verdict, value=value, note=note)
