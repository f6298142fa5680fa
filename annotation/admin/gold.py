from __future__ import annotations

from django.contrib import admin

from annotation.models import GoldItem
from jobs.admin.jobs import ReadOnly


@admin.register(GoldItem)
class GoldItemAdmin(ReadOnly):
    list_display = ["item", "project", "kind", "value", "is_active", "created_by", "created_at"]
    list_filter = ["kind", "is_active"]
    list_select_related = ["item", "project", "created_by"]
    ordering = ["-pk"]
