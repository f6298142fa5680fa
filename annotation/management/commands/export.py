from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.management.projects import plainly, project_named, user_named
from annotation.selectors.table_formats import FORMATS
from annotation.selectors.training_rows import Choice
from annotation.services import exports


class Command(BaseCommand):
    help = "Write labels, answers, items or training examples to a file: export bank --out labels.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address")
        parser.add_argument("--what", choices=list(exports.KINDS), default="resolutions")
        parser.add_argument("--format", choices=list(FORMATS), help="told from --out if left out, else jsonl")
        parser.add_argument("--out", type=Path, help="a file; standard output if left out")
        parser.add_argument(
            "--field", default="", help="of training examples: a field, the first if left out"
        )
        parser.add_argument("--split", default="", help="of training examples: train, validation or test")
        parser.add_argument(
            "--dialogue", action="store_true", help="of training examples: write texts as dialogues"
        )
        parser.add_argument("--user", help="username to note as the one who exported")

    def handle(self, *args: Any, **options: Any) -> None:
        project, user = project_named(options["project"]), user_named(options["user"])
        out: Path | None = options["out"]
        suffix = out.suffix.lstrip(".") if out else ""
        format = options["format"] or (suffix if suffix in FORMATS else "jsonl")
        with plainly():
            choice = Choice(**{name: options[name] for name in ("field", "split", "dialogue")})
            blocks = exports.stream(project, options["what"], format, by=user, choice=choice)
        if out is None:
            for block in blocks:
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
            return
        partial = out.with_name(f".{out.name}.part")
        try:
            with partial.open("wb") as file:
                file.writelines(blocks)
            partial.replace(out)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise CommandError(f"{out} cannot be written ({error.strerror}): choose another place") from error
        self.stderr.write(f"{out}: {out.stat().st_size:,} bytes")
