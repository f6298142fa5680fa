"""Flagging an item, answering, closing. One open thread an item; texts are plain."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit, notices
from annotation import notice_kinds as kinds
from annotation.errors import DiscussionRefused, SlotUnknown
from annotation.models import Comment, Discussion, Item, Project, Role, Slot
from annotation.services import telling
from annotation.services.archive import guard_writable

LONGEST = 4000


@transaction.atomic
def flag(project: Project, user: User, slot_uuid: uuid.UUID, text: str, *, client_key: str = "") -> Comment:
    """Open a thread on the item of a slot that is `user`'s, or answer in the open one. The slot stays theirs.

    Sending the same `client_key` again stores nothing.

    Raises:
        SlotUnknown: the slot is not in this project, or is not one's own.
        DiscussionRefused: the text is empty or too long.
    """
    slot = Slot.objects.filter(project=project, uuid=slot_uuid, person=user).select_related("item").first()
    if slot is None:
        raise SlotUnknown(_("This item is not yours to flag any more: load the page again."))
    return start(project, user, slot.item, text, client_key=client_key)


@transaction.atomic
def start(project: Project, user: User, item: Item, text: str, *, client_key: str = "") -> Comment:
    """Open a thread on an item, or answer in the open one; reviewers and above are told.

    Raises:
        DiscussionRefused: the text is empty or too long.
    """
    guard_writable(project)
    Item.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=item.pk)
    known = _stored(user, client_key)
    if known is not None:
        return known
    checked = _checked(text)
    discussion, made = Discussion.objects.get_or_create(
        project=project, item=item, closed_at=None, defaults={"opened_by": user}
    )
    if not made:
        return reply(discussion, user, text, client_key=client_key)
    comment = Comment.objects.create(discussion=discussion, author=user, text=checked, client_key=client_key)
    audit.record("item.flagged", actor=user, scope=project.uuid, target=discussion, row=item.row)
    reviewers = telling.members(project, Role.REVIEWER, Role.ENGINEER, Role.ADMIN)
    notices.tell(
        [one for one in reviewers if one.pk != user.pk],
        kinds.FLAGGED,
        key=str(project.uuid),
        url=reverse("annotation:discussions", args=[project.slug]),
        project=project.name,
    )
    return comment


@transaction.atomic
def reply(discussion: Discussion, user: User, text: str, *, client_key: str = "") -> Comment:
    """Answer in a thread; everybody else who wrote in it is told. An answer to a closed thread opens it again.

    Raises:
        DiscussionRefused: the text is empty or too long, or another thread on the item is open by now.
    """
    project = discussion.project
    guard_writable(project)
    known = _stored(user, client_key)
    if known is not None:
        return known
    checked = _checked(text)
    if discussion.closed_at is not None:
        if Discussion.objects.filter(item=discussion.item_id, closed_at=None).exists():
            raise DiscussionRefused(_("Another discussion of this item is open: answer there."))
        discussion.closed_at, discussion.closed_by = None, None
        discussion.save(update_fields=["closed_at", "closed_by"])
    comment = Comment.objects.create(discussion=discussion, author=user, text=checked, client_key=client_key)
    others = User.objects.filter(comments__discussion=discussion).exclude(pk=user.pk).distinct()
    notices.tell(
        others,
        kinds.REPLIED,
        key=str(discussion.uuid),
        url=reverse("annotation:discussion", args=[project.slug, discussion.uuid]),
        project=project.name,
        author=str(user),
    )
    return comment


@transaction.atomic
def close(discussion: Discussion, user: User) -> None:
    """Nothing is left to say. Closing twice changes nothing."""
    guard_writable(discussion.project)
    closed = Discussion.objects.filter(pk=discussion.pk, closed_at=None)
    if closed.update(closed_at=timezone.now(), closed_by=user):
        audit.record("discussion.closed", actor=user, scope=discussion.project.uuid, target=discussion)


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise DiscussionRefused(_("Write what is to be discussed, in a few words."))
    if len(text) > LONGEST:
        raise DiscussionRefused(
            _("The message has %(found)s characters, the limit is %(most)s: shorten it.")
            % {"found": len(text), "most": LONGEST}
        )
    return text


def _stored(user: User, client_key: str) -> Comment | None:
    if not client_key:
        return None
    return Comment.objects.filter(author=user, client_key=client_key[:64]).first()
