"""What can go wrong in annotation, each with a stable code and a sentence for the person who met it."""

from __future__ import annotations

from accounts.errors import GyreError


class AnnotationError(GyreError):
    code = "annotation_error"


class ProjectArchived(AnnotationError):
    code = "project_archived"
    status = 409


class ProjectRefused(AnnotationError):
    """A project's name, address or setting cannot be taken; `details` maps field to sentences."""

    code = "project_refused"


class SchemaRefused(AnnotationError):
    code = "schema_refused"


class SchemaMissing(AnnotationError):
    """The project has no labels yet, and what was asked for needs some."""

    code = "schema_missing"
    status = 409


class MembershipRefused(AnnotationError):
    code = "membership_refused"
    status = 409


class GroupRefused(AnnotationError):
    """A group's name cannot be taken, or somebody cannot be in it."""

    code = "group_refused"
    status = 409


class ActionRefused(AnnotationError):
    """Something cannot be done to the chosen items, or one of its options is missing or wrong."""

    code = "action_refused"


class ViewRefused(AnnotationError):
    """A view of the items cannot be saved or removed."""

    code = "view_refused"


class MembershipEnded(AnnotationError):
    """The person belonged to the project and does no longer."""

    code = "membership_ended"
    status = 403


class InviteInvalid(AnnotationError):
    code = "invite_invalid"
    status = 410


class ImportRefused(AnnotationError):
    """A file, or the mapping of its columns, cannot be taken. `details` may hold a guessed encoding."""

    code = "import_refused"


class FileTooLarge(ImportRefused):
    code = "file_too_large"
    status = 413


class LeakError(AnnotationError):
    """A test item, or a duplicate of one, would train."""

    code = "leak"
    status = 409


class ExportRefused(AnnotationError):
    code = "export_refused"


class LabelRefused(AnnotationError):
    """The answer does not fit the schema; `details` holds the value as it was sent."""

    code = "label_refused"


class SchemaChanged(LabelRefused):
    """The answer was given to fields of an older schema and does not fit the current one; `details` holds the
    value and the number of the current version."""

    code = "schema_changed"
    status = 409


class SlotUnknown(AnnotationError):
    code = "slot_unknown"
    status = 404


class SlotTaken(AnnotationError):
    """Somebody else has the item now. `details` holds the value, so that nothing typed is lost."""

    code = "slot_taken"
    status = 409


class NothingToUndo(AnnotationError):
    code = "nothing_to_undo"
    status = 409


class ReviewRefused(AnnotationError):
    """The review is not there any more, is one's own work, or lacks a label."""

    code = "review_refused"
    status = 409


class DiscussionRefused(AnnotationError):
    """The message is empty or too long, or the thread is not the one to write in."""

    code = "discussion_refused"


class KeysRefused(AnnotationError):
    """A key is none, or would do two things."""

    code = "keys_refused"


class GoldRefused(AnnotationError):
    """Rows of gold items cannot be taken as a whole."""

    code = "gold_refused"


class PatternRefused(AnnotationError):
    """A pattern cannot be used: it is no expression, too slow, or for a label that is not there."""

    code = "pattern_refused"


class BulkRefused(AnnotationError):
    """Suggestions cannot be accepted in bulk now, or what was accepted cannot be undone."""

    code = "bulk_refused"
    status = 409


class PrelabelRefused(AnnotationError):
    """A suggestion does not fit the schema, or is for an item that is not in the project."""

    code = "prelabel_refused"
