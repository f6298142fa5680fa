"""Pages of training: models and runs, for engineers of a project."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from training.views import base_models, models, reinforcement, runs, suggestions

app_name = "training"
_PROJECT = "admin/p/<slug:slug>"
urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_PROJECT}/models", models.index, name="models"),
    path(f"{_PROJECT}/models/<int:number>", models.evaluation, name="evaluation"),
    path(f"{_PROJECT}/runs/compare", runs.compare, name="run_compare"),
    path(f"{_PROJECT}/runs/<int:number>/trace", runs.trace, name="run_trace"),
    path(f"{_PROJECT}/runs/<int:number>", runs.detail, name="run"),
    path(f"{_PROJECT}/runs/<int:number>/live", runs.live, name="run_live"),
    path(f"{_PROJECT}/base-models", base_models.index, name="base_models"),
    path(f"{_PROJECT}/base-models/change", base_models.change, name="base_model_change"),
    path(f"{_PROJECT}/rewards", reinforcement.index, name="reinforcement"),
    path(f"{_PROJECT}/suggestions", suggestions.suggestions_page, name="suggestions"),
    path(f"{_PROJECT}/suggestions/live", suggestions.live, name="suggestions_live"),
    path(f"{_PROJECT}/suggestions/withdraw", suggestions.withdraw, name="suggestions_withdraw"),
]
