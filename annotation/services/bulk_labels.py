"""One label for many items at once, by the same steps as one at a time; a larger share goes to a reviewer."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import LabelRefused
from annotation.models import Batch, Item, Project, Slot
from annotation.selectors import schemas
from annotation.services import labelling
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks, next_rank

MOST = 200
IN_ONE_TRANSACTION = 20
CHECKED_SHARE = 0.1  # of the labels given so, at least, for a spot check
DESIGN = "grid"
_TAKEN = (Slot.State.LEASED, Slot.State.DONE, Slot.State.SKIPPED)


@dataclass(frozen=True)
class Outcome:
    """`labelled` items got the label; `passed_over` ones are labelled, held or skipped by now, or test items."""

    labelled: int
    passed_over: int


def label_many(
    project: Project,
    user: User,
    rows: Sequence[int],
    value: Mapping[str, Any],
    *,
    client_key: str,
    check_share: float = CHECKED_SHARE,
) -> Outcome:
    """Give every item of `rows` the same answer. Sending the same `client_key` again stores nothing twice.

    Only train items that nobody has looked at: the answer is one person's one look at each, as any other, and a
    share of them goes to another reviewer: `check_share`, at least `CHECKED_SHARE` and what the project has.

    Raises:
        LabelRefused: the value does not fit the schema, no item or more than `MOST` were chosen.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    if not 0 < len(client_key) <= 50:
        raise LabelRefused(_("The answer came without a key of its own: load the page again."))
    if not 1 <= len(rows) <= MOST:
        raise LabelRefused(
            _("%(found)s items are chosen: choose 1 to %(most)s.") % {"found": len(rows), "most": MOST}
        )
    schema = schemas.require(project)
    labelling.checked(schema, value)
    items = list(Item.objects.filter(project=project, row__in=list(rows)).order_by("row"))
    share = max(project.spot_check_share, CHECKED_SHARE, check_share)
    labelled = 0
    for start in range(0, len(items), IN_ONE_TRANSACTION):
        part = items[start : start + IN_ONE_TRANSACTION]
        labelled += _label(project, user, part, value, client_key, share)
    audit.record(
        "items.labelled_together",
        actor=user,
        scope=project.uuid,
        target=project,
        items=labelled,
        passed_over=len(rows) - labelled,
    )
    return Outcome(labelled, len(rows) - labelled)


@transaction.atomic
def _label(
    project: Project,
    user: User,
    items: Sequence[Item],
    value: Mapping[str, Any],
    client_key: str,
    share: float,
) -> int:
    lock_ranks(project)
    batch = _batch(project, client_key)
    labelled = 0
    for item in items:
        slot = _slot(project, batch, user, item)
        if slot is None:
            continue
        key = f"{client_key}-{item.row}"
        labelling.submit(project, user, slot.uuid, value, client_key=key, check_share=share)
        labelled += 1
    return labelled


def _batch(project: Project, client_key: str) -> Batch:
    """The batch of one such answer; closed, since nobody else works on it."""
    origin = f"{DESIGN}:{client_key}"
    known = Batch.objects.filter(project=project, origin=origin).first()
    if known is not None:
        return known
    number = (project.batches.aggregate(last=Max("number"))["last"] or 0) + 1
    return Batch.objects.create(
        project=project, number=number, origin=origin, title=_("Labelled together"), is_open=False
    )


def _slot(project: Project, batch: Batch, user: User, item: Item) -> Slot | None:
    """A slot of the item that is the person's: the one made here before, one that waits in the queue, or a new
    one; None where the item is not to be labelled so.
    """
    own = Slot.objects.filter(batch=batch, item=item, person=user).first()
    if own is not None:
        return own
    is_open = item.split == Item.Split.TRAIN and not item.held_back and item.duplicate_of_id is None
    if not is_open or Slot.objects.filter(item=item, state__in=_TAKEN).exists():
        return None
    if item.resolutions.filter(is_current=True).exists():
        return None
    expires = timezone.now() + datetime.timedelta(seconds=project.lease_seconds)
    waiting = Slot.objects.filter(item=item, state=Slot.State.FREE).order_by("rank").first()
    if waiting is not None:
        waiting.batch, waiting.design = batch, DESIGN
        waiting.state, waiting.person, waiting.lease_expires_at = Slot.State.LEASED, user, expires
        waiting.save(update_fields=["batch", "design", "state", "person", "lease_expires_at"])
        return waiting
    return Slot.objects.create(
        project=project,
        batch=batch,
        item=item,
        rank=next_rank(project),
        state=Slot.State.LEASED,
        person=user,
        lease_expires_at=expires,
        design=DESIGN,
    )
