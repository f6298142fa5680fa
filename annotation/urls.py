"""Pages of annotation. A project is named by its slug; what only engineers and admins open lies below admin/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.views import home

app_name = "annotation"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("admin/", home.dashboard, name="dashboard"),
]
