"""Signals of this app, all sent after commit. A lost one costs minutes: whoever listens also looks at the
tick.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.dispatch import Signal

logger = logging.getLogger(__name__)

# An import has ended well. Arguments: sender=Import, import_run (fresh from the database).
import_finished = Signal()

# Resolutions of these items may have changed. Arguments: sender=Resolution, project_id (int), item_ids (list
# of int).
resolution_changed = Signal()

# A batch of slots is in the queue. Arguments: sender=Batch, batch.
batch_published = Signal()


def send_on_commit(signal: Signal, sender: Any, **arguments: Any) -> None:
    """Send when the current transaction is committed; a receiver that fails is logged, the writer goes on."""

    def send() -> None:
        for receiver, answer in signal.send_robust(sender=sender, **arguments):
            if isinstance(answer, Exception):
                logger.error(
                    "receiver %r of a signal of %s failed", receiver, sender.__name__, exc_info=answer
                )

    transaction.on_commit(send)
