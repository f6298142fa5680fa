"""People, their API tokens, and the log of who did what."""

from __future__ import annotations

from accounts.models.audit import AuditEntry
from accounts.models.notice import Notice
from accounts.models.token import ApiToken
from accounts.models.user import User

__all__ = ["ApiToken", "AuditEntry", "Notice", "User"]
