"""The one family of errors a person may meet. Every app derives its own from `GyreError`."""

from __future__ import annotations

from typing import Any

from accounts.wording import said


class GyreError(Exception):
    """Something a person asked for cannot be done.

    `message` is one sentence (or two) for that person: what was found, what was expected, what to do next.
    `code` is stable and for programs, `status` is the HTTP status, `details` is optional JSON.
    """

    code = "error"
    status = 400

    def __init__(
        self, message: Any, *, code: str | None = None, status: int | None = None, details: Any = None
    ) -> None:
        super().__init__(message)
        self.message = message  # a lazy translation or a sentence is turned into text only when it is shown
        self.code = code or self.code
        self.status = status or self.status
        self.details = details

    def __str__(self) -> str:
        return said(self.message)


class AccountsError(GyreError):
    code = "accounts_error"


class PasswordRefused(AccountsError):
    code = "password_refused"


class NameTaken(AccountsError):
    code = "name_taken"
    status = 409


class TokenUnknown(AccountsError):
    code = "token_unknown"
    status = 404
