"""What bench.queue does with the database, each in a process with settings of its own (DATA_DIR,
DATABASE_URL).

    python -m bench._queue_data seed ITEMS SLOTS PEOPLE    a project, its items, its queue, its people
    python -m bench._queue_data busy ITEMS SLOTS NAME         an import and a publication beside the
    annotators python -m bench._queue_data count FILE...              what clients saw against what is stored

Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

LABELS = 20
SLUG = "bench"


def seed(items: int, slots: int, people: int) -> dict[str, Any]:
    """Every second person is known by an API token, the others by a session, as on the labelling page."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from accounts.services import users
    from annotation.services import projects, search_index
    from selection.models import Round

    owner = users.create_user("owner", password=None)
    labels = [f"Intent number {number}" for number in range(LABELS)]
    project = projects.create("Bench", slug=SLUG, created_by=owner, labels=labels)
    seconds = _import(project, items, "first.csv")
    _publish(project, slots, "first")
    search_index.catch_up(project)  # else the scheduler would do it beside the measurement
    # with a round, the scheduler does not launch the first one by itself beside the measurement
    Round.objects.create(project=project, number=1, spec={}, state="done")
    _analyse()
    return {
        "people": [_person(project, number) for number in range(people)],
        "labels": _labels(project),
        "import_s": round(seconds, 1),
    }


def _person(project: Any, number: int) -> dict[str, str]:
    from django.conf import settings
    from django.test import Client

    from accounts.services import tokens, users
    from annotation.services import memberships

    user = users.create_user(f"annotator-{number}", password=None)
    memberships.add(project, user)
    if number % 2:
        return {"Authorization": f"Bearer {tokens.create(user, 'bench')[1]}"}
    browser, csrf = Client(), "c" * 32
    browser.force_login(user)
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    return {
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={csrf}",
        "X-CSRFToken": csrf,
        "Accept-Language": "en-GB,en;q=0.9",
    }


def _labels(project: Any) -> list[str]:
    from annotation.selectors import schemas

    return [label["id"] for label in schemas.label_field(schemas.require(project))["labels"]]


def _import(project: Any, count: int, name: str, *, by_worker: bool = False) -> float:
    """Seconds of an import of `count` rows, run here or by the installation's own worker."""
    from annotation.services import imports
    from bench.intake import write_file
    from jobs.services import dispatch, jobs

    path = Path(os.environ["DATA_DIR"]) / name
    write_file(path, count)
    with path.open("rb") as stream:
        import_run = imports.upload(project, stream, name)
    started = time.perf_counter()
    if by_worker:
        imports.start(import_run, {"text": "text", "external_id": "id"})
        while import_run.state != "done":
            assert import_run.state != "failed", import_run.error
            time.sleep(0.2)
            import_run.refresh_from_db()
        return time.perf_counter() - started
    from annotation.signals import import_finished

    import_finished.receivers.clear()  # the first round would begin beside the measurement
    with dispatch.held():
        jobs.run(imports.start(import_run, {"text": "text", "external_id": "id"}).pk)
    import_run.refresh_from_db()
    assert import_run.state == "done", import_run.error
    return time.perf_counter() - started


def _publish(project: Any, count: int, origin: str) -> float:
    """Publish `count` items from all over the pool with suggestions, as a round does; seconds."""
    from annotation.models import Item
    from annotation.services import batches, labellers, prelabels

    labels = _labels(project)
    model = labellers.model(project, "bench", "Bench model")
    pool = Item.objects.filter(project=project, split="train", duplicate_of=None, slots=None)
    rows = list(pool.values_list("row", "pk"))
    step = len(rows) / count
    chosen = [rows[int(number * step)] for number in range(count)]
    scores = {label: share for label, share in zip(labels, (0.6, 0.2, 0.1, 0.06, 0.04), strict=False)}
    picks = [
        batches.Pick(row=row, design="margin", explanation={"parts": {"margin": 0.4}}) for row, _ in chosen
    ]
    suggested = [(pk, {"label": labels[0]}, 0.6, scores) for _, pk in chosen]
    started = time.perf_counter()
    prelabels.store(project, model, suggested)
    batches.publish(project, picks, origin=origin, title=origin)
    return time.perf_counter() - started


def _analyse() -> None:
    """What PostgreSQL's own housekeeping does within a minute of such a load."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def busy(items: int, slots: int, name: str) -> dict[str, Any]:
    from threading import Thread

    from django.conf import settings
    from django.db import connection

    from annotation.models import Project

    os.nice(settings.WORKER_NICE)  # a round publishes in a worker
    project = Project.objects.get(slug=SLUG)
    times: dict[str, Any] = {}

    def publish() -> None:
        times["publish_s"] = round(_publish(project, slots, name), 2)
        connection.close()

    publisher = Thread(target=publish)
    publisher.start()
    times["import_s"] = round(_import(project, items, f"{name}.csv", by_worker=True), 2)
    publisher.join()
    return times


def count(files: list[str]) -> dict[str, Any]:
    """Compare the clients' records with the database; see `figures` of bench.queue for what the words mean."""
    from django.db.models import Count, F

    from annotation.models import Annotation, Project, Review, Slot

    people = [person for name in files for person in json.loads(Path(name).read_text())["people"]]
    project = Project.objects.get(slug=SLUG)
    answers = [tuple(answer) for person in people for answer in person["answers"]]
    handed: dict[str, set[int]] = {}
    per_run = len(people) // len(files)
    for number, person in enumerate(people):
        for slot in person["handed"]:
            handed.setdefault(slot, set()).add(number % per_run)
    said = Annotation.objects.filter(project=project, is_retraction=False)
    stored = Counter(
        (str(slot), label, key)
        for slot, label, key in said.values_list("slot__uuid", "value__label", "client_key")
    )
    standing = said.filter(superseded_by=None)
    per_slot = standing.values("slot").annotate(n=Count("pk")).filter(n__gt=1)
    same_person = (
        Slot.objects.filter(project=project, person__isnull=False)
        .exclude(purpose="self")  # asked again on purpose
        .values("item", "person")
        .annotate(n=Count("pk"))
        .filter(n__gt=1)
    )
    other = standing.exclude(slot__person=F("labeller__user")).count()
    done = Slot.objects.filter(project=project, state="done")
    unanswered = done.exclude(pk__in=standing.values("slot")).count()
    accepted = Counter(answers)
    checks = Review.objects.filter(project=project, kind="spot_check").count()
    return {
        "answers": len(answers),
        "double": sum(len(who) > 1 for who in handed.values())
        + per_slot.count()
        + same_person.count()
        + sum((stored - accepted).values())
        + other,
        "lost": sum((accepted - stored).values()) + unanswered + abs(done.count() - standing.count()),
        "errors": sum(len(person["errors"]) for person in people),
        "first_errors": [error for person in people for error in person["errors"]][:5],
        "retries": sum(person["retries"] for person in people),
        "checks_share": round(checks / max(1, len(answers)), 3),
        "second_looks": done.filter(purpose="overlap").count(),
    }


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    action, *words = sys.argv[1:]
    if action == "count":
        print(json.dumps(count(words)))
    else:
        numbers = [int(word) if word.isdigit() else word for word in words]
        print(json.dumps({"seed": seed, "busy": busy}[action](*numbers)))
