"""A person's own page: pace, agreement, feedback, keys."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.charts import Bar, Chart, bar_chart
from annotation.selectors import key_maps, projects
from annotation.selectors import me as selectors


@login_required
@require_GET
def me(request: HttpRequest) -> HttpResponse:
    """One project at a time: the one of `?project=`, otherwise the one labelled last, otherwise the first."""
    mine = list(projects.projects_of(request.user))
    wanted = request.GET.get("project") or selectors.last_project(request.user)
    project = next((one for one in mine if one.slug == wanted), mine[0] if mine else None)
    work = selectors.own_work(request.user, project) if project else None
    context = {
        "projects": mine,
        "chosen": project,
        "work": work,
        "keys": key_maps.keys_of(request.user, project).actions if project else {},
        "pace": pace_chart(work) if work and work.total else None,
    }
    return render(request, "annotation/me/me.html", context)


def pace_chart(work: selectors.OwnWork) -> Chart:
    return bar_chart(
        [Bar(date_format(day, "MONTH_DAY_FORMAT"), count) for day, count in work.days],
        title=_("Labels a day"),
        note=_("the last %(days)s days, n = %(n)s") % {"days": len(work.days), "n": work.total},
        name_label=_("Day"),
        x_label=_("labels"),
        value_format=lambda value: f"{value:.0f}" if value == int(value) else "",
    )
