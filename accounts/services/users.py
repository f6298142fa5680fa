"""People: make, change, deactivate, and help who forgot the password."""

from __future__ import annotations

from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts.errors import AccountsError, NameTaken, PasswordRefused
from accounts.models import User
from accounts.models.user import BREAKS, Theme
from accounts.services import audit


@transaction.atomic
def create_user(
    username: str,
    *,
    password: str | None = None,
    email: str = "",
    first_name: str = "",
    last_name: str = "",
    language: str = "",
    is_superuser: bool = False,
    actor: User | None = None,
    check_password: bool = True,
) -> User:
    """Make a person. Without a password nobody can log in as them until `reset_link` has been used.

    Raises:
        NameTaken: the name or e-mail address belongs to somebody.
        PasswordRefused: the password is too weak (left out with `check_password=False`, for demo people).
    """
    username = User.normalize_username(username.strip())
    if User.objects.filter(username__iexact=username).exists():
        raise NameTaken(_("The name %(name)s is taken: choose another one.") % {"name": username})
    if email and User.objects.filter(email__iexact=email).exists():
        raise NameTaken(
            _("A person with the address %(email)s exists already: log in, or reset the password.")
            % {"email": email}
        )
    user = User(
        username=username,
        email=User.objects.normalize_email(email),
        first_name=first_name,
        last_name=last_name,
        language=language,
        is_superuser=is_superuser,
        is_staff=is_superuser,
    )
    if password is not None and check_password:
        _validate_password(password, user)
    user.set_password(password)
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise AccountsError(" ".join(error.messages), details=error.message_dict) from error
    user.save()
    audit.record("user.created", actor=actor or user, target=user, username=username)
    return user


def _validate_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from error


@transaction.atomic
def deactivate(user: User, *, actor: User | None = None) -> None:
    """Shut a person out. Labels and log stay theirs; API tokens are removed, open sessions end at the next
    request.
    """
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        user.api_tokens.all().delete()
        audit.record("user.deactivated", actor=actor, target=user)
    user.is_active = False


@transaction.atomic
def reactivate(user: User, *, actor: User | None = None) -> None:
    """Let a deactivated person in again, with the password they had."""
    if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        audit.record("user.reactivated", actor=actor, target=user)
    user.is_active = True


def reset_link(user: User, *, actor: User | None = None) -> str:
    """Path of a page on which `user` sets a new password, without mail. It works once and for three days."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("accounts:password_reset_confirm", args=[uid, default_token_generator.make_token(user)])
    audit.record("user.reset_link_made", actor=actor, target=user)
    return path


@transaction.atomic
def set_preferences(
    user: User,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    email: str | None = None,
    language: str | None = None,
    theme: str | None = None,
    time_zone: str | None = None,
    mails_notices: bool | None = None,
    break_minutes: int | None = None,
) -> None:
    """Change what a person may choose for themselves; None leaves a field as it is."""
    if language and language not in dict(settings.LANGUAGES):
        raise AccountsError(_("There is no language “%(language)s” here.") % {"language": language})
    if theme is not None and theme not in Theme.values:
        raise AccountsError(
            _("There is no theme “%(theme)s”: choose auto, light or dark.") % {"theme": theme}
        )
    if time_zone and time_zone not in available_timezones():
        raise AccountsError(
            _("“%(zone)s” is no time zone: give one such as Asia/Shanghai.") % {"zone": time_zone}
        )
    if break_minutes is not None and break_minutes not in dict(BREAKS):
        known = ", ".join(str(minutes) for minutes, _name in BREAKS)
        raise AccountsError(
            _("A reminder after %(minutes)s minutes is not offered: choose one of %(known)s.")
            % {"minutes": break_minutes, "known": known}
        )
    if email and User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
        raise NameTaken(_("A person with the address %(email)s exists already.") % {"email": email})
    given = {
        name: value
        for name, value in {
            "first_name": first_name,
            "last_name": last_name,
            "email": email,
            "language": language,
            "theme": theme,
            "time_zone": time_zone,
            "mails_notices": mails_notices,
            "break_minutes": break_minutes,
        }.items()
        if value is not None
    }
    for name, value in given.items():
        setattr(user, name, value)
    if given:
        user.save(update_fields=list(given))
