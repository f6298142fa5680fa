from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.api import models, suggestions

router = SimpleRouter(trailing_slash=False)
router.register(r"projects/(?P<slug>[-\w]+)/runs", models.Runs, basename="api-run")
router.register(r"projects/(?P<slug>[-\w]+)/models", models.Models, basename="api-model")

urlpatterns = [
    *router.urls,
    path("projects/<slug:slug>/suggestions", suggestions.Suggestions.as_view(), name="api-suggestions"),
]
