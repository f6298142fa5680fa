"""Addresses of the REST API of annotation, below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.api import queue

app_name = "annotation-api"
_PROJECT = "projects/<slug:slug>/"
urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_PROJECT}next", queue.take_next, name="next"),
    path(f"{_PROJECT}submit", queue.submit, name="submit"),
    path(f"{_PROJECT}skip", queue.skip, name="skip"),
    path(f"{_PROJECT}undo", queue.undo, name="undo"),
    path(f"{_PROJECT}renew", queue.renew, name="renew"),
    path(f"{_PROJECT}release", queue.release, name="release"),
]
