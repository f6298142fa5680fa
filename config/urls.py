"""Addresses. The apps are named by string; each owns what lies below its prefix."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.health import healthz
from config.static import favicon

api = [
    path("v1/", include("annotation.api.urls")),  # first, as annotators ask it all day
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("v1/", include("accounts.api.urls")),
    path("v1/", include("jobs.api.urls")),
    path("v1/", include("training.api.urls")),
    path("v1/", include("selection.api.urls")),
]

urlpatterns = [
    path("api/", include(api)),
    path("favicon.ico", favicon),
    path("healthz", healthz, name="healthz"),
    path("admin/db/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("accounts.urls")),
    path("", include("jobs.urls")),
    path("", include("training.urls")),
    path("", include("selection.urls")),
    path("", include("annotation.urls")),
]
