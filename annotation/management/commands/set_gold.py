from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.intake.read import rows, sniff
from annotation.intake.records import BadRow, IntakeError
from annotation.management.projects import plainly, project_named, user_named
from annotation.models import GoldItem
from annotation.services import gold

COLUMNS = ("item", "row", "external_id", "value", "label", "kind", "note", "is_active")
SHOWN = 10


class Command(BaseCommand):
    help = "Set items whose right answer is known from a CSV, TSV, JSONL or Parquet file: set_gold bank FILE"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--kind",
            choices=GoldItem.Kind.values,
            default=GoldItem.Kind.GOLD.value,
            help="of rows that name none",
        )
        parser.add_argument("--user", help="username to note as the one who set them")

    def handle(self, *args: Any, **options: Any) -> None:
        project, user = project_named(options["project"]), user_named(options["user"])
        lines: list[int] = []
        found: list[gold.GoldRow] = []
        bad: list[str] = []
        for line, row in self._rows(options["file"], options["kind"]):
            if isinstance(row, str):
                bad.append(row)
            else:
                lines.append(line)
                found.append(row)
        done = gold.Outcome()
        for start in range(0, len(found), gold.MOST):
            with plainly():
                part = gold.set_items(project, found[start : start + gold.MOST], by=user)
            for name in ("set", "unchanged", "withdrawn"):
                setattr(done, name, getattr(done, name) + getattr(part, name))
            bad += [f"line {lines[start + one.index]}: {one.message}" for one in part.refused]
        counts = f"{done.set:,} set, {done.unchanged:,} unchanged, {done.withdrawn:,} withdrawn"
        self.stdout.write(f"{options['file'].name}: {counts}, {len(bad):,} refused")
        for sentence in bad[:SHOWN]:
            self.stderr.write(f"  {sentence}")
        if len(bad) > SHOWN:
            self.stderr.write(f"  … and {len(bad) - SHOWN:,} more")
        if bad and not (done.set or done.unchanged or done.withdrawn):
            raise CommandError("no row could be taken: see the reasons above")

    def _rows(self, path: Path, kind: str) -> Iterator[tuple[int, gold.GoldRow | str]]:
        """Each row of the file with its line, or a sentence why it is none."""
        try:
            info = sniff(path)
            read = rows(path, info)
        except IntakeError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be read ({error.strerror}): check the path") from error
        for row in read:
            if isinstance(row, BadRow):
                yield row.line, row.message
                continue
            try:
                yield row.line, _gold_row(row.fields, kind)
            except ValueError as error:
                yield row.line, f"line {row.line}: {error}"


def _gold_row(fields: dict[str, Any], kind: str) -> gold.GoldRow:
    """Cells of a table are text, values of JSON lines are what they are."""
    given = {name: fields[name] for name in COLUMNS if fields.get(name) not in (None, "")}
    value = given.get("value")
    if isinstance(value, str):
        value = json.loads(value)
    if value is not None and not isinstance(value, dict):
        raise ValueError("value is not an object from field name to answer: write it as JSON")
    return gold.GoldRow(
        item=UUID(str(given["item"])) if "item" in given else None,
        row=int(given["row"]) if "row" in given else None,
        external_id=str(given.get("external_id", "")),
        value=value,
        label=str(given.get("label", "")),
        kind=str(given.get("kind", kind)),
        note=str(given.get("note", "")),
        is_active=str(given.get("is_active", "true")).lower() not in ("false", "0", "no"),
    )
