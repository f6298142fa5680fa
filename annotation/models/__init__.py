"""Rows of the ground floor, one noun a file."""

from .annotation import Annotation, Prelabel
from .bulk_acceptance import BulkAcceptance
from .consensus import ConsensusFit, LabellerSkill
from .dataset import DatasetVersion
from .discussion import Comment, Discussion
from .gold import GoldItem
from .group import Group
from .item import Item
from .key_map import KeyMap
from .labeller import Labeller
from .membership import Invite, Membership, Role
from .pattern import Pattern, PatternPass
from .project import Project
from .queue import Batch, Cursor, Slot
from .rejection import Rejection
from .resolution import Resolution
from .review import Review
from .schema import GuidelineVersion, SchemaVersion
from .search import IndexedLabel, IndexedScore, SearchState
from .source import Import, RejectedRow, Source
from .tag import ItemTag, Tag
from .view import ColumnChoice, SavedView

__all__ = [
    "Annotation",
    "Batch",
    "BulkAcceptance",
    "ColumnChoice",
    "Comment",
    "ConsensusFit",
    "Cursor",
    "DatasetVersion",
    "Discussion",
    "GoldItem",
    "Group",
    "GuidelineVersion",
    "Import",
    "IndexedLabel",
    "IndexedScore",
    "Invite",
    "Item",
    "ItemTag",
    "KeyMap",
    "Labeller",
    "LabellerSkill",
    "Membership",
    "Pattern",
    "PatternPass",
    "Prelabel",
    "Project",
    "RejectedRow",
    "Rejection",
    "Resolution",
    "Review",
    "Role",
    "SavedView",
    "SchemaVersion",
    "SearchState",
    "Slot",
    "Source",
    "Tag",
]
