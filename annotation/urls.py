"""Pages of annotation. A project is named by its slug; what engineers and admins open lies below admin/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.views import (
    agreement,
    discussions,
    exports,
    guide,
    home,
    imports,
    items,
    jobs,
    keys,
    label,
    me,
    people,
    projects,
    review,
    settings,
)

app_name = "annotation"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("me", me.me, name="me"),
    path("admin/", home.dashboard, name="dashboard"),
    path("admin/p/<slug:slug>/jobs", jobs.jobs, name="jobs"),
    path("admin/p/<slug:slug>/agreement", agreement.agreement, name="agreement"),
    path("admin/p/<slug:slug>/agreement/items", agreement.disagreements, name="disagreements"),
    path("p/<slug:slug>/label", label.label, name="label"),
    path("p/<slug:slug>/keys", keys.keys, name="keys"),
    path("p/<slug:slug>/review", review.review, name="review"),
    path("p/<slug:slug>/guide", guide.guide, name="guide"),
    path("p/<slug:slug>/guide/text", guide.guide_text, name="guide_text"),
    path("p/<slug:slug>/guide/edit", guide.guide_edit, name="guide_edit"),
    path("p/<slug:slug>/discussions", discussions.discussion_list, name="discussions"),
    path("p/<slug:slug>/discussions/<uuid:uuid>", discussions.discussion, name="discussion"),
    path("p/<slug:slug>/items", items.items, name="items"),
    path("p/<slug:slug>/import", imports.import_list, name="import"),
    path("p/<slug:slug>/import/<uuid:uuid>", imports.import_detail, name="import_detail"),
    path("p/<slug:slug>/import/<uuid:uuid>/state", imports.import_state, name="import_state"),
    path("p/<slug:slug>/import/<uuid:uuid>/read", imports.import_read, name="import_read"),
    path("p/<slug:slug>/import/<uuid:uuid>/discard", imports.import_discard, name="import_discard"),
    path("p/<slug:slug>/import/<uuid:uuid>/mend", imports.import_mend, name="import_mend"),
    path("p/<slug:slug>/import/<uuid:uuid>/report", imports.import_report, name="import_report"),
    path("p/<slug:slug>/export", exports.export, name="export"),
    path("p/<slug:slug>/export/download", exports.export_download, name="export_download"),
    path("admin/new", projects.project_new, name="project_new"),
    path("admin/p/<slug:slug>/clone", projects.project_clone, name="project_clone"),
    path("admin/p/<slug:slug>/state", projects.project_state, name="project_state"),
    path("admin/p/<slug:slug>/settings", settings.settings, name="settings"),
    path("admin/p/<slug:slug>/settings/labels", settings.labels, name="labels"),
    path("admin/p/<slug:slug>/people", people.people, name="people"),
    path("admin/p/<slug:slug>/people/invite", people.invite, name="invite"),
    path("admin/p/<slug:slug>/people/invite/<uuid:uuid>/revoke", people.invite_revoke, name="invite_revoke"),
    path("admin/p/<slug:slug>/people/<int:pk>", people.member, name="member"),
    path("join/<str:secret>", people.join, name="join"),
]
