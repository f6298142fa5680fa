"""`manage.py agreement PROJECT`: how far people agree, as the agreement page says it."""

from __future__ import annotations

import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.management.projects import plainly, project_named
from annotation.quality.intervals import Estimate
from annotation.selectors import agreement
from annotation.task_types.registry import InvalidDefinition


class Command(BaseCommand):
    help = "Print how far people agree in a project: agreement bank"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address")
        parser.add_argument("--field", metavar="NAME", help="field of the schema; default: the first")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            with plainly():
                report = agreement.report(project, options["field"])
        except InvalidDefinition as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{report.field}: {report.looks:,} answers to {report.items:,} items, "
            f"{report.items_twice:,} of them by two people or more"
        )
        for name, estimate in (
            ("Krippendorff's alpha", report.alpha),
            ("percent agreement" if report.is_categorical else "mean closeness", report.percent),
            ("Fleiss' kappa", report.fleiss),
            ("spot checks right", report.spot_checks),
            ("unresolved", report.unresolved),
            ("suggestions accepted", report.acceptance),
        ):
            self.stdout.write(f"  {name:<22}{_told(estimate)}")
        for pair in report.pairs:
            one, two = report.raters[pair.rater_a], report.raters[pair.rater_b]
            self.stdout.write(f"  {f'{one} and {two}':<22}kappa {_told(pair.kappa)}")


def _told(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return f"–  {estimate.note}".rstrip()
    interval = "" if math.isnan(estimate.low) else f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{estimate.value:.3f}{interval}, n = {estimate.n:,}"
