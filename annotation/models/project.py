"""A project: one labelling task over one pool of items, and its rules."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .fields import ShareField, share_between


class Project(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        ARCHIVED = "archived", _("archived")

    class OverlapMode(models.TextChoices):
        """When an item gets another look than those it was published with."""

        FIXED = "fixed", _("fixed: as drawn when work is published")
        ADAPTIVE = "adaptive", _("adaptive: another look while the label is unsure")

    class Mode(models.TextChoices):
        """How far suggestions may go. A label of the schema may have a stricter mode of its own."""

        MANUAL = "manual", _("by hand: suggestions are never shown")
        ASSISTED = "assisted", _("assisted: people see suggestions and decide")
        HYBRID = "hybrid", _("hybrid: reviewers may also accept sure suggestions in bulk")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(_("address"), max_length=60, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    is_synthetic = models.BooleanField(_("made from synthetic data"), default=False)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    seed = models.PositiveIntegerField(
        _("seed"),
        default=0,
        help_text=_("Splits and samples are drawn from it; it never changes once items are in."),
    )

    # how items are divided, at intake and for good
    validation_share = ShareField(_("validation share"), default=0.1)
    test_share = ShareField(_("test share"), default=0.2)

    # how work is handed out
    overlap_share = ShareField(
        _("overlap"), default=0.1, help_text=_("Share of items that get a second labeller.")
    )
    overlap_mode = models.CharField(
        _("second labellers"),
        max_length=8,
        choices=OverlapMode.choices,
        default=OverlapMode.FIXED,
        help_text=_(
            "Adaptive: who is how right is learnt from the answers, and an item is shown to one person more "
            "while its label is not sure enough. For fields where people choose one of several answers."
        ),
    )
    maximum_looks = models.PositiveIntegerField(
        _("labellers of an item at most"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text=_("Adaptive: an item that is unsure after so many goes to a reviewer if it is tied."),
    )
    target_certainty = ShareField(
        _("sure enough"),
        default=0.9,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
        help_text=_("Adaptive: the belief in a label from which on nobody else is asked, 0.5 to 0.999."),
    )
    evaluation_items = models.PositiveIntegerField(
        _("evaluation items"),
        default=300,
        help_text=_("How many validation and test items are labelled to judge models, in all."),
    )
    evaluation_overlap_share = ShareField(_("evaluation items labelled twice"), default=0.5)
    lease_seconds = models.PositiveIntegerField(
        _("lease in seconds"), default=900, validators=[MinValueValidator(30), MaxValueValidator(86400)]
    )
    daily_goal = models.PositiveIntegerField(_("daily goal per person"), default=60)

    # what is checked, and what people are shown
    spot_check_share = ShareField(
        _("spot checks"),
        default=0.08,
        help_text=_("Share of submitted labels that a reviewer sees; 5 to 10 %."),
    )
    mode = models.CharField(
        _("suggestions"),
        max_length=8,
        choices=Mode.choices,
        default=Mode.ASSISTED,
        help_text=_(
            "A label may have a stricter mode of its own, such as by hand for what is safety-critical."
        ),
    )
    prelabel_hidden_share = ShareField(
        _("suggestions kept back"),
        default=0.1,
        help_text=_(
            "Share of items on which the suggestion is hidden, to measure how far it pulls people along."
        ),
    )
    self_consistency_share = ShareField(
        _("asked again"),
        default=0.01,
        help_text=_("Share of items that people get a second time later, to see whether they answer alike."),
    )
    gold_share = ShareField(
        _("gold items"),
        default=0.0,
        help_text=_("So many items with a known answer are mixed in for each item; none without gold items."),
    )
    gold_feedback = models.BooleanField(
        _("tell people their results on gold items"),
        default=False,
        help_text=_("On their own page, an hour after the answer. It makes the items known."),
    )
    qualification_items = models.PositiveIntegerField(
        _("qualification items"),
        default=0,
        help_text=_(
            "So many items with a known answer stand among the first ones of everybody new; 0: none."
        ),
    )
    bulk_target_accuracy = ShareField(
        _("accuracy for accepting in bulk"),
        default=0.95,
        help_text=_(
            "Suggestions may be accepted in bulk from the confidence on that was right so often, beyond chance, "
            "on items that people have decided."
        ),
    )
    bulk_check_share = ShareField(
        _("spot checks of what is accepted in bulk"),
        default=0.08,
        help_text=_("Drawn at random for a reviewer; 5 to 10 %."),
    )
    likely_first = models.BooleanField(
        _("likeliest labels first"),
        default=False,
        help_text=_("Faster, but it anchors: people choose what stands first."),
    )

    # rounds
    batch_size = models.PositiveIntegerField(_("batch size"), default=100, validators=[MinValueValidator(1)])
    control_share = ShareField(
        _("control arm"),
        default=0.1,
        help_text=_("Share of each batch picked at random, to measure the gain."),
    )

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        constraints = [
            share_between("project", "validation_share", 0, 0.5),
            share_between("project", "test_share", 0, 0.5),
            share_between("project", "overlap_share", 0, 1),
            share_between("project", "evaluation_overlap_share", 0, 1),
            share_between("project", "target_certainty", 0, 1),
            share_between("project", "spot_check_share", 0, 1),
            share_between("project", "self_consistency_share", 0, 1),
            share_between("project", "gold_share", 0, 1),
            share_between("project", "control_share", 0, 1),
            share_between("project", "prelabel_hidden_share", 0, 1),
            share_between("project", "bulk_target_accuracy", 0.5, 0.999),
            share_between("project", "bulk_check_share", 0.05, 0.1),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("annotation:label", args=[self.slug])

    @property
    def is_adaptive(self) -> bool:
        return self.overlap_mode == self.OverlapMode.ADAPTIVE

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE
