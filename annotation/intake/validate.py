"""The second station: a row becomes a candidate item, or a bad row with its reason."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as AnyMapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from accounts.sentences import Sentence, SentenceError
from accounts.sentences import gettext_noop as _
from annotation.intake import content
from annotation.intake.answers import Answers, BadAnswer
from annotation.intake.normalise import content_hash, normalise
from annotation.intake.records import BadRow, FileInfo, IntakeError, Limits, Row, as_json, as_text, bad_row
from annotation.task_types.content import Content, content_of, dialogue_text

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
    with a text each, or one column with a JSON list of them. `text` may be empty where there is a dialogue: its
    turns are the text then. Labels come from one of: `label`, answers to the schema's first field; `value`,
    whole values as JSON; `best`, the response column that is preferred.
    """

    text: str
    label: str | None = None
    external_id: str | None = None
    split: str | None = None
    meta: tuple[str, ...] = ()
    messages: str | None = None
    responses: tuple[str, ...] = ()
    draft: str | None = None
    value: str | None = None
    best: str | None = None

    def check(self, info: FileInfo) -> None:
        """Raise `IntakeError` (code "mapping") where a column is not in the file, or is asked for twice."""
        wanted = [self.text, self.label, self.external_id, self.split, self.value]
        named = [column for column in wanted if column]
        if not self.text and not self.messages and not self.responses:
            raise IntakeError(
                "mapping", _("no column is chosen for the text: choose one, or one with a dialogue")
            )
        if len([one for one in (self.label, self.value, self.best) if one]) > 1:
            raise IntakeError(
                "mapping", _("labels are asked for in two ways: choose one of label, value and best")
            )
        if self.best and (self.best not in self.responses or len(self.responses) < 2):
            known = ", ".join(self.responses) or "none"
            message = Sentence(
                _("the better response %(best)s is not one of the response columns (%(known)s): add it"),
                best=repr(self.best),
                known=known,
            )
            raise IntakeError("mapping", message)
        for column in (*named, *self.meta, *self.content_columns):
            if column not in info.columns:
                known = ", ".join(info.columns[:20])
                message = Sentence(
                    _("the file has no column %(column)s, it has %(known)s: choose one of these"),
                    column=repr(column),
                    known=known,
                )
                raise IntakeError("mapping", message)
        if len(set(named)) < len(named):
            raise IntakeError(
                "mapping", _("one column is chosen for two purposes: choose a column of its own for each")
            )

    @property
    def has_labels(self) -> bool:
        return bool(self.label or self.value or self.best)

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
    """A row that may become an item. `value` is what the file answers, by field, or None; `split` is the file's
    own word for it, or None.

    `raw` is the row as it stands in the file, for a station further on that has to refuse it after all. `data`:
    messages, responses, draft (task_types.content). `prompt_hash` is the hash of the prompt alone, so that one
    prompt with other responses lands in the same split; None where the content hash serves.
    """

    line: int
    text: str
    normalised: str
    content_hash: str
    external_id: str | None
    value: dict[str, Any] | None
    meta: dict[str, Any]
    split: str | None = None
    raw: str = ""
    data: dict[str, Any] = {}  # noqa: RUF012 never changed
    prompt_hash: str | None = None

    @property
    def prompt(self) -> str:
        """What may not be divided between training and test."""
        return self.prompt_hash or self.content_hash


def candidate(
    row: Row,
    mapping: Mapping,
    answers: Answers | None = None,
    *,
    longest_text: int = LONGEST_TEXT,
    limits: Limits = _LIMITS,
    needs: Collection[str] = (),
) -> Candidate | BadRow:
    """The candidate that a row is under `mapping`.

    `answers` reads its labels; a row without a label is fine. The text is kept as it is but for white space at
    its ends. `needs`: what the schema asks of every item ("responses"). Codes of bad rows: missing_column,
    empty_text (also one of invisible characters only), too_long, unknown_label, answer, unknown_split,
    external_id, content.
    """
    fields = row.fields
    try:
        data = content.of_row(fields, mapping) if mapping.content_columns else {}
        text, normalised, shift = _text(fields, mapping.text, data, longest_text)
        own = content_hash(normalised)
        if lacking := sorted(set(needs) - data.keys()):
            raise _Refused(
                "content",
                _("has no %(lacking)s, which this project's labels need: name their columns"),
                lacking=lacking[0],
            )
        return Candidate(
            row.line,
            text,
            normalised,
            content.hash_of(normalised, data) if data else own,
            _external_id(fields, mapping.external_id) if mapping.external_id else None,
            _value(fields, mapping, answers, content_of(text, data), shift) if mapping.has_labels else None,
            {column: fields.get(column) for column in mapping.meta},
            _split(fields, mapping.split) if mapping.split else None,
            row.raw,
            data,
            content.prompt_hash_of(normalised, data) if data else None,
        )
    except (_Refused, content.BadContent, BadAnswer) as refused:
        message = Sentence(_("line %(line)s %(reason)s"), line=row.line, reason=refused)
        return bad_row(row.line, row.raw or as_json(fields), refused.code, message, limits)


