"""The sentences that notices say. Each app registers its own in `<app>/notice_kinds.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# (params, count) -> the sentence, in the language that is active when it is read
Sentence = Callable[[Mapping[str, Any], int], str]

KINDS: dict[str, Sentence] = {}


def register(kind: str, sentence: Sentence) -> None:
    """Add a kind "<app>.<what_happened>" with its sentence."""
    if kind in KINDS and KINDS[kind] is not sentence:
        raise ValueError(f"notice kind {kind!r} is registered twice: give one of them another name")
    KINDS[kind] = sentence


def sentence(kind: str, params: Mapping[str, Any], count: int) -> str:
    """What a notice says; the kind's name where the app that wrote it is gone."""
    return KINDS[kind](params, count) if kind in KINDS else kind
