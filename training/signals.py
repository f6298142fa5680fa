"""Signals of this app, sent after commit. A lost one costs minutes: listeners also look at the tick."""

from __future__ import annotations

from django.dispatch import Signal

# A model was judged. Arguments: sender=Evaluation, evaluation.
evaluation_finished = Signal()
