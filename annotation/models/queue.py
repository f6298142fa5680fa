"""Published work: batches of slots. A slot is one person's one look at one item."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .group import Group
from .item import Item
from .project import Project

LOWEST_RANK = -(2**62)  # below every rank that is given


class Batch(models.Model):
    """A set of slots published together. `origin` is an opaque key of what made it (a round)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    origin = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)  # why these items, in a sentence that people read
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="batch_number"),
            models.UniqueConstraint(
                fields=["project", "origin"], condition=~models.Q(origin=""), name="batch_origin"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.number}"


class Slot(models.Model):
    """One person's one look at one item.

    free -> leased -> done; a lease that runs out makes it free again under a new rank, so that no cursor has
    passed it; a skipped slot stays as a fact and a fresh one takes its place. `person` is set while leased,
    done or skipped, and the database holds that nobody looks at an item twice.
    """

    class State(models.TextChoices):
        FREE = "free", _("free")
        LEASED = "leased", _("leased")
        DONE = "done", _("done")
        SKIPPED = "skipped", _("skipped")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class Purpose(models.TextChoices):
        LABEL = "label", _("label")
        OVERLAP = "overlap", _("second labeller")
        EVALUATION = "evaluation", _("evaluation")
        CONTROL = "control", _("control arm")
        GOLD = "gold", _("gold")
        QUALIFICATION = "qualification", _("qualification")
        SELF_CONSISTENCY = "self", _("self-consistency")

    # Looks that measure the person and decide nothing: no final label, agreement or spot check rests on them.
    MEASURING = (Purpose.GOLD, Purpose.QUALIFICATION, Purpose.SELF_CONSISTENCY)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The indexes below begin with these three.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="slots", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="slots", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="slots", db_index=False)
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.LABEL)
    rank = models.BigIntegerField()  # unique per project; smaller comes first, below zero what was put first
    # 0, or 1 for a slot made for a person behind the one that they were handed: it shares that one's rank
    place = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.FREE)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="slots"
    )
    # Who alone may have it: one of the two, or anybody. No index: the walk over the free slots passes others by.
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    assigned_group = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    is_by_hand = models.BooleanField(default=False)  # put or assigned by a person: no new round takes it back
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=300, blank=True)
    design = models.CharField(max_length=40, blank=True)  # how it was drawn: the strategy's name, "random"
    inclusion_probability = models.FloatField(null=True, blank=True)  # null: the design has none (greedy)
    explanation = models.JSONField(default=dict, blank=True)  # score parts, for "why this item"
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "rank", "place"], name="slot_rank"),
            models.UniqueConstraint(
                fields=["item", "person"],
                condition=models.Q(person__isnull=False) & ~models.Q(purpose="self"),
                name="slot_one_look_each",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["free", "withdrawn"], person__isnull=True)
                | models.Q(state__in=["leased", "done", "skipped"], person__isnull=False),
                name="slot_person_matches_state",
            ),
            models.CheckConstraint(
                condition=models.Q(assigned_to__isnull=True) | models.Q(assigned_group__isnull=True),
                name="slot_assigned_once",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "rank"], condition=models.Q(state="free"), name="slot_free_rank"),
            models.Index(
                fields=["lease_expires_at"], condition=models.Q(state="leased"), name="slot_lease_expiry"
            ),
            # What a person holds, and what they have done today, is asked at every answer: neither may cost more
            # the longer their history is.
            models.Index(
                fields=["project", "person", "rank", "place"],
                condition=models.Q(state="leased"),
                name="slot_person_held",
            ),
            models.Index(fields=["project", "person", "state", "done_at"], name="slot_person_state_done"),
            # "Has this person seen the item?", asked for each free slot of the walk: with an index on each
            # column alone SQLite reads all that the person ever did.
            models.Index(fields=["item", "person"], name="slot_item_person"),
            models.Index(fields=["batch", "state", "item"], name="slot_batch_state_item"),
            models.Index(
                fields=["project", "item"],
                condition=models.Q(state__in=["free", "leased"]),
                name="slot_open_item",
            ),
        ]

    is_fresh = False  # where it was asked for: nobody has ever said anything here (not stored)

    def __str__(self) -> str:
        return f"{self.item_id} · {self.purpose} · {self.state}"

    @property
    def is_measuring(self) -> bool:
        return self.purpose in self.MEASURING


class Cursor(models.Model):
    """The highest rank that was handed to a person in a project: what lies below was seen or is not for them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cursors")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="cursors")
    rank = models.BigIntegerField(default=LOWEST_RANK)
    is_qualified = models.BooleanField(default=False)  # has done the project's qualification items

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "person"], name="cursor_once")]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.rank}"
