from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotation.management.projects import plainly, project_named
from annotation.models import Project
from annotation.selectors import search_states
from annotation.services import search_index


class Command(BaseCommand):
    help = "Bring the search index of the items up to date: index_items bank. It is done by itself as well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", help="the project's address; without one all projects")
        parser.add_argument("--rebuild", action="store_true", help="throw the index away first")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [project_named(options["project"])] if options["project"] else Project.objects.all()
        for project in chosen:
            with plainly():
                if options["rebuild"]:
                    search_index.recover()
                    search_index.rebuild(project)
                search_index.catch_up(project)
            found = search_states.backlog(project)
            self.stdout.write(f"{project.slug}: {found.text_row + 1:,} items are searchable")
