"""Tables of this app in the database admin. Services own them: looking is allowed, editing is not."""

from __future__ import annotations

from django.contrib import admin

from jobs.admin.jobs import ReadOnly
from selection.models import Column, Round, RoundStation


class StationInline(admin.TabularInline):
    model = RoundStation
    fields = ["name", "state", "note", "job", "started_at", "finished_at"]
    readonly_fields = fields
    extra = 0
    can_delete = False


@admin.register(Round)
class RoundAdmin(ReadOnly):
    list_display = ["project", "number", "state", "model", "batch", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["project", "model", "batch__project"]
    inlines = [StationInline]


@admin.register(Column)
class ColumnAdmin(ReadOnly):
    list_display = ["project", "kind", "model_key", "first_row", "last_row", "count", "width", "dtype"]
    list_filter = ["kind"]
    list_select_related = ["project"]
