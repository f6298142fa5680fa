"""manage.py create_demo: the synthetic project that a fresh installation starts with."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import Project
from selection.services import demo


class Command(BaseCommand):
    help = "Make the demo projects: synthetic messages with two real rounds, and answers of an assistant."

    def handle(self, *args: Any, **options: Any) -> None:
        if Project.objects.filter(slug=demo.SLUG).exists() and not demo.unfinished():
            raise CommandError(
                f"there is a project “{demo.SLUG}” already: archive it and give it another address first"
            )
        began = time.monotonic()
        demo.make(lambda line: self.stdout.write(f"  {line}"))
        self.stdout.write(f"  the demo project is ready ({time.monotonic() - began:.0f} s)")
