"""Pages of annotation. A project is named by its slug; what only engineers and admins open lies below admin/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.views import guide, home, items, jobs, me

app_name = "annotation"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("me", me.me, name="me"),
    path("admin/", home.dashboard, name="dashboard"),
    path("admin/p/<slug:slug>/jobs", jobs.jobs, name="jobs"),
    path("p/<slug:slug>/guide", guide.guide, name="guide"),
    path("p/<slug:slug>/guide/text", guide.guide_text, name="guide_text"),
    path("p/<slug:slug>/guide/edit", guide.guide_edit, name="guide_edit"),
    path("p/<slug:slug>/items", items.items, name="items"),
]
