"""`manage.py plan`: how a model would be spread over a machine, what it takes there, and why."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training.distributed.grounds import in_gb
from training.distributed.plan import Plan, choose
from training.distributed.shape import CPU_SPEEDS, GB, Machine, Shape
from training.selectors import plans
from training.selectors.plans import Part

HEAD = 64  # the width of a head, nearly everywhere
SHAPE = ("parameters", "layers", "hidden")


class Command(BaseCommand):
    help = (
        "Say how a model would be trained on a machine: the layout, memory by part, bytes sent a step, and why. "
        "Nothing is loaded or launched."
    )
    requires_system_checks: list[str] = []  # type: ignore[assignment]  # no database, no data folder

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", help="of a base model; or give its sizes by the options")
        model = parser.add_argument_group("model")
        model.add_argument("--parameters", type=float, metavar="N", help="all of them, such as 7e9")
        model.add_argument("--layers", type=int, metavar="N")
        model.add_argument("--hidden", type=int, metavar="N", help="width of its vectors")
        model.add_argument("--heads", type=int, metavar="N", help=f"default: one for {HEAD} of the width")
        model.add_argument("--vocabulary", type=int, default=32_000, metavar="N", help="default 32000")
        model.add_argument("--sequence", type=int, default=512, metavar="N", help="tokens of an item")
        model.add_argument("--batch", type=int, default=32, metavar="N", help="items a step, of all devices")
        machine = parser.add_argument_group("machine; without --memory: this one")
        machine.add_argument("--kind", choices=["cuda", "cpu"], default="cuda", help="default cuda")
        machine.add_argument("--devices", type=int, metavar="N", help="GPUs, or processes on CPUs; default 1")
        machine.add_argument(
            "--per-node", type=int, default=8, metavar="N", help="of them in a box; default 8"
        )
        machine.add_argument("--memory", type=float, metavar="GB", help="of a device")
        machine.add_argument("--host", type=float, metavar="GB", help="of a box; default: none for offload")
        machine.add_argument("--all-devices", action="store_true", help="also processes that do not help")
        parser.add_argument("--json", action="store_true", help="the plan as run pages have it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            shape, machine = _shape(options), _machine(options)
            plan = choose(shape, machine, batch=options["batch"], fixed=options["all_devices"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(plan.to_json(), indent=1))
        else:
            self._say(plan)

    def _say(self, plan: Plan) -> None:
        layout = plan.layout
        self.stdout.write(
            f"{layout.name}: processes {layout.ranks}, items at once {layout.micro_batch}, "
            f"parts of a step {layout.accumulation}"
        )
        self._table("memory of a process", plans.memory(plan))
        self._table("sent by a process in a step", plans.sent(plan))
        self.stdout.write(f"gradients in buckets of {in_gb(plan.bucket)}")
        if plan.persist:
            self.stdout.write(f"tensors below {plan.persist:,} parameters stay whole")
        for reason in plans.reasons(plan):
            self.stdout.write(f"- {reason}")

    def _table(self, title: str, parts: list[Part]) -> None:
        self.stdout.write(f"{title}, in bytes:")
        for part in parts:
            self.stdout.write(f"  {part.name:<12} {part.bytes:>18,}  {in_gb(part.bytes)}")


def _shape(options: dict[str, Any]) -> Shape:
    """
    Raises:
        ValueError: neither a folder nor all of the sizes, or ones that do not go together.
    """
    given = [name for name in SHAPE if options[name] is not None]
    if options["folder"]:
        if given or options["heads"]:
            raise ValueError(f"found a folder and --{given[0] if given else 'heads'}: the folder says it")
        return plans.shape_of(Path(options["folder"]), options["sequence"])
    if lacking := [f"--{name}" for name in SHAPE if name not in given]:
        raise ValueError(
            f"found no folder and no {', '.join(lacking)}: give the folder of a model, or its sizes"
        )
    if not options["heads"] and options["hidden"] % HEAD:
        raise ValueError(f"found a width of {options['hidden']}, which {HEAD} does not divide: give --heads")
    return Shape(
        parameters=int(options["parameters"]),
        layers=options["layers"],
        hidden=options["hidden"],
        heads=options["heads"] or options["hidden"] // HEAD,
        vocabulary=options["vocabulary"],
        sequence=options["sequence"],
    )


def _machine(options: dict[str, Any]) -> Machine:
    if options["memory"] is None:
        here = Machine.here(options["devices"] or 1)
        return here if options["devices"] or here.kind == "cpu" else Machine.here(here.per_node)
    kind, devices = options["kind"], options["devices"] or 1
    return Machine(
        kind=kind,
        devices=devices,
        per_node=options["per_node"],
        memory=int(options["memory"] * GB),
        host=int((options["host"] or 0) * GB),
        **CPU_SPEEDS if kind == "cpu" else {},
    )
