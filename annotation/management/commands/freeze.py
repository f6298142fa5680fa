from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotation.management.projects import plainly, project_named, user_named
from annotation.selectors import datasets as reads
from annotation.services import datasets


class Command(BaseCommand):
    help = "Freeze a project's final labels as a new dataset version: freeze bank"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address")
        parser.add_argument("--user", help="username to note as the one who froze it")

    def handle(self, *args: Any, **options: Any) -> None:
        project, user = project_named(options["project"]), user_named(options["user"])
        with plainly():
            version = datasets.freeze(project, by=user)
            folder = reads.folder(version)
        self.stdout.write(
            f"{version}: {version.train_count:,} train, {version.validation_count:,} validation, "
            f"{version.test_count:,} test\n{folder}"
        )
