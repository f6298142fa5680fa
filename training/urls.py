"""Pages of training: models and runs, for engineers of a project."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from training.views import models, runs, suggestions

app_name = "training"
_PROJECT = "admin/p/<slug:slug>"
urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_PROJECT}/models", models.index, name="models"),
    path(f"{_PROJECT}/models/<int:number>", models.evaluation, name="evaluation"),
    path(f"{_PROJECT}/runs/<int:number>", runs.detail, name="run"),
    path(f"{_PROJECT}/runs/<int:number>/live", runs.live, name="run_live"),
    path(f"{_PROJECT}/suggestions", suggestions.suggestions_page, name="suggestions"),
    path(f"{_PROJECT}/suggestions/live", suggestions.live, name="suggestions_live"),
    path(f"{_PROJECT}/suggestions/withdraw", suggestions.withdraw, name="suggestions_withdraw"),
]
