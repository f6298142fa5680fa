from __future__ import annotations

from django.contrib import admin

from accounts.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):
    list_display = ["at", "verb", "actor", "target_type", "target_id", "scope"]
    list_select_related = ["actor"]
    list_filter = ["verb"]
    search_fields = ["target_id", "verb", "actor__username"]
    date_hierarchy = None  # it would count the whole table

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False
