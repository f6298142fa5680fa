"""Filters for figures and times, for every template: {% load gyre %}."""

from __future__ import annotations

import json
from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.figures import number, percent
from accounts.wording import said

register = template.Library()
register.filter(percent)
register.filter(said)


@register.filter
def figure(value: float | None, digits: int = 2) -> str:
    """A number in the person's format; None -> a dash."""
    return "–" if value is None else number(value, digits)


@register.filter
def whole(value: int | None) -> str:
    """12345 -> 12,345 (or as the language has it); None -> a dash."""
    return "–" if value is None else number_format(value, 0, use_l10n=True, force_grouping=True)


@register.filter
def known(value: float | None) -> float | None:
    """None for what is not a number, so that `percent` and `figure` write a dash."""
    return None if value is None or value != value else value


@register.filter
def plain(value: float) -> str:
    """A number as attributes of HTML want it, whatever the language."""
    return f"{float(value):.6g}"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as people say them, coarse on purpose: 4 s, 3 min, 2 h 5 min."""
    if seconds is None:
        return "–"
    seconds = round(seconds)
    if seconds < 60:
        return _("%(n)d s") % {"n": seconds}
    if seconds < 3600:
        return _("%(n)d min") % {"n": round(seconds / 60)}
    return _("%(hours)d h %(minutes)d min") % {"hours": seconds // 3600, "minutes": seconds % 3600 // 60}


@register.filter
def file_size(count: int | None) -> str:
    if count is None:
        return "–"
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{number_format(size, 0 if unit == 'B' or size >= 100 else 1)} {unit}"


@register.filter
def as_json(value: object) -> str:
    """An answer as people may edit it in a form without scripts; "" for none."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


@register.filter
def items(count: int) -> str:
    return ngettext("%(n)s item", "%(n)s items", count) % {"n": whole(count)}


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    """A value by a key that is known only here; the key itself where there is none."""
    return mapping.get(key, key)


@register.simple_tag
def when(moment: datetime | None) -> str:
    """How long ago, with the exact time on hover: {% when job.created_at %}."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    exact = f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact, naturaltime(moment)
    )


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: object) -> str:
    """The page's query with parameters changed, empty ones taken out: ?{% query split="test"
    %}.
    """
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in (None, ""):
            parameters[name] = str(value)
    return parameters.urlencode()
