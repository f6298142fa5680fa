"""Django's SQLite backend with three changes.

Who waits for the write lock looks for it after a tenth of a millisecond and then each millisecond: SQLite's own
waiting sleeps longer each time, up to a tenth of a second, so that under many short transactions a few unlucky
requests wait for tens of them, and an import that writes block after block is met asleep. (Looking ten times a
millisecond throughout, threads of one process keep the one that holds the lock from going on.)

The placeholders of a statement are turned into SQLite's once, not at each of its calls.

Statements that annotators run all day may go to SQLite without Django's cursors around them (`quickly`), which
take longer than most of these statements themselves.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.sqlite3 import base

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.0001, 0.001
STATEMENTS = 500  # kept; those that annotators run all day are some sixty


@lru_cache(maxsize=STATEMENTS)
def with_question_marks(statement: str) -> str:
    return str(base.FORMAT_QMARK_REGEX.sub("?", statement).replace("%%", "%"))


class Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        if param_names is None:
            return with_question_marks(query)
        return str(super().convert_query(query, param_names=param_names))


class DatabaseWrapper(base.DatabaseWrapper):
    patience_s = 5.0  # the option "timeout"
    waited_s = 0.0  # for the write lock, in all
    longest_pause_s = LONGEST_PAUSE_S  # between two looks for it

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        self.patience_s = float(params.get("timeout", self.patience_s))
        return dict(params)

    def create_cursor(self, name: str | None = None) -> Cursor:
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        return cursor

    def quickly(self, statement: str, params: Sequence[Any]) -> sqlite3.Cursor | None:
        """Run a statement; its cursor. None where Django's own has to do it: somebody listens (a count of
        queries, DEBUG), or the transaction is broken, which it says.
        """
        if self.force_debug_cursor or self.execute_wrappers or self.needs_rollback or settings.DEBUG:
            return None
        self.ensure_connection()
        try:
            cursor: sqlite3.Cursor = self.connection.execute(with_question_marks(statement), params)
        except sqlite3.Error:
            with self.wrap_database_errors:
                raise
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        until, pause = time.monotonic() + self.patience_s, FIRST_PAUSE_S
        execute = self.connection.execute
        execute("PRAGMA busy_timeout = 0")
        try:
            while not self._begun():
                now = time.monotonic()
                if now > until:
                    return super()._start_transaction_under_autocommit()  # raises what Django raises
                time.sleep(pause)
                pause = min(2 * pause, self.longest_pause_s)
                self.waited_s += time.monotonic() - now
        finally:
            execute(f"PRAGMA busy_timeout = {int(1000 * self.patience_s)}")

    def _begun(self) -> bool:
        try:
            if self.quickly(f"BEGIN {self.transaction_mode or ''}", ()) is None:
                super()._start_transaction_under_autocommit()
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True
