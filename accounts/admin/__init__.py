"""Tables of this app in the database admin."""

from __future__ import annotations

from accounts.admin import audit, users  # noqa: F401
