"""Where items come from: sources, imports of files, and the rows that were turned away."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.sentences import Sentence

from .project import Project


class Source(models.Model):
    """A named origin of items (a file name, a feed). Kinds grow with the formats that come in."""

    class Kind(models.TextChoices):
        FILE = "file", _("file")
        API = "api", _("API")
        SYNTHETIC = "synthetic", _("synthetic")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.FILE)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="source_name")]

    def __str__(self) -> str:
        return self.name


class Import(models.Model):
    """One file taken in. `mapping` says which column is what.

    `lines_done` is the checkpoint: all lines up to it are in, in whole blocks, so a killed import goes on
    from there. It and the counts are written in the transaction of the block that they speak of.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("waiting for its columns")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="imports")
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    file_name = models.CharField(max_length=255)
    file_path = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64)
    file_info = models.JSONField(default=dict)  # format, encoding, delimiter, columns as sniffed
    mapping = models.JSONField(default=dict)
    lines_done = models.PositiveBigIntegerField(default=0)
    added = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    labelled = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    mends = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="mended_by"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("import")

    def __str__(self) -> str:
        return self.file_name


class RejectedRow(models.Model):
    """A row that could not become an item: kept with its line and reason, to be mended and sent again."""

    import_run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rejected_rows")
    line = models.PositiveBigIntegerField()
    raw = models.TextField()
    code = models.CharField(max_length=40)
    message = models.TextField()  # in English
    wording = models.JSONField(
        null=True
    )  # the message's template and what fills it, to say it in any language
    is_whole = models.BooleanField(
        default=True
    )  # whether `raw` is all of it: only then can it be mended and sent again

    class Meta:
        ordering = ["line", "id"]
        indexes = [models.Index(fields=["import_run", "line"], name="rejectedrow_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"

    @property
    def reason(self) -> Sentence:
        return Sentence.from_json(self.wording) if self.wording else Sentence(self.message)
