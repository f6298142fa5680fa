from __future__ import annotations

from django.contrib import admin

from annotation.models import (
    BulkAcceptance,
    Comment,
    ConsensusFit,
    Discussion,
    Group,
    ItemTag,
    KeyMap,
    LabellerSkill,
    Pattern,
    PatternPass,
    Rejection,
    SavedView,
    Tag,
)
from jobs.admin.jobs import ReadOnly


@admin.register(Discussion)
class DiscussionAdmin(ReadOnly):
    list_display = ["uuid", "project", "item", "opened_by", "created_at", "closed_at"]
    list_select_related = ["project", "item", "opened_by"]
    search_fields = ["=uuid"]


@admin.register(Comment)
class CommentAdmin(ReadOnly):
    list_display = ["discussion", "author", "text", "created_at"]
    list_select_related = ["discussion__item", "author"]


@admin.register(BulkAcceptance)
class BulkAcceptanceAdmin(ReadOnly):
    list_display = [
        "uuid",
        "project",
        "labeller",
        "state",
        "threshold",
        "expected",
        "created_by",
        "undone_at",
    ]
    list_filter = ["state"]
    list_select_related = ["project", "labeller", "created_by"]


@admin.register(Rejection)
class RejectionAdmin(ReadOnly):
    list_display = ["project", "prelabel", "person", "is_taken_back", "created_at"]
    list_select_related = ["project", "prelabel", "person"]


@admin.register(ConsensusFit)
class ConsensusFitAdmin(ReadOnly):
    list_display = ["project", "field", "items", "answers", "converged", "is_current", "fitted_at"]
    list_select_related = ["project"]


@admin.register(LabellerSkill)
class LabellerSkillAdmin(ReadOnly):
    list_display = ["fit", "labeller", "accuracy", "answers"]
    list_select_related = ["fit__project", "labeller"]


@admin.register(Group)
class GroupAdmin(ReadOnly):
    list_display = ["name", "project", "created_at"]
    list_select_related = ["project"]


@admin.register(Tag)
class TagAdmin(ReadOnly):
    list_display = ["name", "project", "colour", "created_at"]
    list_select_related = ["project"]


@admin.register(ItemTag)
class ItemTagAdmin(ReadOnly):
    list_display = ["tag", "item", "created_at"]
    list_select_related = ["tag__project", "item"]


@admin.register(SavedView)
class SavedViewAdmin(ReadOnly):
    list_display = ["name", "project", "owner", "is_shared", "created_at"]
    list_select_related = ["project", "owner"]


@admin.register(KeyMap)
class KeyMapAdmin(ReadOnly):
    list_display = ["project", "user", "actions", "labels"]
    list_select_related = ["project", "user"]


@admin.register(Pattern)
class PatternAdmin(ReadOnly):
    list_display = ["project", "field", "label", "kind", "pattern", "is_active", "created_at"]
    list_filter = ["kind", "is_active"]
    list_select_related = ["project"]


@admin.register(PatternPass)
class PatternPassAdmin(ReadOnly):
    list_display = ["project", "labeller", "rows_done", "is_stale"]
    list_select_related = ["project", "labeller"]
