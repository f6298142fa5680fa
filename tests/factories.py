"""One small factory a model, for tests. Each makes the least that is valid and takes what a test cares for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from accounts.models import User
from accounts.services import users
from annotation.models import Import, Item, Labeller, Membership, Project, Role, Source
from annotation.services import items, labellers, memberships, projects

PASSWORD = "correct horse battery"
LABELS = ("Refund", "Card lost", "Other")
_numbers = itertools.count(1)


def make_user(username: str = "", **fields: Any) -> User:
    return users.create_user(username or f"person{next(_numbers)}", password=PASSWORD, **fields)


def make_project(
    name: str = "", *, labels: Sequence[Any] = LABELS, by: User | None = None, **fields: Any
) -> Project:
    """A project with three labels; `by` (if given) is its admin."""
    return projects.create(name or f"Project {next(_numbers)}", created_by=by, labels=labels, **fields)


def add_member(project: Project, role: str = Role.ANNOTATOR, user: User | None = None) -> User:
    """A user (a new one if none is given) who belongs to the project with this role."""
    user = user or make_user()
    memberships.add(project, user, role)
    return user


def membership_of(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def make_source(project: Project, name: str = "") -> Source:
    return Source.objects.create(
        project=project, kind=Source.Kind.API, name=name or f"source {next(_numbers)}"
    )


def make_items(
    project: Project, texts: Iterable[str] | int = 3, *, split: str | None = None, source: str = "tests"
) -> list[Item]:
    """Items by the product's own door, in the order of `texts` (or so many made-up texts), all of one split
    if
    """
    if isinstance(texts, int):
        texts = [f"text number {next(_numbers)}" for _ in range(texts)]
    records = [items.Record(text=text, split=split) for text in texts]
    added = items.add_items(project, records, source=source)
    found = Item.objects.in_bulk(added.item_ids)
    return [found[item_id] for item_id in added.item_ids]


def make_item(project: Project, text: str = "", *, split: str | None = "train") -> Item:
    return make_items(project, [text or f"text number {next(_numbers)}"], split=split)[0]


def make_model_labeller(project: Project, key: str = "") -> Labeller:
    key = key or f"model-{next(_numbers)}"
    return labellers.model(project, key, f"Model {key}")


def make_import(
    project: Project, *, lines: Iterable[str], name: str = "texts.csv", by: User | None = None
) -> Import:
    """An uploaded file with these lines, waiting for its columns."""
    from io import BytesIO

    from annotation.services import imports

    return imports.upload(project, BytesIO("".join(f"{line}\n" for line in lines).encode()), name, by=by)
