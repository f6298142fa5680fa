"""What the core has to say, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from accounts.sentences import Sentence, SentenceError


def said(sentence: object) -> str:
    """A sentence of the core, or that of an error, in the language that is active now; all else as text."""
    if isinstance(sentence, SentenceError):
        sentence = sentence.sentence
    if not isinstance(sentence, Sentence) or not sentence:
        return str(sentence)
    template = gettext(sentence.template)
    if not sentence.parameters:
        return template
    return template % {
        name: said(one) if isinstance(one, Sentence) else one for name, one in sentence.parameters.items()
    }
