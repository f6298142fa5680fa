from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.intake.guess import guess_mapping
from annotation.intake.records import FORMATS
from annotation.intake.validate import Mapping
from annotation.management.projects import plainly, project_named, user_named
from annotation.models import Import
from annotation.selectors import imports as reads
from annotation.services import imports
from jobs.models import Job
from jobs.services import dispatch, jobs

SHOWN = 10


class Command(BaseCommand):
    help = (
        "Take the rows of a CSV, TSV, JSONL (also .gz) or Parquet file into a project: import_items bank FILE"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address")
        parser.add_argument("file", type=Path)
        parser.add_argument("--text", help="column with the text; guessed if left out, '' for none")
        parser.add_argument("--label", help="column with labels; none is read if left out")
        parser.add_argument("--value", help="column with the answers to all fields as JSON, instead")
        parser.add_argument("--best", help="response column that is preferred to the others, instead")
        parser.add_argument("--messages", help="column with a dialogue: a JSON list of turns")
        parser.add_argument(
            "--responses",
            action="append",
            default=[],
            help="column with a response to compare; repeatable, or one with a JSON list",
        )
        parser.add_argument("--draft", help="column that a response begins from")
        parser.add_argument("--id", help="column with your own id of a row")
        parser.add_argument("--split", help="column with train, validation or test")
        parser.add_argument(
            "--meta", action="append", default=[], help="column to keep beside the text; repeatable"
        )
        parser.add_argument(
            "--labels-from-file", action="store_true", help="add the file's labels to the schema"
        )
        parser.add_argument("--encoding", help="such as gb18030; told from the file if left out")
        parser.add_argument("--delimiter", help="told from the file if left out")
        parser.add_argument("--format", choices=FORMATS, help="told from the file if left out")
        parser.add_argument("--no-header", action="store_true", help="the first line is a row")
        parser.add_argument("--user", help="username to note as the one who imported")
        parser.add_argument(
            "--rejected", type=Path, help="write rejected rows to this file, to mend and import again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project, user = project_named(options["project"]), user_named(options["user"])
        reading = {
            key: options[key] for key in ("encoding", "delimiter", "format") if options[key] is not None
        }
        try:
            stream = options["file"].open("rb")
        except OSError as error:
            raise CommandError(
                f"{options['file']} cannot be read ({error.strerror}): check the path"
            ) from error
        with stream, plainly():
            import_run = imports.upload(
                project, stream, options["file"].name, by=user, has_header=not options["no_header"], **reading
            )
        if import_run.error:
            imports.discard(import_run, by=user)
            guess = import_run.file_info.get("guess")
            advice = f" (try --encoding {guess})" if guess else ""
            raise CommandError(f"{import_run.error}{advice}")
        with plainly(), dispatch.held():
            job = imports.start(
                import_run,
                self._mapping(import_run, options),
                by=user,
                labels_from_file=options["labels_from_file"],
            )
            self._run(job)
        import_run.refresh_from_db()
        self._report(import_run, options["rejected"])

    def _mapping(self, import_run: Import, options: dict[str, Any]) -> Mapping:
        info = reads.info(import_run)
        assert info is not None
        for warning in info.warnings:
            self.stderr.write(warning)
        text, guess = options["text"], guess_mapping(info)
        answers = [options[name] for name in ("label", "value", "best")]
        if guess.label is not None and not any(answers):
            self.stderr.write(
                f"the column {guess.label!r} is not read: --label {guess.label} takes labels from it"
            )
        return Mapping(
            text=guess.text if text is None else text,
            **{name: options[name] for name in ("label", "value", "best", "split", "messages", "draft")},
            external_id=options["id"],
            meta=tuple(options["meta"]),
            responses=tuple(options["responses"]),
        )

    def _run(self, job: Job) -> None:
        """Run the job here; if a worker was faster, wait for it."""
        while not jobs.run(job.pk):
            job.refresh_from_db()
            if job.has_ended:
                return
            time.sleep(0.5)

    def _report(self, import_run: Import, rejected: Path | None) -> None:
        if import_run.state != Import.State.DONE:
            raise CommandError(import_run.error or "the import did not end: see its job")
        found = {name: getattr(import_run, name) for name in ("added", "duplicates", "rejected", "labelled")}
        counts = ", ".join(f"{count:,} {name}" for name, count in found.items())
        self.stdout.write(f"{import_run.file_name}: {counts}")
        for code, count in reads.rejected_by_code(import_run).most_common():
            self.stderr.write(f"  {count:,} × {code}")
        for row in reads.rejected(import_run)[:SHOWN]:
            self.stderr.write(f"  {row.message}")
        if import_run.rejected > SHOWN:
            self.stderr.write(f"  … and {import_run.rejected - SHOWN:,} more")
        if rejected is not None and import_run.rejected:
            with rejected.open("w", encoding="utf-8", newline="") as file:
                file.writelines(reads.mend_file(import_run))
            self.stderr.write(f"rejected rows: {rejected}")
