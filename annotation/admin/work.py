from __future__ import annotations

from django.contrib import admin

from annotation.models import Annotation, Batch, Prelabel, Resolution, Review, Slot
from jobs.admin.jobs import ReadOnly


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    list_display = ["project", "number", "title", "origin", "is_open", "created_at"]
    list_filter = ["is_open"]
    list_select_related = ["project"]


@admin.register(Slot)
class SlotAdmin(ReadOnly):
    list_display = ["uuid", "project", "batch", "item", "purpose", "state", "person", "lease_expires_at"]
    list_filter = ["purpose", "state"]
    list_select_related = ["project", "batch__project", "item", "person"]
    search_fields = ["=uuid"]
    ordering = ["-pk"]


@admin.register(Prelabel)
class PrelabelAdmin(ReadOnly):
    list_display = ["item", "labeller", "value", "confidence", "created_at"]
    list_select_related = ["item", "labeller"]
    search_fields = ["=uuid"]


@admin.register(Annotation)
class AnnotationAdmin(ReadOnly):
    list_display = ["uuid", "item", "labeller", "value", "is_retraction", "prelabel_mode", "created_at"]
    list_filter = ["is_retraction", "prelabel_mode"]
    list_select_related = ["item", "labeller"]
    search_fields = ["=uuid", "=client_key"]
    ordering = ["-pk"]


@admin.register(Review)
class ReviewAdmin(ReadOnly):
    list_display = ["uuid", "project", "kind", "state", "verdict", "reviewer", "decided_at"]
    list_filter = ["kind", "state", "verdict"]
    list_select_related = ["project", "reviewer"]


@admin.register(Resolution)
class ResolutionAdmin(ReadOnly):
    list_display = ["item", "value", "method", "votes", "is_current", "created_at"]
    list_filter = ["method", "is_current"]
    list_select_related = ["item"]
    ordering = ["-pk"]
