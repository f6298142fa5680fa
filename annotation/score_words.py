"""The parts of a pick's score in the words of people who label; a part without words shows its own name."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

WORDS = {
    "uncertainty": pgettext_lazy("score part", "unsure"),
    "diversity": pgettext_lazy("score part", "new territory"),
    "hardness": pgettext_lazy("score part", "hard"),
    "cost": pgettext_lazy("score part", "quick to label"),
    "density": pgettext_lazy("score part", "amid others"),
    "balance": pgettext_lazy("score part", "of a rare label"),
    "factor": pgettext_lazy("score part", "all factors"),
    "chance": pgettext_lazy("score part", "chance of this draw"),
    "score": pgettext_lazy("score part", "in all"),
}


TAGS = {  # what makes an item hard
    "boundary": gettext_lazy("boundary"),
    "long_tail": gettext_lazy("long tail"),
    "domain_shift": gettext_lazy("domain shift"),
    "compositional": gettext_lazy("compositional"),
}


def tag_name(tag: str) -> str:
    return str(TAGS.get(tag, tag))


def name_of(part: str) -> str:
    return str(WORDS.get(part, part))


def names() -> dict[str, str]:
    """Every part and tag with its words, for scripts."""
    return {name: str(words) for name, words in (WORDS | TAGS).items()}
