"""Tables of this app in the database admin: to look at; services own every column."""

from __future__ import annotations

from annotation.admin import data, gold, people, work, workspace  # noqa: F401
