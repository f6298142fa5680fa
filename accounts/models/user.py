from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class Theme(models.TextChoices):
    AUTO = "auto", _("As the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


BREAKS = (
    (0, _("Off")),
    (25, _("After 25 minutes")),
    (50, _("After 50 minutes")),
    (90, _("After 90 minutes")),
)


class User(AbstractUser):
    """A person. People are deactivated, never deleted: their labels and the audit log point here."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    language = models.CharField(_("language"), max_length=16, blank=True)  # empty: what the browser asks for
    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.AUTO)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)  # empty: UTC
    mails_notices = models.BooleanField(
        _("news by mail"), default=False, help_text=_("What you have not read here after a few minutes.")
    )

    break_minutes = models.PositiveSmallIntegerField(
        _("reminder to take a break"),
        choices=BREAKS,
        default=0,
        help_text=_(
            "After so much time at work on the labelling page; a pause of five minutes counts as one."
        ),
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="accounts_user_email_unique",
                violation_error_message=_("A person with this e-mail address exists already."),
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username
