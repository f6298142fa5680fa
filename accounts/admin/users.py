from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiToken, User


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ["username", "email", "first_name", "last_name", "is_active", "is_superuser", "last_login"]
    fieldsets = [*UserAdmin.fieldsets, (_("Preferences"), {"fields": ["language", "theme", "time_zone"]})]

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        """People are deactivated: their labels and the audit log point to them."""
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ["prefix", "name", "user", "created_at", "last_used_at", "expires_at"]
    list_select_related = ["user"]
    readonly_fields = ["user", "prefix", "digest", "last_used_at"]

    def has_add_permission(self, request: object) -> bool:
        return False
