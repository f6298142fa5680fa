"""The labels that a value names, as one word each: what the index of labels holds and filters ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_ID = 64


def label_keys(value: Mapping[str, Any] | None) -> Iterator[str]:
    """`field:id` of every label in a value, however deep: of one label, of several, of spans with labels.

    The schema is not asked, so that answers to an older one are found too. What people wrote themselves is no
    label and gives no key.
    """
    for name, answer in (value or {}).items():
        yield from (f"{name}:{word}" for word in dict.fromkeys(_words(answer)))


def _words(answer: Any) -> Iterator[str]:
    if isinstance(answer, str):
        if len(answer) <= LONGEST_ID:
            yield answer
    elif isinstance(answer, Mapping):
        for key, one in answer.items():
            if key == "label" or not isinstance(one, str):
                yield from _words(one)
    elif isinstance(answer, (list, tuple)):
        for one in answer:
            yield from _words(one)
