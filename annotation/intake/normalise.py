"""The text as it is compared: what differs only in case, width, spacing or invisible characters is the same.

Only for keys: what people label and models learn from is the raw text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Raise it with any change of the answer of `normalise`: stored hashes name the version that they were made
# with.
NORMALISER_VERSION = 1


# Control and format characters and variation selectors, no white space: written out, since building the
# list from the character database takes half a second of every start.
_INVISIBLE = re.compile(
    "["
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2"
    r"\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U00013438\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef"
    "]+"
)


def normalise(text: str) -> str:
    """NFKC, case folded, runs of white space made one space, invisible characters taken out; punctuation
    stays.

    Doing it twice changes nothing. O(length).

    >>> normalise("  Ｈello\\u200b\\tWORLD!\\n")
    'hello world!'
    """
    if text.isascii():
        if not text.isprintable():
            text = _INVISIBLE.sub("", text)
        return " ".join(text.lower().split())
    text = _INVISIBLE.sub("", text)
    # Folding can undo the composition, and what it undoes can fold again (ΐ, ᾳ): until nothing moves, as a
    # rule once.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    while (again := unicodedata.normalize("NFKC", folded.casefold())) != folded:
        folded = again
    return " ".join(folded.split())


def content_hash(normalised: str) -> str:
    """32 hex digits (BLAKE2b, 128 bits) of a normalised text: equal texts, equal hashes; no two texts by
    accident."""
    return hashlib.blake2b(normalised.encode(), digest_size=16).hexdigest()
