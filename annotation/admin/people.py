from __future__ import annotations

from django.contrib import admin

from annotation.models import GuidelineVersion, Invite, Labeller, Membership, Project, SchemaVersion
from jobs.admin.jobs import ReadOnly


@admin.register(Project)
class ProjectAdmin(ReadOnly):
    list_display = ["name", "slug", "state", "is_synthetic", "created_by", "created_at"]
    list_filter = ["state", "is_synthetic"]
    list_select_related = ["created_by"]
    search_fields = ["name", "slug", "uuid"]


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    list_display = ["user", "project", "role", "is_active", "created_at"]
    list_filter = ["role", "is_active"]
    list_select_related = ["user", "project"]
    search_fields = ["user__username", "project__slug"]


@admin.register(Invite)
class InviteAdmin(ReadOnly):
    list_display = ["uuid", "project", "role", "uses_left", "expires_at", "revoked_at", "created_by"]
    list_select_related = ["project", "created_by"]
    exclude = ["digest"]


@admin.register(Labeller)
class LabellerAdmin(ReadOnly):
    list_display = ["name", "kind", "project", "user", "created_at"]
    list_filter = ["kind"]
    list_select_related = ["project", "user"]
    search_fields = ["name", "key"]


@admin.register(SchemaVersion, GuidelineVersion)
class VersionAdmin(ReadOnly):
    list_display = ["project", "number", "created_by", "created_at"]
    list_select_related = ["project", "created_by"]
    search_fields = ["project__slug"]
