"""The page of base models: which models a project can train, and registering one's own."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import GyreError
from annotation.selectors.projects import get_project
from jobs.models import Job
from training.permissions import may_train
from training.selectors import base_models as reads
from training.services import base_models


class RegisterForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    folder = forms.CharField(
        label=gettext_lazy("Folder or hub id"),
        max_length=1000,
        help_text=gettext_lazy(
            "A folder on this machine, as transformers saves a model; or owner/name, fetched from the hub."
        ),
    )
    is_default = forms.BooleanField(
        label=gettext_lazy("Train this one where none is named"), required=False, initial=True
    )


@login_required
@require_http_methods(["GET", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """GET shows; POST registers."""
    project = get_project(request.user, slug, may_train)
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = base_models.request(project, **form.cleaned_data, by=request.user)
        except GyreError as error:
            form.add_error("folder", str(error))
        else:
            if isinstance(made, Job):
                messages.success(request, _("The model is being fetched; it is registered when it is here."))
                return redirect(made)
            messages.success(request, _("“%(name)s” can be trained now.") % {"name": made.name})
            return redirect("training:base_models", slug=slug)
    context = {
        "project": project,
        "form": form,
        "models": reads.for_project(project),
        "packaged": reads.packaged(),
        "encoder": reads.packaged_encoder(),
        "default": reads.default(project),
        "default_encoder": reads.default(project, reads.Kind.ENCODER),
        "roots": reads.roots(),
    }
    return render(request, "training/base_models/index.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Make one the default, or forget it."""
    project = get_project(request.user, slug, may_train)
    name = request.POST.get("name", "")
    try:
        if "remove" in request.POST:
            base_models.remove(project, name, by=request.user)
        else:
            kind = request.POST.get("kind", reads.Kind.LANGUAGE)
            base_models.make_default(project, name, kind=kind, by=request.user)
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("training:base_models", slug=slug)
