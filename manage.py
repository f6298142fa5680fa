#!/usr/bin/env python
"""Gyre's command line: `python manage.py help` lists every command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(
            f"Django is not installed for {sys.executable} ({error}): run `make setup`, use .venv/bin/python"
        )
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
