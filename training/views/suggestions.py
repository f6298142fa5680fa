"""The page of suggestions before there is a model: choose a source, see how right it is, follow its jobs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.errors import GyreError
from annotation.models import Project
from annotation.permissions import can_admin
from annotation.selectors.projects import get_project
from jobs.models import State
from jobs.views.jobs import BADGES
from training.permissions import may_train
from training.selectors import suggestions as reads
from training.selectors.suggestions import FieldOption
from training.services import suggestions
from training.suggestion_sources import DESCRIPTIONS, LEAST_JUDGED, ORDERS, QUEUE, SMOLLM2, SOURCES


class SuggestForm(forms.Form):
    source = forms.ChoiceField(
        label=gettext_lazy("Suggest by"),
        choices=[(one.name, one.label) for one in SOURCES.values()],
        widget=forms.RadioSelect,
    )
    field = forms.ChoiceField(label=gettext_lazy("Field"))
    limit = forms.IntegerField(
        label=gettext_lazy("How many items"),
        min_value=0,
        max_value=max(source.most for source in SOURCES.values()),
        help_text=gettext_lazy("0 measures on resolved items and suggests nothing."),
    )
    order = forms.ChoiceField(label=gettext_lazy("Which items"), choices=list(ORDERS.items()))

    def __init__(self, *args: Any, options: list[FieldOption], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["field"].choices = [  # type: ignore[attr-defined]
            (one.name, f"{one.title} ({one.type})" if len(options) > 1 else one.title) for one in options
        ]
        if len(options) == 1:
            self.fields["field"].widget = forms.HiddenInput()
            self.fields["field"].initial = options[0].name


@login_required
@require_http_methods(["GET", "POST"])
def suggestions_page(request: HttpRequest, slug: str) -> HttpResponse:
    """GET shows; POST adds the job."""
    project = get_project(request.user, slug, may_train)
    options = reads.field_options(project)
    form = None
    if options:
        start = {"source": _first_source(options), "limit": 200, "order": QUEUE}
        form = SuggestForm(request.POST or None, options=options, initial=start)
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            suggestions.launch(project, **form.cleaned_data, by=request.user)  # type: ignore[arg-type]
        except GyreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Started. The page shows how far it is."))
            return redirect("training:suggestions", slug=slug)
    context = {
        "project": project,
        "form": form,
        "sources": list(SOURCES.values()),
        "options": options,
        "may_describe": can_admin(request.user, project),
        "undescribed": [one for one in options if one.undescribed],
        "measured": _measured(project, options),
        "least": LEAST_JUDGED,
        **_live(request, project),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "training/suggestions/suggestions.html", context, status=status)


def _first_source(options: list[FieldOption]) -> str:
    """Descriptions where there are some; the language model asks for none."""
    return DESCRIPTIONS if any(one.is_described for one in options) else SMOLLM2


def _measured(project: Project, options: list[FieldOption]) -> list[dict[str, Any]]:
    titles = {one.name: one.title for one in options} if len(options) > 1 else {}
    return [
        {"label": SOURCES[one.source].label, "title": titles.get(one.field, ""), "figures": one}
        for one in reads.measured(project)
    ]


@login_required
@require_GET
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """The jobs; polled while one is at work."""
    project = get_project(request.user, slug, may_train)
    return render(request, "training/suggestions/_runs.html", {"project": project, **_live(request, project)})


def _live(request: HttpRequest, project: Project) -> dict[str, Any]:
    """The jobs with what the page says of them. Whoever sees this page may cancel them."""
    runs = reads.runs(project)
    return {
        "runs": [
            {
                "run": run,
                "job": run.job,
                "source": SOURCES[run.source].label,
                "order": ORDERS[run.order],
                "badge": BADGES.get(State(run.job.state), ""),
                "can_cancel": not run.job.has_ended and run.job.cancel_requested_at is None,
            }
            for run in runs
        ],
        "is_open": any(not run.job.has_ended for run in runs),
        "polled": request.headers.get("X-Requested-With") == "poll",
    }


@login_required
@require_POST
def withdraw(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_train)
    try:
        suggestions.withdraw(project, by=request.user)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("They are taken back, but for those that somebody has acted on."))
    return redirect("training:suggestions", slug=slug)
