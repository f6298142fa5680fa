"""The page where a language model is set to learn from rewards."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from annotation.models import Project
from annotation.selectors.projects import get_project
from training.models import TrainingRun
from training.permissions import may_train
from training.reinforcement import ReinforceSettings
from training.selectors import base_models as bases
from training.selectors import runs
from training.services import reinforcing

_START = ReinforceSettings()


class ReinforceForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name of the new base model"),
        max_length=60,
        help_text=gettext_lazy("The name of one that failed or was cancelled goes on with it."),
    )
    reward = forms.TypedChoiceField(label=gettext_lazy("Reward model"), coerce=int)
    base_model = forms.ChoiceField(label=gettext_lazy("Base model that learns"), required=False)
    steps = forms.IntegerField(label=gettext_lazy("Steps"), initial=_START.steps)
    batch_size = forms.IntegerField(label=gettext_lazy("Replies a step"), initial=_START.batch_size)
    replies = forms.IntegerField(
        label=gettext_lazy("Replies a prompt"),
        initial=_START.replies,
        help_text=gettext_lazy("Those of one prompt are compared with each other."),
    )
    most_new_tokens = forms.IntegerField(
        label=gettext_lazy("Longest reply in tokens"), initial=_START.most_new_tokens
    )
    learning_rate = forms.FloatField(label=gettext_lazy("Learning rate"), initial=_START.learning_rate)
    beta = forms.FloatField(
        label=gettext_lazy("Pull towards the base"),
        initial=_START.beta,
        help_text=gettext_lazy("Larger stays nearer to the base; 0: none."),
    )
    adapter = forms.ChoiceField(
        label=gettext_lazy("What learns"),
        choices=[("lora", gettext_lazy("a small adapter (LoRA)")), ("full", gettext_lazy("all weights"))],
        help_text=gettext_lazy("All weights need several times the memory of a small adapter."),
    )
    processes = forms.IntegerField(
        label=gettext_lazy("Processes"),
        initial=_START.processes,
        help_text=gettext_lazy("One for each graphics card."),
    )
    profile_steps = forms.IntegerField(
        label=gettext_lazy("Steps looked at"),
        initial=_START.profile_steps,
        help_text=gettext_lazy("The profiler says where the time of so many steps went; 0: none."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["reward"].choices = [
            (model.number, _("Model %(number)s") % {"number": model.number})
            for model in reinforcing.reward_models(project)
        ]
        fields["base_model"].choices = [
            ("", _("that of the reward model")),
            *((name, name) for name in bases.names(project)),
        ]


@login_required
@require_http_methods(["GET", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """GET shows; POST adds the run."""
    project = get_project(request.user, slug, may_train)
    form = (
        ReinforceForm(request.POST or None, project=project) if reinforcing.reward_models(project) else None
    )
    if request.method == "POST" and form is not None and form.is_valid():
        given = dict(form.cleaned_data)
        name, number, base_model = (given.pop(key) for key in ("name", "reward", "base_model"))
        try:
            run = reinforcing.launch(
                project,
                name=name,
                number=number,
                base_model=base_model,
                settings=given,
                by=request.user,  # type: ignore[arg-type]
            )
        except GyreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Started. The page shows how far it is."))
            return redirect("training:run", slug=slug, number=run.number)
    context = {
        "project": project,
        "form": form,
        "has_base": bool(bases.names(project)),
        "runs": runs.for_project(project).filter(learner=TrainingRun.Learner.REINFORCE)[:20],
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "training/reinforcement/index.html", context, status=status)
