"""Addresses of the REST API of annotation, below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.api import checks, exports, gold, imports, item_actions, items, projects, queue, reviews

app_name = "annotation-api"
_PROJECT = "projects/<slug:slug>"
_IMPORT = f"{_PROJECT}/imports/<uuid:uuid>"
urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_PROJECT}/next", queue.take_next, name="next"),
    path(f"{_PROJECT}/submit", queue.submit, name="submit"),
    path("templates", projects.templates, name="templates"),
    path("projects", projects.Projects.as_view(), name="projects"),
    path(_PROJECT, projects.OneProject.as_view(), name="project"),
    path(f"{_PROJECT}/schema", projects.Schema.as_view(), name="schema"),
    path(f"{_PROJECT}/items", items.item_list, name="items"),
    path(f"{_PROJECT}/items/actions", item_actions.act, name="item-actions"),
    path(f"{_PROJECT}/gold", gold.set_gold, name="gold"),
    path(f"{_PROJECT}/prelabels", items.prelabel_list, name="prelabels"),
    path(f"{_PROJECT}/imports", imports.Imports.as_view(), name="imports"),
    path(_IMPORT, imports.one, name="import"),
    path(f"{_IMPORT}/start", imports.start, name="import-start"),
    path(f"{_IMPORT}/rejected", imports.Rejected.as_view(), name="import-rejected"),
    path(f"{_IMPORT}/rejected/file", imports.rejected_file, name="import-rejected-file"),
    path(f"{_PROJECT}/export/<slug:what>.<slug:file_format>", exports.export, name="export"),
    path(f"{_PROJECT}/agreement", exports.agreement_report, name="agreement"),
    path(f"{_PROJECT}/reviews/next", reviews.next_review, name="review-next"),
    path(f"{_PROJECT}/reviews/<uuid:uuid>", reviews.decide, name="review"),
    path(f"{_PROJECT}/skip", queue.skip, name="skip"),
    path(f"{_PROJECT}/flag", queue.flag, name="flag"),
    path(f"{_PROJECT}/undo", queue.undo, name="undo"),
    path(f"{_PROJECT}/check/next", checks.take_next, name="check-next"),
    path(f"{_PROJECT}/check/accept", checks.accept, name="check-accept"),
    path(f"{_PROJECT}/check/reject", checks.reject, name="check-reject"),
    path(f"{_PROJECT}/check/undo", checks.undo, name="check-undo"),
    path(f"{_PROJECT}/renew", queue.renew, name="renew"),
    path(f"{_PROJECT}/release", queue.release, name="release"),
]
