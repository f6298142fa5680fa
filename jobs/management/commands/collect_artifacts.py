"""`manage.py collect_artifacts`: remove results that nothing points to any more."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.templatetags.gyre import file_size
from jobs.services import collecting


class Command(BaseCommand):
    help = "Remove artifacts (models, columns, datasets) that no row and no job points to, with their files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
        parser.add_argument(
            "--days",
            type=float,
            default=collecting.LEAST_DAYS,
            help="only what is older (default and least: 1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        try:
            found = collecting.collect(days=options["days"], dry_run=dry_run)
        except ValueError as error:
            raise CommandError(str(error)) from error
        for one in found:
            self.stdout.write(f"{one.kind}  {one.sha256}  {file_size(one.bytes)}")
        done = "would be removed" if dry_run else "removed"
        self.stdout.write(f"{len(found)} {done}, {file_size(sum(one.bytes for one in found))}")
