"""The second station: a row becomes a candidate item, or a bad row with its reason."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as AnyMapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from annotation.intake import content
from annotation.intake.normalise import content_hash, normalise
from annotation.intake.records import BadRow, FileInfo, IntakeError, Limits, Row, as_json, bad_row
from annotation.task_types.labels import resolve

LONGEST_TEXT = 100_000
LONGEST_EXTERNAL_ID = 200
SPLITS = {
    "train": "train", "training": "train", "pool": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip
_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Which column is what. `meta` columns are kept with the item; the schema says which are shown.

    `messages` holds a dialogue as JSON, `draft` what a response begins from. `responses` are two or more columns
    with a text each, or one column with a JSON list of them.
    """

    text: str
    label: str | None = None
    external_id: str | None = None
    split: str | None = None
    meta: tuple[str, ...] = ()
    messages: str | None = None
    responses: tuple[str, ...] = ()
    draft: str | None = None

    def check(self, info: FileInfo) -> None:
        """Raise `IntakeError` (code "mapping") where a column is not in the file, or is asked for twice."""
        wanted = [self.text, self.label, self.external_id, self.split]
        named = [column for column in wanted if column is not None]
        for column in (*named, *self.meta, *self.content_columns):
            if column not in info.columns:
                known = ", ".join(info.columns[:20])
                message = f"the file has no column {column!r}, it has {known}: choose one of these"
                raise IntakeError("mapping", message)
        if len(set(named)) < len(named):
            raise IntakeError(
                "mapping", "one column is chosen for two purposes: choose a column of its own for each"
            )

    @property
    def content_columns(self) -> tuple[str, ...]:
        """The columns that hold more of an item than its text."""
        return tuple(column for column in (self.messages, *self.responses, self.draft) if column)

    def to_json(self) -> dict[str, Any]:
        """As it comes back from a JSON column: lists for tuples."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: AnyMapping[str, Any]) -> Mapping:
        listed = {key: tuple(stored.get(key, ())) for key in ("meta", "responses")}
        return cls(**{**stored, **listed})


class Candidate(NamedTuple):
    """A row that may become an item. `label` is a label id or None; `split` is the file's own word for it,
    or None.

    `raw` is the row as it stands in the file, for a station further on that has to refuse it after all. `data`:
    messages, responses, draft (task_types.content). `split_hash` is the hash of the prompt alone, so that one
    prompt with other responses lands in the same split; None where the content hash serves.
    """

    line: int
    text: str
    normalised: str
    content_hash: str
    external_id: str | None
    label: str | None
    meta: dict[str, Any]
    split: str | None = None
    raw: str = ""
    data: dict[str, Any] = {}  # noqa: RUF012 never changed
    split_hash: str | None = None


def candidate(
    row: Row,
    mapping: Mapping,
    labels: AnyMapping[str, str] | None = None,
    *,
    longest_text: int = LONGEST_TEXT,
    limits: Limits = _LIMITS,
    needs: Collection[str] = (),
) -> Candidate | BadRow:
    """The candidate that a row is under `mapping`.

    `labels` is `labels.lookup(field)`; a row without a label is fine. The text is kept as it is but for white
    space at its ends. `needs`: what the schema asks of every item ("responses"). Codes of bad rows:
    missing_column, empty_text (also one of invisible characters only), too_long, unknown_label, unknown_split,
    external_id, content.
    """
    fields = row.fields
    try:
        data = content.of_row(fields, mapping) if mapping.content_columns else {}
        text, normalised = _text(fields, mapping.text, longest_text)
        own = content_hash(normalised)
        if lacking := sorted(set(needs) - data.keys()):
            raise _Refused(
                "content", f"has no {lacking[0]}, which this project's labels need: name their columns"
            )
        return Candidate(
            row.line,
            text,
            normalised,
            content.hash_of(normalised, data) if data else own,
            _external_id(fields, mapping.external_id) if mapping.external_id else None,
            _label(fields, mapping.label, labels or {}) if mapping.label else None,
            {column: fields.get(column) for column in mapping.meta},
            _split(fields, mapping.split) if mapping.split else None,
            row.raw,
            data,
            own if data else None,
        )
    except (_Refused, content.BadContent) as refused:
        message = f"line {row.line} {refused.message}"
        return bad_row(row.line, row.raw or as_json(fields), refused.code, message, limits)


def refuse(found: Candidate, code: str, message: str, limits: Limits = _LIMITS) -> BadRow:
    """The bad row for a candidate that a later station cannot take."""
    raw = found.raw or as_json(
        {"text": found.text, "id": found.external_id, "label": found.label, **found.meta}
    )
    return bad_row(found.line, raw, code, message, limits)


class _Refused(Exception):
    """Why a row is no candidate; `message` goes on after "line 12 "."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _text(fields: dict[str, Any], column: str, longest: int) -> tuple[str, str]:
    value = fields.get(column)
    if value is None and column not in fields:
        raise _Refused("missing_column", f"has no {column!r}: add it")
    text = _as_text(value).strip()
    normalised = normalise(text)
    if not normalised:
        raise _Refused("empty_text", f"has no text in {column!r}: write one, or leave the row out")
    if len(text) > longest:
        message = f"has a text of {len(text):,} characters, the limit is {longest:,}: shorten it"
        raise _Refused("too_long", message)
    return text, normalised


def _label(fields: dict[str, Any], column: str, labels: AnyMapping[str, str]) -> str | None:
    given = _as_text(fields.get(column)).strip()
    if not given:
        return None
    label = resolve(labels, given)
    if label is None:
        ids = list(dict.fromkeys(labels.values()))
        known = ", ".join(ids[:5]) + (f", … {len(ids)} in all" if len(ids) > 5 else "") or "it has no labels"
        message = f"has the label {given[:60]!r}, which is not in the schema ({known})"
        raise _Refused("unknown_label", f"{message}: correct it, or add it to the schema")
    return label


def _external_id(fields: dict[str, Any], column: str) -> str | None:
    external_id = _as_text(fields.get(column)).strip()
    if len(external_id) > LONGEST_EXTERNAL_ID:
        message = (
            f"has an id of {len(external_id):,} characters in {column!r}, limit {LONGEST_EXTERNAL_ID}: "
            "shorten it, or choose another column"
        )
        raise _Refused("external_id", message)
    return external_id or None


def _split(fields: dict[str, Any], column: str) -> str | None:
    given = _as_text(fields.get(column)).strip()
    if given and given.lower() not in SPLITS:
        message = f"has the split {given[:60]!r}, expected train, validation or test"
        raise _Refused("unknown_split", f"{message}: correct it, or leave the cell empty")
    return SPLITS[given.lower()] if given else None


def _as_text(value: Any) -> str:
    """A JSON value as a cell would show it; 1.0 as "1", since ids become floats in data frames."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return as_json(value) if isinstance(value, (dict, list)) else str(value)
