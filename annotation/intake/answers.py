"""Labels that come with a file: a cell becomes an answer to the schema's first field, or to all of it.

What a cell may hold, by the type of the first field:
    classification  an id or a name
    multilabel      ids or names, divided by ";", or a JSON list of them
    spans           JSON: a list of {"start", "end", "label"} or [start, end, label], or the whole answer
    rating          JSON: a point by dimension, ids or names; a bare point where there is one dimension
    preference      JSON; or the best response: its id or column, a letter (A is the first), "tie", "r2>r1=r3"
    response        the text
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _
from annotation.intake.records import as_text
from annotation.task_types.content import Content
from annotation.task_types.labels import folded, lookup, resolve
from annotation.task_types.registry import InvalidValue, validate_part, validate_value

Field = Mapping[str, Any]
TIES = frozenset({"tie", "equal", "both", "="})
_WHOLE = re.compile(r"-?\d{1,9}(?:\.0*)?")


class BadAnswer(SentenceError):
    """Why a cell is no answer: a sentence that goes on after "line 12 "."""

    def __init__(self, template: str, code: str = "answer", /, **parameters: Any) -> None:
        super().__init__(template, **parameters)
        self.code = code


class Answers:
    """Reads the answers of a file under a schema. `columns`: response id by the column that it came from."""

    def __init__(self, definition: Mapping[str, Any], columns: Mapping[str, str] | None = None) -> None:
        self.definition = definition
        self.field: Field = definition["fields"][0]
        self._labels = lookup(self.field) if self.field.get("labels") else {}
        self._columns = {folded(column): identity for column, identity in (columns or {}).items()}

    @property
    def labels(self) -> dict[str, str]:
        """Label id by what a cell may call it."""
        return self._labels

    def of_label(self, cell: Any, content: Content, *, shift: int = 0) -> dict[str, Any] | None:
        """The value that a label column gives; None for an empty cell. `shift`: how many characters the text
        lost at its beginning, for spans that count from there.

        Raises:
            BadAnswer: the cell is no answer to the first field.
        """
        if isinstance(cell, str):
            cell = cell.strip()
        if cell is None or cell == "":
            return None
        if self.field["type"] == "classification":
            return {self.field["name"]: self._label(cell)}
        try:
            answer = _READERS[self.field["type"]](self, cell, content)
            if self.field["type"] == "spans":
                answer = _shifted(answer, shift)
            return validate_part(self.definition, {self.field["name"]: answer}, content)
        except (InvalidValue, ValueError, TypeError, RecursionError) as error:
            raise BadAnswer(_("has an answer that cannot be taken: %(reason)s"), reason=error) from error

    def of_value(self, cell: Any, content: Content, *, shift: int = 0) -> dict[str, Any] | None:
        """The value of a column that holds whole values as JSON, every field by name."""
        if cell is None or cell == "" or (isinstance(cell, str) and not cell.strip()):
            return None
        try:
            value = _json(cell) if isinstance(cell, str) else cell
            if shift and isinstance(value, dict):
                kinds = {one["name"]: one["type"] for one in self.definition["fields"]}
                value = {
                    name: _shifted(answer, shift) if kinds.get(name) == "spans" else answer
                    for name, answer in value.items()
                }
            return validate_value(self.definition, value, content)
        except (InvalidValue, ValueError, TypeError, RecursionError) as error:
            raise BadAnswer(_("has a value that cannot be taken: %(reason)s"), reason=error) from error

    def of_best(self, identity: str, content: Content) -> dict[str, Any]:
        """The preference for one response over all others."""
        others = [one.id for one in content.responses if one.id != identity]
        answer = {"ranking": [[identity], others]}
        try:
            return validate_part(self.definition, {self.field["name"]: answer}, content)
        except InvalidValue as error:
            raise BadAnswer(_("has a preference that cannot be taken: %(reason)s"), reason=error) from error

    def named(self, cell: Any) -> Iterable[str]:
        """The labels that a cell names, known or not, to add to the schema."""
        if isinstance(cell, str):
            cell = cell.strip()
        if cell is None or cell == "":
            return []
        if self.field["type"] == "multilabel":
            return [str(one).strip() for one in _listed(cell)]
        if self.field["type"] == "spans":
            try:
                return [str(one["label"]) for one in _spans(self, cell)["spans"]]
            except (ValueError, TypeError, KeyError):
                return []
        return [str(cell)]

    def _label(self, cell: Any) -> str:
        given = as_text(cell).strip()
        label = resolve(self._labels, given)
        if label is None:
            ids = list(dict.fromkeys(self._labels.values()))
            known = ", ".join(ids[:5]) + (f", … {len(ids)} in all" if len(ids) > 5 else "")
            some = _("has the label %(given)s, which is not in the schema (%(known)s): correct it, or add it")
            none = _("has the label %(given)s, and the schema has no labels: correct it, or add it")
            raise BadAnswer(some if ids else none, "unknown_label", given=repr(given[:60]), known=known)
        return label

    def known(self, given: Any) -> Any:
        """The label id that a cell means; what is none stays for the registry to complain about."""
        return resolve(self._labels, given.strip()) or given if isinstance(given, str) else given

    def response(self, given: str) -> str:
        """The id of a response that is called by its id, its column or its letter."""
        if (found := self._columns.get(folded(given))) is not None:
            return found
        return f"r{ord(given.lower()) - ord('a') + 1}" if re.fullmatch("[A-Ja-j]", given) else given


def _multilabel(answers: Answers, cell: Any, content: Content) -> Any:
    return [answers.known(one) for one in _listed(cell)]


def _listed(cell: Any) -> list[Any]:
    if isinstance(cell, str):
        if cell.startswith("["):
            cell = _json(cell)
        else:
            return [part.strip() for part in cell.split(";") if part.strip()]
    return cell if isinstance(cell, list) else [cell]


def _spans(answers: Answers, cell: Any, content: Content | None = None) -> dict[str, Any]:
    given = _json(cell) if isinstance(cell, str) else cell
    whole = given if isinstance(given, dict) else {"spans": given}
    spans = [_span(answers, one) for one in whole.get("spans", ())]
    return {**whole, "spans": spans}


def _span(answers: Answers, one: Any) -> Any:
    if isinstance(one, (list, tuple)) and len(one) == 3:
        one = dict(zip(("start", "end", "label"), one, strict=True))
    if not isinstance(one, dict):
        return one
    kept = {key: one.get(key) for key in ("start", "end")}
    return {**kept, "label": answers.known(one.get("label"))}


def _shifted(answer: Any, shift: int) -> Any:
    if not shift or not isinstance(answer, dict):
        return answer
    spans = [
        {**one, "start": one["start"] - shift, "end": one["end"] - shift}
        if isinstance(one, dict) and isinstance(one.get("start"), int) and isinstance(one.get("end"), int)
        else one
        for one in answer.get("spans", ())
    ]
    return {**answer, "spans": spans}


def _rating(answers: Answers, cell: Any, content: Content) -> Any:
    if isinstance(cell, str) and cell.startswith("{"):
        cell = _json(cell)
    dimensions = answers.field["dimensions"]
    if not isinstance(cell, dict):
        return {dimensions[0]["id"]: _point(cell)} if len(dimensions) == 1 else cell
    ids = {
        folded(one[key]): one["id"] for one in dimensions for key in ("name", "name_zh", "id") if one.get(key)
    }
    return {ids.get(folded(str(name)), name): _point(point) for name, point in cell.items()}


def _point(given: Any) -> Any:
    """A whole number, also one that a data frame made a float of or a file holds as text."""
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, str) and _WHOLE.fullmatch(given.strip()):
        return int(float(given))
    return given


def _preference(answers: Answers, cell: Any, content: Content) -> Any:
    if isinstance(cell, str) and cell.startswith(("{", "[")):
        cell = _json(cell)
    if isinstance(cell, dict):
        return cell
    if isinstance(cell, list):
        return {"ranking": cell}
    given = str(cell)
    if ">" in given:
        groups = [[answers.response(one.strip()) for one in group.split("=")] for group in given.split(">")]
        return {"ranking": groups}
    ids = [one.id for one in content.responses]
    if folded(given) in TIES:
        return {"ranking": [ids]}
    best = answers.response(given)
    others = [identity for identity in ids if identity != best]
    return {"ranking": [[best], others] if best in ids and others else [[best]]}


def _response(answers: Answers, cell: Any, content: Content) -> Any:
    return cell if isinstance(cell, dict) else {"text": as_text(cell)}


_READERS: dict[str, Callable[[Answers, Any, Content], Any]] = {
    "multilabel": _multilabel,
    "spans": _spans,
    "rating": _rating,
    "preference": _preference,
    "response": _response,
}


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise SentenceError(
            _("found %(given)s, expected JSON (%(reason)s)"), given=repr(cell[:60]), reason=error
        ) from error
