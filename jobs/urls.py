from __future__ import annotations

from django.urls import path

from jobs.views import jobs

app_name = "jobs"
urlpatterns = [
    path("jobs/", jobs.list_, name="list"),
    path("jobs/<uuid:uuid>/", jobs.detail, name="detail"),
    path("jobs/<uuid:uuid>/status/", jobs.status, name="status"),
    path("jobs/<uuid:uuid>/cancel/", jobs.cancel, name="cancel"),
    path("jobs/<uuid:uuid>/retry/", jobs.retry, name="retry"),
]
