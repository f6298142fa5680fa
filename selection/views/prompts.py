"""Prompts that a language model is unsure about, for projects that ask for responses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from accounts.charts import Chart
from accounts.errors import GyreError
from annotation.models import Project
from annotation.selectors.projects import get_project
from annotation.services import item_actions
from selection import charts, prompt_words
from selection.permissions import may_run_rounds
from selection.selectors import prompts as reads
from selection.services import prompts
from training.selectors import base_models

FIRST = 10  # prompts that are ticked to be put first in the queue, and drawn layer by layer


class AskForm(forms.Form):
    model = forms.ChoiceField(label=_("Language model"), required=False)
    count = forms.IntegerField(
        label=_("How many prompts"),
        min_value=1,
        max_value=prompts.MOST,
        initial=10,
        help_text=_("Drawn at random from those without an answer. About half a minute each."),
    )

    def __init__(self, data: Any = None, *, project: Project) -> None:
        super().__init__(data)
        names = [(name, name) for name in base_models.names(project)]
        self.fields["model"].choices = [("", _("the project’s default")), *names]


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest measurement; `t` is the temperature that is shown."""
    project = get_project(request.user, slug, may_run_rounds)
    return _page(request, project, AskForm(project=project))


def _page(request: HttpRequest, project: Project, form: AskForm, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        **_status(project),
        "form": form,
        "usable": reads.asks_for_responses(project),
        "asked": None,
    }
    if job := reads.newest(project):
        try:
            found = reads.asked(project, job, _number(request.GET.get("t")), request.GET.get("by", ""))
            context |= {
                "asked": found,
                "charts": _charts(found),
                "direction": "descending" if reads.SIGNALS[found.by] > 0 else "ascending",
                "signals": [(name, prompt_words.SIGNALS[name]) for name in _columns(found)],
                "signal": prompt_words.SIGNALS[found.by],
                "rows": [(one, _bars(one, found)) for one in found.prompts],
                "may_queue": item_actions.ACTIONS["queue_first"].need(request.user, project),
                "first": FIRST,
            }
        except GyreError as error:  # its files are gone
            messages.error(request, str(error))
    return render(request, "selection/prompts/index.html", context, status=status)


def _charts(found: reads.Asked) -> list[Chart]:
    drawn = [charts.unsureness(found.by_temperature)]
    if found.by_layer:
        drawn.append(charts.attention_by_layer(found.by_layer))
    if by_prompt := charts.attention_of_prompts(found.prompts[:FIRST]):
        drawn.append(by_prompt)
    return drawn


def _columns(found: reads.Asked) -> list[str]:
    """The signals, the one that orders the prompts first."""
    return sorted(reads.SIGNALS, key=lambda name: name != found.by)


def _bars(prompt: reads.Prompt, found: reads.Asked) -> list[tuple[str, float | None, float]]:
    """Name, value and length of the bar of each signal, of 1: the share of the greatest among those shown."""
    bars = []
    for name in _columns(found):
        value = prompt.signal(name)
        every = [abs(given) for one in found.prompts if (given := one.signal(name)) is not None]
        bars.append((name, value, abs(value or 0.0) / (max(every, default=0.0) or 1.0)))
    return bars


@login_required
@require_POST
def launch(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    form = AskForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, form, status=400)
    try:
        prompts.launch(project, **form.cleaned_data, by=request.user)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("selection:prompts", slug=slug)


@login_required
@require_GET
def status(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the job is; polled by the page while it runs."""
    project = get_project(request.user, slug, may_run_rounds)
    return render(request, "selection/prompts/_status.html", {**_status(project), "polled": True})


def _status(project: Project) -> dict[str, Any]:
    return {"project": project, "running": reads.running(project), "failed": reads.failed(project)}


def _number(given: str | None) -> float | None:
    try:
        number = float(given or "")
    except ValueError:
        return None
    return number if 0 < number < 100 else None
