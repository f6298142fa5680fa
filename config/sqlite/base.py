"""Django's SQLite backend with one change: who waits for the write lock looks for it every half millisecond.

SQLite's own waiting sleeps longer each time, up to a tenth of a second, so that under many short transactions
a few unlucky requests wait for tens of them, and an import that writes block after block is met asleep.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

LOOK_AGAIN_S = 0.0005


class DatabaseWrapper(base.DatabaseWrapper):
    patience_s = 5.0  # the option "timeout"

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        self.patience_s = float(params.get("timeout", self.patience_s))
        return dict(params)

    def _start_transaction_under_autocommit(self) -> None:
        until = time.monotonic() + self.patience_s
        execute = self.connection.execute
        execute("PRAGMA busy_timeout = 0")
        try:
            while not self._begun():
                if time.monotonic() > until:
                    return super()._start_transaction_under_autocommit()  # raises what Django raises
                time.sleep(LOOK_AGAIN_S)
        finally:
            execute(f"PRAGMA busy_timeout = {int(1000 * self.patience_s)}")

    def _begun(self) -> bool:
        try:
            super()._start_transaction_under_autocommit()
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True
