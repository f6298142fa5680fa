"""Rows of the ground floor, one noun a file."""

from .annotation import Annotation, Prelabel
from .dataset import DatasetVersion
from .item import Item
from .labeller import Labeller
from .membership import Invite, Membership, Role
from .project import Project
from .queue import Batch, Cursor, Slot
from .resolution import Resolution
from .review import Review
from .schema import GuidelineVersion, SchemaVersion
from .source import Import, RejectedRow, Source

__all__ = [
    "Annotation",
    "Batch",
    "Cursor",
    "DatasetVersion",
    "GuidelineVersion",
    "Import",
    "Invite",
    "Item",
    "Labeller",
    "Membership",
    "Prelabel",
    "Project",
    "RejectedRow",
    "Resolution",
    "Review",
    "Role",
    "SchemaVersion",
    "Slot",
    "Source",
]
