"""manage.py base_model PROJECT: the models that a project can train; register, forget."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from annotation.management.projects import plainly, project_named
from training.selectors import base_models as reads
from training.services import base_models

NONE = "none: run `make setup-smollm2` or register a folder"


class Command(BaseCommand):
    help = "List the models that a project can train, register a folder as one, or forget one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument(
            "--register", metavar="FOLDER", help="safetensors, a tokenizer and no code; or a hub id"
        )
        parser.add_argument("--name", default="", help="of the registered one; default: the folder's name")
        parser.add_argument("--default", action="store_true", help="train it where none is named")
        parser.add_argument("--remove", metavar="NAME", help="forget it; its files stay")

    def handle(self, *args: Any, **options: Any) -> None:
        with plainly():
            project = project_named(options["project"])
            if folder := options["register"]:
                name = options["name"] or folder.rstrip("/").rpartition("/")[2].replace(".", "-")
                if base_models.names_hub(folder):
                    folder = str(base_models.fetch(folder, self._tell))
                row = base_models.register(project, name=name, folder=folder, is_default=options["default"])
                self.stdout.write(f"registered {row.name}: {row.architecture}, {row.parameters:,} parameters")
            if options["remove"]:
                base_models.remove(project, options["remove"])
                self.stdout.write(f"forgot {options['remove']}")
            for kind in reads.Kind:
                self.stdout.write(f"{kind.label}:")
                default = reads.default(project, kind)
                for name in reads.names(project, kind) or [NONE]:
                    self.stdout.write(f"  {name}{' (default)' if default and default.name == name else ''}")

    def _tell(self, here: int, file: str) -> None:
        if file:
            self.stdout.write(f"fetching {file} ({here / 1e6:,.0f} MB are here)")
