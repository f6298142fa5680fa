from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotation.management.projects import plainly, user_named
from annotation.project_templates import TEMPLATES
from annotation.services import projects


class Command(BaseCommand):
    help = "Make a project: create_project 'Bank intents' --labels 'Refund,Card lost,Other' --admin ana"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--slug", default="", help="its address; made from the name if left out")
        parser.add_argument("--template", choices=list(TEMPLATES), default="blank")
        parser.add_argument(
            "--labels", default="", help="names, separated by commas, before those of the template"
        )
        parser.add_argument("--description", default="")
        parser.add_argument("--admin", help="username of its first admin")

    def handle(self, *args: Any, **options: Any) -> None:
        labels = [name.strip() for name in options["labels"].split(",") if name.strip()]
        with plainly():
            project = projects.create(
                options["name"],
                slug=options["slug"],
                template=options["template"],
                labels=labels,
                description=options["description"],
                created_by=user_named(options["admin"]),
            )
        self.stdout.write(project.slug)
