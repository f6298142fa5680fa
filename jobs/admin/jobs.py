from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.errors import JobsError
from jobs.models import Artifact, Job
from jobs.services import jobs


class ReadOnly(admin.ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ["uuid", "kind", "state", "percent", "attempts", "resource", "created_by", "created_at"]
    list_filter = ["state", "kind", "resource"]
    list_select_related = ["created_by"]
    search_fields = ["uuid", "kind", "key", "error"]
    actions = ["cancel", "retry"]

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, jobs.cancel)

    @admin.action(description="Try again", permissions=["view"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, jobs.retry)

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], verb) -> None:  # type: ignore[no-untyped-def]
        for job in queryset:
            try:
                verb(job, request.user)
            except JobsError as error:
                self.message_user(request, f"{job}: {error}", level="error")


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    list_display = ["uuid", "kind", "sha256", "bytes", "created_at"]
    list_filter = ["kind"]
    search_fields = ["uuid", "sha256"]
