"""Words for the signals by which a language model is unsure about a prompt: a name, and what it says."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SIGNALS: dict[str, tuple[str | Promise, str | Promise]] = {
    "semantic_entropy": (
        _("Semantic entropy"),
        _("How evenly its answers are spread over meanings, in nats."),
    ),
    "unique_share": (_("Different answers"), _("Share of its answers that no other equals word for word.")),
    "consistency": (_("Commonest meaning"), _("Share of its answers that mean the same; less is less sure.")),
    "log_prob": (_("Log-probability a token"), _("How likely it finds its own words; less is less sure.")),
    "log_prob_variance": (
        _("Variance of the log-probability"),
        _("How much that differs from answer to answer."),
    ),
    "dispersion": (
        _("Spread of attention"),
        _("Whether it looks at many words of the prompt at once (1) or at few (0), mean over layers."),
    ),
    "depth": (_("Prediction depth"), _("After what share of its layers the first word of an answer stands.")),
}
