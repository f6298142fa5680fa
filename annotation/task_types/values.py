"""What every task type shares: its errors, what answers come to together, ids that outlive renaming."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from typing import Any, NamedTuple

from accounts.sentences import SentenceError

MAX_ID = 64
ID_PATTERN = re.compile(r"[a-z0-9_-]{1,64}")


class InvalidDefinition(SentenceError):
    """A schema that cannot be used, in a sentence for the person who writes it."""


class InvalidValue(SentenceError):
    """A label that its schema does not allow, in a sentence for the person who gave it."""


class InvalidContent(SentenceError):
    """An item whose messages, responses or draft cannot be taken, in a sentence for whoever sent it."""


class Combined(NamedTuple):
    """What several people's answers to one field come to.

    `answer` is None where they are tied: then a person has to decide. `posterior` holds, by label or option,
    the share of the answers that gave it; shares of a multi-label field need not sum to 1.
    """

    answer: Any
    posterior: dict[str, float]


def label_id(name: str, taken: Collection[str] = ()) -> str:
    """A stable id for a label called `name`: a slug, or `l-` and eight hex digits where a slug would lose
    letters.

    "Refund request" gives "refund-request", "Café" gives "cafe", "退款" gives a hash of itself. An id in
    `taken` is not given again: "-2", "-3" ... is added. The same name and the same `taken` always give the
    same id.

    >>> label_id("Refund request"), label_id("Refund request", {"refund-request"})
    ('refund-request', 'refund-request-2')
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    bare = "".join(character for character in folded if not unicodedata.combining(character))
    slug = re.sub(r"[^a-z0-9_]+", "-", bare).strip("-")[:MAX_ID].strip("-")
    loses_letters = any(character.isalnum() and not character.isascii() for character in bare)
    if loses_letters or not slug:
        slug = "l-" + hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    candidate, number = slug, 2
    while candidate in taken:
        suffix = f"-{number}"
        candidate, number = slug[: MAX_ID - len(suffix)] + suffix, number + 1
    return candidate


def shown(value: object, limit: int = 60) -> str:
    """`value` as it may stand in an error sentence: quoted, and cut where it is long."""
    text = repr(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit + 2 else text[:limit] + "…" + text[0]
