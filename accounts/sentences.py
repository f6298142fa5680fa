"""Sentences that people read and that are made where no language is known: in the numeric core, which knows no
Django.

Each is a template and what fills it. As text it is English, for commands, notebooks and logs; `wording.said`
says it in the reader's language. CORE: knows no Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def gettext_noop(template: str) -> str:
    """The template itself. The name tells `makemessages` to put it into the catalogues."""
    return template


class Sentence(str):
    """An English sentence that still knows its template and what filled it.

    A parameter may be a sentence itself, or an error, which stands for its sentence. Templates with parameters
    are formatted by name, others stay as they are.

    >>> Sentence("found %(count)s spans, the limit is %(most)s", count=3, most=2)
    'found 3 spans, the limit is 2'
    """

    template: str
    parameters: Mapping[str, Any]

    def __new__(cls, template: str, /, **parameters: Any) -> Sentence:
        parameters = {name: _plain(one) for name, one in parameters.items()}
        made = super().__new__(cls, template % parameters if parameters else template)
        made.template, made.parameters = template, parameters
        return made

    def to_json(self) -> dict[str, Any]:
        """For a row that is read in another language than it was written in."""
        parameters = {
            name: one.to_json() if isinstance(one, Sentence) else one for name, one in self.parameters.items()
        }
        return {"template": self.template, "parameters": parameters}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Sentence:
        parameters = {
            name: cls.from_json(one) if isinstance(one, Mapping) else one
            for name, one in stored["parameters"].items()
        }
        return cls(stored["template"], **parameters)


def _plain(parameter: Any) -> Any:
    """What can be stored as JSON: a sentence, a number or text."""
    if isinstance(parameter, Exception):
        return getattr(parameter, "sentence", None) or str(parameter)
    return parameter if isinstance(parameter, Sentence | int | float) else str(parameter)


class SentenceError(ValueError):
    """An error whose message is a sentence: made of a template and its parameters, or made already."""

    def __init__(self, template: str, /, **parameters: Any) -> None:
        made = template if isinstance(template, Sentence) else Sentence(template, **parameters)
        super().__init__(made)
        self.sentence = made
