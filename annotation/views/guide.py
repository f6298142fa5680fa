"""The guideline: read by members, written by admins in numbered versions."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from annotation import permissions
from annotation.markdown import render as render_markdown
from annotation.selectors import choices, schemas
from annotation.selectors.projects import get_project
from annotation.services import guidelines


class GuidelineForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Guideline"),
        required=False,
        max_length=200_000,
        help_text=gettext_lazy("Markdown: # heading, **strong**, - list. HTML is shown as text."),
        widget=forms.Textarea(attrs={"class": "tall", "rows": 20}),
    )
    change_note = forms.CharField(
        label=gettext_lazy("What changed"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("One sentence for the people who label."),
    )
    base = forms.IntegerField(widget=forms.HiddenInput, required=False)


@login_required
@require_GET
def guide(request: HttpRequest, slug: str) -> HttpResponse:
    """The current guideline, or the version that `?version=` names."""
    project = get_project(request.user, slug, permissions.is_member)
    versions = list(project.guidelines.select_related("created_by").order_by("-number"))
    shown = versions[0] if versions else None
    if request.GET.get("version", "").isdigit():
        shown = get_object_or_404(project.guidelines, number=int(request.GET["version"]))
    schema = schemas.current(project)
    context = {
        "project": project,
        "versions": versions,
        "shown": shown,
        "html": render_markdown(shown.text) if shown else "",
        "choices": choices.choices(schemas.label_field(schema)) if schema else [],
        "may_edit": permissions.can_admin(request.user, project),
    }
    return render(request, "annotation/guide/guide.html", context)


@login_required
@require_GET
def guide_text(request: HttpRequest, slug: str) -> HttpResponse:
    """The guideline alone, for the dialog of the labelling page."""
    project = get_project(request.user, slug, permissions.is_member)
    version = schemas.current_guideline(project)
    schema = schemas.current(project)
    context = {
        "shown": version,
        "html": render_markdown(version.text) if version else "",
        "choices": choices.choices(schemas.label_field(schema)) if schema else [],
    }
    return render(request, "annotation/guide/_text.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def guide_edit(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    newest = schemas.current_guideline(project)
    number = newest.number if newest else 0
    if request.method == "POST":
        form = GuidelineForm(request.POST)
        if form.is_valid() and (form.cleaned_data["base"] or 0) != number:
            # somebody else published meanwhile: what was typed stays, and is published if sent again
            form.data = {**form.data.dict(), "base": str(number)}
            sentence = _("Version %(number)s was published while you wrote. Compare, then publish again.")
            form.add_error(None, sentence % {"number": number})
        if form.is_valid():
            version = guidelines.publish(
                project,
                form.cleaned_data["text"],
                change_note=form.cleaned_data["change_note"],
                by=request.user,
            )
            messages.success(
                request, _("Version %(number)s of the guideline is published.") % {"number": version.number}
            )
            return redirect("annotation:guide", slug=project.slug)
    else:
        form = GuidelineForm(initial={"text": newest.text if newest else "", "base": number})
    context = {"project": project, "form": form, "newest": newest}
    return render(request, "annotation/guide/edit.html", context, status=422 if form.errors else 200)