def _value(
    fields: dict[str, Any], mapping: Mapping, answers: Answers | None, item: Content, shift: int
) -> dict[str, Any] | None:
    """What the file answers. Without a schema nothing can be read."""
    if mapping.best:
        identity = content.response_ids(mapping)[mapping.best]
        if not item.responses or fields.get(mapping.best) in (None, ""):
            return None
        return _known(answers).of_best(identity, item)
    column = mapping.label or mapping.value or ""
    cell = fields.get(column)
    if cell is None or cell == "" or (isinstance(cell, str) and not cell.strip()):
        return None
    if mapping.value:
        return _known(answers).of_value(cell, item, shift=shift)
    return _known(answers).of_label(cell, item, shift=shift)


def _known(answers: Answers | None) -> Answers:
    if answers is None:
        raise BadAnswer(_("has a label, and the project has no labels: add them first"), "unknown_label")
    return answers


def refuse(found: Candidate, code: str, message: Sentence, limits: Limits = _LIMITS) -> BadRow:
    """The bad row for a candidate that a later station cannot take."""
    raw = found.raw or as_json(
        {"text": found.text, "id": found.external_id, "label": found.value, **found.meta}
    )
    return bad_row(found.line, raw, code, message, limits)


class _Refused(SentenceError):
    """Why a row is no candidate: a sentence that goes on after "line 12 "."""

    def __init__(self, code: str, template: str, /, **parameters: Any) -> None:
        super().__init__(template, **parameters)
        self.code = code


def _text(
    fields: dict[str, Any], column: str, data: AnyMapping[str, Any], longest: int
) -> tuple[str, str, int]:
    """(text, normalised text, how many characters were taken off its beginning)."""
    if not column:
        value: Any = dialogue_text(data.get("messages", ()))
        if not value:
            raise _Refused(
                "empty_text", _("has neither a text nor a dialogue: write one, or leave the row out")
            )
    else:
        value = fields.get(column)
        if value is None and column not in fields:
            raise _Refused("missing_column", _("has no %(column)s: add it"), column=repr(column))
    whole = as_text(value)
    text = whole.strip()
    normalised = normalise(text)
    if not normalised:
        raise _Refused(
            "empty_text", _("has no text in %(column)s: write one, or leave the row out"), column=repr(column)
        )
    if len(text) > longest:
        message = Sentence(
            _("has a text of %(count)s characters, the limit is %(most)s: shorten it"),
            count=f"{len(text):,}",
            most=f"{longest:,}",
        )
        raise _Refused("too_long", message)
    return text, normalised, len(whole) - len(whole.lstrip())


def _external_id(fields: dict[str, Any], column: str) -> str | None:
    external_id = as_text(fields.get(column)).strip()
    if len(external_id) > LONGEST_EXTERNAL_ID:
        message = Sentence(
            _(
                "has an id of %(count)s characters in %(column)s, limit %(most)s: "
                "shorten it, or choose another column"
            ),
            count=f"{len(external_id):,}",
            column=repr(column),
            most=LONGEST_EXTERNAL_ID,
        )
        raise _Refused("external_id", message)
    return external_id or None


def _split(fields: dict[str, Any], column: str) -> str | None:
    given = as_text(fields.get(column)).strip()
    if given and given.lower() not in SPLITS:
        template = _(
            "has the split %(given)s, expected train, validation or test: correct it, or leave the cell empty"
        )
        raise _Refused("unknown_split", template, given=repr(given[:60]))
    return SPLITS[given.lower()] if given else None
