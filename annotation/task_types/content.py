"""What an item holds besides its text: a dialogue, responses to compare, a draft to edit. `Item.data` in the
database.

    {"messages": [{"role": "user", "content": "Hi"}, ...],     a dialogue, oldest turn first
     "responses": [{"id": "r1", "text": "Hello!"}, ...],       what a preference ranks, in the file's order
     "draft": "Hello!"}                                        what a response begins from

Each key may be missing. Ids of responses are stable: a ranking names them, however they were placed on screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.task_types.values import ID_PATTERN, InvalidContent, shown

ROLES = ("system", "user", "assistant", "tool")
MAXIMUM_TURNS = 500
MAXIMUM_RESPONSES = 10
LONGEST = 200_000  # characters of one turn, response or draft
KEYS = ("messages", "responses", "draft")


@dataclass(frozen=True, kw_only=True)
class Response:
    id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Content:
    """One item as task types see it. `messages` are {"role", "content"} mappings."""

    text: str
    messages: tuple[Mapping[str, str], ...] = ()
    responses: tuple[Response, ...] = ()
    draft: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has(self) -> frozenset[str]:
        """Which of `KEYS` the item offers."""
        return frozenset(key for key in KEYS if getattr(self, key))

    def prompt(self) -> str | list[dict[str, str]]:
        """What a model is asked: the dialogue as messages where there is one, else the text."""
        return [dict(turn) for turn in self.messages] if self.messages else self.text

    def response(self, identity: str) -> str:
        """The text of a response; ValueError for an id that the item does not have."""
        for one in self.responses:
            if one.id == identity:
                return one.text
        raise ValueError(f"the item has no response {shown(identity)}")


def content_of(
    text: str, data: Mapping[str, Any] | None = None, meta: Mapping[str, Any] | None = None
) -> Content:
    """The content of a stored item. `data` was checked by `check_data` when it came in."""
    data = data or {}
    return Content(
        text=text,
        messages=tuple(data.get("messages", ())),
        responses=tuple(Response(id=one["id"], text=one["text"]) for one in data.get("responses", ())),
        draft=data.get("draft", ""),
        meta=meta or {},
    )


def check_data(data: Any) -> dict[str, Any]:
    """`data` as it is stored: known keys only, responses with ids; `InvalidContent` where something is off.

    A response may be given as its bare text; ids that are missing are r1, r2 ... by position.
    """
    if not isinstance(data, Mapping):
        raise InvalidContent(
            _("found %(data)s, expected an object with %(known)s"), data=shown(data), known=", ".join(KEYS)
        )
    unknown = sorted(set(data) - set(KEYS))
    if unknown:
        raise InvalidContent(
            _("found the unknown key %(unknown)s: use %(known)s"),
            unknown=shown(unknown[0]),
            known=", ".join(KEYS),
        )
    checked: dict[str, Any] = {}
    if data.get("messages"):
        checked["messages"] = _messages(data["messages"])
    if data.get("responses"):
        checked["responses"] = _responses(data["responses"])
    if data.get("draft"):
        checked["draft"] = _text(data["draft"], _("the draft"))
    return checked


def dialogue_text(messages: Sequence[Mapping[str, str]]) -> str:
    """A dialogue as one text, a line a turn, for items that come without a text of their own."""
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)


def _messages(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise InvalidContent(
            _('found %(given)s for messages, expected a list of {"role", "content"}'), given=shown(given)
        )
    if len(given) > MAXIMUM_TURNS:
        raise InvalidContent(
            _("found %(count)s messages, the limit is %(most)s: shorten the dialogue"),
            count=len(given),
            most=MAXIMUM_TURNS,
        )
    turns = []
    for number, turn in enumerate(given, 1):
        role = turn.get("role") if isinstance(turn, Mapping) else turn
        if not isinstance(turn, Mapping) or role not in ROLES:
            raise InvalidContent(
                _("message %(number)s has the role %(role)s: use one of %(known)s"),
                number=number,
                role=shown(role),
                known=", ".join(ROLES),
            )
        turns.append(
            {
                "role": turn["role"],
                "content": _text(turn.get("content"), _("message %(number)s"), number=number, empty=True),
            }
        )
    return turns


def _responses(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise InvalidContent(_("found %(given)s for responses, expected a list of texts"), given=shown(given))
    if not 2 <= len(given) <= MAXIMUM_RESPONSES:
        raise InvalidContent(
            _("found %(count)s responses, expected 2 to %(most)s to compare"),
            count=len(given),
            most=MAXIMUM_RESPONSES,
        )
    found = []
    for number, one in enumerate(given, 1):
        mapping = one if isinstance(one, Mapping) else {"text": one}
        identity = mapping.get("id") or f"r{number}"
        if not isinstance(identity, str) or not ID_PATTERN.fullmatch(identity):
            raise InvalidContent(
                _("response %(number)s has the id %(id)s: use 1 to 64 of a-z, 0-9, '-', '_'"),
                number=number,
                id=shown(identity),
            )
        found.append(
            {
                "id": identity,
                "text": _text(mapping.get("text"), _("response %(number)s"), number=number, empty=True),
            }
        )
    if len({one["id"] for one in found}) < len(found):
        raise InvalidContent(_("two responses have the same id: give each an id of its own"))
    return found


def _text(given: Any, template: str, *, empty: bool = False, **parameters: Any) -> str:
    """The text; `template` and `parameters` name it in a complaint."""
    if not isinstance(given, str) or not (given or empty):
        raise InvalidContent(
            _("found %(given)s for %(what)s, expected text"),
            given=shown(given),
            what=Sentence(template, **parameters),
        )
    if len(given) > LONGEST:
        raise InvalidContent(
            _("%(what)s has %(count)s characters, the limit is %(most)s: shorten it"),
            what=Sentence(template, **parameters),
            count=f"{len(given):,}",
            most=f"{LONGEST:,}",
        )
    return given
