"""`manage.py evaluation PROJECT [MODEL]`: how good a model is, what was decided, and a word against it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.http import Http404

from annotation.management.projects import plainly, project_named, user_named
from training.models import Decision, Evaluation, ModelVersion
from training.selectors import comparisons, evaluations, models
from training.selectors.comparisons import View
from training.selectors.evaluations import Figure, Measured
from training.services import decisions


class Command(BaseCommand):
    help = "Print what the evaluation of a model says: evaluation bank, evaluation bank 3; or overrule."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("model", nargs="?", type=int, help="number of the model; default: the newest")
        parser.add_argument("--deploy", action="store_true", help="overrule: let the model serve")
        parser.add_argument("--keep", action="store_true", help="overrule: bring back the one before")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why, in one sentence")
        parser.add_argument("--user", metavar="NAME", help="who decides: an overruling needs a person")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        number = options["model"]
        if number is None:
            newest = models.for_project(project).order_by("-number").first()
            if newest is None:
                raise CommandError("this project has no model yet: launch a round")
            number = newest.number
        try:
            model = evaluations.get_model(project, number)
        except Http404 as error:
            raise CommandError(str(error)) from error
        if options["deploy"] or options["keep"]:
            self._overrule(model, options)
        self._say(model)

    def _overrule(self, model: ModelVersion, options: dict[str, Any]) -> None:
        if options["deploy"] and options["keep"]:
            raise CommandError("--deploy and --keep contradict each other: give one of them")
        by = user_named(options["user"])
        if by is None:
            raise CommandError("an overruling is somebody's word: name them by --user")
        action = Decision.Action.DEPLOY if options["deploy"] else Decision.Action.KEEP
        with plainly():
            decisions.overrule(model, action=action, reason=options["reason"], by=by)

    def _say(self, model: ModelVersion) -> None:
        serving = models.deployed(model.project)
        self.stdout.write(f"{model}{', deployed' if serving is not None and serving.pk == model.pk else ''}")
        judged = models.latest_evaluation(model)
        if judged is None:
            self.stdout.write("  not evaluated: there were no test labels")
        elif (language := evaluations.language_report(judged)) is not None:
            for row in language.rows:
                self.stdout.write(
                    f"  {row.name:<24}accuracy {_told(row.accuracy)}, loss {_told(row.loss, '.3f')}"
                )
            self.stdout.write(f"  {f'against {language.against}':<24}{_told(language.difference, '+.1%')}")
        else:
            self._classifier(judged)
        for one in comparisons.for_model(model):
            self._compared(comparisons.view(one))
        for decision in model.decisions.select_related("by"):
            who = decision.by.username if decision.by else "the rule"
            unproven = "" if decision.proven else ", unproven"
            self.stdout.write(f"  {decision.get_action_display()} ({who}{unproven}): {decision.reason}")

    def _compared(self, found: View) -> None:
        for side in found.sides:
            again = "" if side.replayed is None else f", {side.replayed:,} of them again"
            figure = f"{side.figure.name} {_figure(side.figure)}" if side.figure else "no figure"
            learnt = f"{side.items or 0:,} texts learnt{again}, {side.steps or 0:,} steps"
            told = f"{figure}; {learnt}, {side.seconds or 0:.1f} s"
            self.stdout.write(f"  {side.model} from {side.start}: {told}")
        self.stdout.write(f"  {found.reason}")

    def _classifier(self, judged: Evaluation) -> None:
        report = evaluations.report(judged)
        for figure in (*report.figures, *report.levels):
            self.stdout.write(f"  {figure.name:<24}{_figure(figure)}")
        if report.difference is not None:
            name = f"{report.difference.name}, less {judged.baseline}"
            self.stdout.write(f"  {name:<24}{_figure(report.difference, '+')}")


def _figure(figure: Figure, sign: str = "") -> str:
    return _told(figure.measured, f"{sign}.1%" if figure.is_share else f"{sign}.3f")


def _told(measured: Measured, form: str = ".1%") -> str:
    interval = (
        ""
        if measured.low is None or measured.high is None
        else f" ({measured.low:{form}} to {measured.high:{form}})"
    )
    return f"{measured.value:{form}}{interval}, n = {measured.n:,}"
