"""Words for the kinds of index that somebody may ask for; "" is the least lossy that fits the memory."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, str | Promise] = {
    "": _("what fits the memory best"),
    "flat": _("none: compare with all (flat)"),
    "ivf": _("cells of whole vectors (IVF)"),
    "ivf_sq8": _("cells, one byte a number (SQ8)"),
    "ivf_pq": _("cells, a code for four numbers (PQ)"),
    "ivf_rabitq": _("cells, one bit a number (RaBitQ)"),
    "hnsw": _("graph of neighbours (HNSW)"),
}
