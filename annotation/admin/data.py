from __future__ import annotations

from django.contrib import admin

from annotation.models import DatasetVersion, Import, Item, RejectedRow, Source
from jobs.admin.jobs import ReadOnly


@admin.register(Source)
class SourceAdmin(ReadOnly):
    list_display = ["name", "kind", "project", "created_at"]
    list_filter = ["kind"]
    list_select_related = ["project"]
    search_fields = ["name", "project__slug"]


@admin.register(Import)
class ImportAdmin(ReadOnly):
    list_display = [
        "file_name",
        "project",
        "state",
        "added",
        "duplicates",
        "rejected",
        "labelled",
        "created_at",
    ]
    list_filter = ["state"]
    list_select_related = ["project"]
    search_fields = ["file_name", "uuid", "project__slug"]


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnly):
    list_display = ["import_run", "line", "code", "message"]
    list_filter = ["code"]
    list_select_related = ["import_run"]


@admin.register(Item)
class ItemAdmin(ReadOnly):
    # Millions of rows: no filter or search over columns without an index, newest first by the primary key.
    list_display = ["__str__", "project", "row", "split", "cluster", "held_back", "source"]
    list_select_related = ["project", "source"]
    search_fields = ["=uuid"]
    ordering = ["-pk"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnly):
    list_display = [
        "project",
        "number",
        "train_count",
        "validation_count",
        "test_count",
        "origin",
        "created_at",
    ]
    list_select_related = ["project"]
    search_fields = ["uuid", "project__slug"]
