"""The pages of models: all of them, and one with its evaluation and decisions."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.errors import GyreError
from annotation.selectors.projects import get_project
from training import charts
from training.models import Decision, TrainingRun
from training.permissions import may_train
from training.selectors import comparisons, evaluations, models, runs
from training.services import decisions, reinforcing


class OverruleForm(forms.Form):
    action = forms.ChoiceField(label=gettext_lazy("Decision"), choices=Decision.Action.choices)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("One sentence that a colleague can follow later."),
    )


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """All models with what became of them, and the runs that are still going."""
    project = get_project(request.user, slug, may_train)
    serving = models.deployed(project)
    found = [
        {
            "model": model,
            "headline": evaluations.headline(judged[0])
            if (judged := list(model.evaluations.all()))
            else None,
            "difference": evaluations.difference(judged[0]) if judged else None,
            "decision": next(iter(model.decisions.all()), None),
            "is_serving": serving is not None and serving.pk == model.pk,
        }
        for model in models.for_project(project)[:200]
    ]
    context = {
        "project": project,
        "models": found,
        "runs": runs.for_project(project)[:50],
        "serving": serving,
        "learns_replies": reinforcing.learns_replies(project),
    }
    return render(request, "training/models/index.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def evaluation(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One model: how good it is, beside the deployed one, and what was decided; POST overrules."""
    project = get_project(request.user, slug, may_train)
    model = evaluations.get_model(project, number)
    form = OverruleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            decisions.overrule(model, **form.cleaned_data, by=request.user)
        except GyreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Your decision is stored with its reason."))
            return redirect("training:evaluation", slug=slug, number=number)
    judged = models.latest_evaluation(model)
    language = evaluations.language_report(judged) if judged else None
    report = evaluations.report(judged) if judged and not language else None
    serving = models.deployed(project)
    context = {
        "project": project,
        "model": model,
        "evaluation": judged,
        "report": report,
        "language": language,
        "charts": charts.of_report(report) if report else [],
        "tuned": model.figures if model.run.learner == TrainingRun.Learner.TUNE else None,
        "reinforced": model.figures if model.run.learner == TrainingRun.Learner.REINFORCE else None,
        "comparisons": [comparisons.view(one) for one in comparisons.for_model(model)[:10]],
        "decisions": model.decisions.select_related("by"),
        "serving": serving,
        "is_serving": serving is not None and serving.pk == model.pk,
        "form": form,
    }
    return render(request, "training/models/evaluation.html", context, status=400 if form.errors else 200)
