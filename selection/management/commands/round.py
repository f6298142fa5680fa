"""manage.py round PROJECT: launch a round from the command line, and follow it if asked."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, BooleanOptionalAction
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import GyreError
from annotation.models import Project
from selection.forms import spec_to_start_from
from selection.models import Round, RoundStation
from selection.round_spec import RoundSpec
from selection.selectors import rounds as reads
from selection.services import rounds
from selection.strategies.registry import STRATEGIES
from training.learners import LEARNERS

_ORDER = (
    "strategy",
    "batch_size",
    "control_share",
    "learner",
    "seed",
    "weigh_by_value",
    "compare_fresh",
    "pool_limit",
    "strategy_settings",
    "learner_settings",
)


class Command(BaseCommand):
    help = "Launch a round of a project: train on the labels so far, judge, pick and publish the next batch."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("--strategy", choices=list(STRATEGIES), help="default: as in the last round")
        parser.add_argument("--batch-size", type=int, help="items to pick; 0: only train and judge")
        parser.add_argument("--control-share", type=float, help="share of the batch drawn at random")
        parser.add_argument("--learner", choices=list(LEARNERS))
        parser.add_argument("--seed", type=int)
        parser.add_argument(
            "--weigh-by-value",
            action=BooleanOptionalAction,
            help="training items count by what their labels are worth, as last worked out",
        )
        parser.add_argument(
            "--compare-fresh",
            action=BooleanOptionalAction,
            help="going on with the deployed model: train from the base too and put the better one forward",
        )
        parser.add_argument("--pool-limit", type=int, help="items to score at most; a larger pool is sampled")
        # "--settings" is Django's own.
        parser.add_argument("--strategy-settings", type=json.loads, dest="strategy_settings", help="as JSON")
        parser.add_argument("--learner-settings", type=json.loads, help="as JSON")
        parser.add_argument(
            "--wait",
            action="store_true",
            help="run it here, to its end, without a worker; one that runs already first",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)[:20]) or "none yet"
            raise CommandError(f"there is no project {options['project']!r}; there is: {known}")
        if options["wait"] and (running := reads.running(project)):
            # The first one starts by itself after an import, and without a worker nobody would end it.
            self.stdout.write(
                f"round {running.number} of {project.slug} was started before: it is run to its end"
            )
            self._follow(running)
            if all(options[name] is None for name in _ORDER):
                return
        try:
            round_ = rounds.launch(project, _spec(project, options))
        except (GyreError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"round {round_.number} of {project.slug} is launched")
        if options["wait"]:
            self._follow(round_)

    def _follow(self, round_: Round) -> None:
        started = time.monotonic()
        rounds.run_to_end(round_)
        for station in reads.stations(round_):
            took = f"{station.seconds:.1f} s" if station.seconds is not None else ""
            self.stdout.write(f"  {station.name:<9} {station.state:<8} {took:>8}  {station.note}")
        self.stdout.write(f"round {round_.number} is {round_.state} after {time.monotonic() - started:.1f} s")
        if round_.state != Round.State.DONE:
            failed = round_.stations.filter(state=RoundStation.State.FAILED).first()
            where = f" at {failed.name}" if failed else ""
            raise CommandError(f"the round {round_.state}{where}: {round_.error}")


def _spec(project: Project, options: dict[str, Any]) -> RoundSpec:
    spec = spec_to_start_from(project, reads.latest(project))
    given = {name: options[name] for name in _ORDER if options[name] is not None}
    given.pop("strategy_settings", None)
    if options["strategy_settings"] is not None:
        given["settings"] = options["strategy_settings"]
    if given.get("strategy", spec.strategy) != spec.strategy:
        given.setdefault("settings", {})  # another strategy's settings mean nothing to this one
    if given.get("learner", spec.learner) != spec.learner:
        given.setdefault("learner_settings", {})
        given.setdefault("compare_fresh", False)
    return replace(spec, **given)
