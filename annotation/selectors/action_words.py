"""Actions on items in words: what they are called, what will happen, what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

NAMES = {
    "assign": gettext_lazy("Assign to somebody"),
    "queue_first": gettext_lazy("Queue first"),
    "relabel": gettext_lazy("Have labelled again"),
    "tag": gettext_lazy("Tag"),
    "untag": gettext_lazy("Take a tag off"),
    "hold_back": gettext_lazy("Hold back"),
    "release": gettext_lazy("Release"),
    "delete": gettext_lazy("Delete"),
}
MEANINGS = {
    "assign": gettext_lazy(
        "One look at each item is kept for whom you choose; nobody else is handed it, and no new round takes it "
        "back. Items that are not in the queue come to its end. Who has looked at an item already does not get "
        "it again."
    ),
    "queue_first": gettext_lazy(
        "These items are handed out before all others, in order of row, and no new round takes them back. Items "
        "that are not in the queue are put there; those that have a label or are in somebody's hands stay as "
        "they are."
    ),
    "relabel": gettext_lazy(
        "Somebody who has not seen it looks at each item again, before all other work. The new answer counts as "
        "a further vote; what was answered before stays. Items without a label are left out."
    ),
    "tag": gettext_lazy("The tag is put on each item; those that have it keep it."),
    "untag": gettext_lazy("The tag is taken off each item that has it."),
    "hold_back": gettext_lazy(
        "Held back items are neither picked by rounds nor put into dataset versions, and their free places in "
        "the queue are withdrawn. Labels stay. You can release them later."
    ),
    "release": gettext_lazy(
        "The items may be used again. Places in the queue that were withdrawn do not come back by themselves: a "
        "round picks the items, or you queue them."
    ),
    "delete": gettext_lazy(
        "Text, metadata and your own ids are erased here for good, of all exact duplicates too, and the items "
        "are never used again, test and validation items among them. Rows and answers stay, without the text. "
        "Not erased: files that were uploaded, dataset versions that are frozen, models that were trained, and "
        "what people wrote in answers and discussions."
    ),
}
_LEFT = {
    "labelled": gettext_lazy("have a label"),
    "unlabelled": gettext_lazy("have no label"),
    "in_hand": gettext_lazy("are in somebody's hands"),
    "waiting": gettext_lazy("are in the queue already"),
    "seen": gettext_lazy("were seen by that person"),
    "duplicate": gettext_lazy("are duplicates"),
    "held_back": gettext_lazy("are held back"),
    "not_held_back": gettext_lazy("are not held back"),
    "deleted": gettext_lazy("are deleted"),
    "tagged": gettext_lazy("have the tag already"),
    "not_tagged": gettext_lazy("do not have the tag"),
    "not_assigned": gettext_lazy("are nobody's in particular"),
}
_VERBS = {
    "items.assigned": gettext_lazy("assigned"),
    "items.queued_first": gettext_lazy("queued first"),
    "items.queued_again": gettext_lazy("queued to be labelled again"),
    "items.tagged": gettext_lazy("tagged"),
    "items.untagged": gettext_lazy("tag taken off"),
    "items.held_back": gettext_lazy("held back"),
    "items.released": gettext_lazy("released"),
    "items.deleted": gettext_lazy("deleted"),
}


def summary(action: str, rows: Sequence[int], left: Mapping[str, int]) -> str:
    """What came of an action: "Tag: 12 items. Left: 3 have the tag already."."""
    done = ngettext("%(n)s item", "%(n)s items", len(rows)) % {"n": f"{len(rows):,}"}
    text = _("%(action)s: %(done)s.") % {"action": NAMES[action], "done": done}
    reasons = [f"{count:,} {_LEFT[reason]}" for reason, count in left.items() if count and reason in _LEFT]
    return f"{text} {_('Left: %(reasons)s.') % {'reasons': ', '.join(reasons)}}" if reasons else text


def event(verb: str) -> str:
    """An entry of the audit log about items, in words."""
    return str(_VERBS.get(verb, verb))
