"""Forms of the account pages: they say what is typed; accounts.services says whether it may be."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.models.user import BREAKS


def _zones() -> list[tuple[str, Any]]:
    names = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", _("UTC")), *((name, name.replace("_", " ")) for name in names)]


class PreferencesForm(forms.ModelForm):
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, choices=_zones)
    break_minutes = forms.TypedChoiceField(
        label=User._meta.get_field("break_minutes").verbose_name,
        help_text=User._meta.get_field("break_minutes").help_text,
        required=False,  # a form that does not ask for it leaves it as it is
        choices=BREAKS,
        coerce=int,
        empty_value=None,
    )

    class Meta:
        model = User
        fields = [
            *("first_name", "last_name", "email", "language", "theme", "time_zone"),
            "mails_notices",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["break_minutes"].initial = self.instance.break_minutes


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What it is for, so that you will know it again.")
    )
