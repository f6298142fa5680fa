"""What makes an item hard, in words: a name for each kind, and the sentence of the rule that said so."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.figures import percent
from annotation import score_words
from selection.strategies.hardness.tags import BOUNDARY, COMPOSITIONAL, DOMAIN_SHIFT, LONG_TAIL

NAMES: dict[str, str | Promise] = {
    name: score_words.TAGS[name] for name in (BOUNDARY, LONG_TAIL, DOMAIN_SHIFT, COMPOSITIONAL)
}


def rule(name: str, found: float, bound: float, labels: Sequence[str]) -> str:
    """The rule with its figures. `labels`: names of the labels it speaks of, as people read them."""
    first, second = [*labels, "", ""][:2]
    return {
        BOUNDARY: _("“%(first)s” and “%(second)s” are %(found)s apart, less than %(bound)s."),
        LONG_TAIL: _("“%(first)s” is on %(found)s of the labelled items, less than %(bound)s."),
        DOMAIN_SHIFT: _("The nearest labelled item has a likeness of %(found)s, less than %(bound)s."),
        COMPOSITIONAL: _(
            "It is %(found)s closer to the middle of “%(first)s” and “%(second)s” than to either, at least "
            "%(bound)s."
        ),
    }[name] % {
        "first": first,
        "second": second,
        "found": percent(found, 1),
        "bound": percent(bound, 1),
    }
