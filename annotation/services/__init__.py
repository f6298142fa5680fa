"""Writes. Pages, API, admin, jobs and commands that do the same thing call the same function here."""
