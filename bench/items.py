"""Pages of the data manager over a million items: each filter and sort, from either end and the middle.

The project has all that the filters ask for: labels, suggestions, slots, tags, disputes. Times are those of
the selector, with all that a page shows. `DATA_DIR=folder` keeps the items there for the next run.

    python -m bench.items [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._report import Figure, main

ITEMS, QUICK_ITEMS = 1_000_000, 40_000
WORDS, LABELS = 20_000, 50
CHINESE = "我的钱还没到账怎么办请退款卡丢了费用"
SEED = 5
NAME = "Bench items"


def texts(count: int) -> Iterator[str]:
    """Sentences of 6 to 14 made-up words, the frequent ones far more often; every tenth with Chinese in it."""
    rng = random.Random(SEED)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(WORDS)]
    words[0], words[-1] = "payment", "unheardof"
    weights = [1 / (rank + 1) ** 0.8 for rank in range(WORDS)]
    pool = rng.choices(words, weights, k=2_000_000)
    for number in range(count):
        at = rng.randrange(len(pool) - 14)
        text = " ".join(pool[at : at + rng.randint(6, 14)])
        yield f"{text} {''.join(rng.choices(CHINESE, k=6))}" if number % 10 == 0 else text


def seed(count: int) -> Any:
    """The project with its items and all that is known of them."""
    from annotation.intake.validate import Candidate, Mapping, Row, candidate
    from annotation.models import Source
    from annotation.selectors import schemas
    from annotation.services import item_blocks, labellers, projects
    from annotation.task_types.labels import lookup

    labels = [f"label {number}" for number in range(LABELS)]
    project = projects.create(NAME, labels=labels, overlap_share=0, evaluation_items=0)
    schema = schemas.require(project)
    known, rng = lookup(schemas.label_field(schema)), random.Random(SEED)
    mapping = Mapping(text="text", label="label", external_id="id", meta=("channel",))
    weights = [1 / (rank + 1) for rank in range(LABELS)]
    blocks: dict[str, list[Any]] = {"old.csv": [], "new.csv": []}
    intakes = {}
    for name in blocks:
        source = Source.objects.create(project=project, name=name)
        labeller = labellers.rule(project, name, name)
        intakes[name] = item_blocks.Intake(project=project, source=source, schema=schema, labeller=labeller)

    def flush(name: str) -> None:
        item_blocks.store(intakes[name], blocks[name])
        blocks[name].clear()

    for number, text in enumerate(texts(count)):
        name = "new.csv" if number >= 0.9 * count else "old.csv"
        label = rng.choices(labels, weights)[0] if number >= 0.8 * count else None
        fields = {"text": text, "label": label, "id": str(number), "channel": "mail" if number % 7 else "app"}
        made = candidate(Row(number, fields, ""), mapping, known)
        assert isinstance(made, Candidate)
        blocks[name].append(made)
        if len(blocks[name]) == item_blocks.BLOCK_ROWS:
            flush(name)
    for name in blocks:
        if blocks[name]:
            flush(name)
    return project  # a few are refused: the same text with another label


def furnish(project: Any, count: int) -> None:
    """Suggestions for a tenth, published slots for a twentieth, answers, tags, disputes, some held back."""
    from accounts.models import User
    from annotation.models import (
        Annotation,
        Item,
        ItemTag,
        Membership,
        Prelabel,
        Review,
        Slot,
        Tag,
    )
    from annotation.selectors import schemas
    from annotation.services import batches, labellers

    rng = random.Random(SEED)
    ids = dict(Item.objects.filter(project=project).values_list("row", "pk"))
    free = sorted(rng.sample(range(int(0.8 * count)), count // 10))
    schema = schemas.require(project)
    label_ids = [label["id"] for label in schemas.label_field(schema)["labels"]]
    model = labellers.model(project, "bench", "Bench model")
    Prelabel.objects.bulk_create(
        (
            Prelabel(
                project=project,
                item_id=ids[row],
                labeller=model,
                value={"label": rng.choice(label_ids)},
                confidence=round(rng.random(), 4),
            )
            for row in free
        ),
        batch_size=1000,
    )
    picks = [
        batches.Pick(row=row, explanation={"parts": {"margin": rng.random(), "mmr": rng.random()}})
        for row in free[: count // 20]
    ]
    size = max(1, len(picks) // 10)
    person = User.objects.create(username="bench")
    Membership.objects.create(project=project, user=person)
    own = labellers.person(project, person)
    for number in range(0, len(picks), size):
        batch = batches.publish(project, picks[number : number + size], origin=str(number))
        if number + size < len(picks):
            batch.slots.update(state=Slot.State.DONE, person=person)
            Annotation.objects.bulk_create(
                Annotation(
                    project=project, item_id=slot.item_id, slot=slot, labeller=own, schema_version=schema,
                    value={"label": label_ids[0]}, client_key=str(slot.pk),
                )
                for slot in batch.slots.all()
            )  # fmt: skip
    rare, common = (Tag.objects.create(project=project, name=name) for name in ("rare", "common"))
    for tag, many in ((rare, count // 2000), (common, count // 20)):
        chosen = rng.sample(range(count), many)
        ItemTag.objects.bulk_create((ItemTag(tag=tag, item_id=ids[row]) for row in chosen), batch_size=1000)
    Review.objects.bulk_create(
        Review(project=project, kind="dispute", item_id=ids[row]) for row in rng.sample(free, count // 5000)
    )
    held = [ids[row] for row in rng.sample(range(count), count // 1000)]
    Item.objects.filter(pk__in=held).update(held_back="odd")


def cases(project: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """Name -> filters and sort."""
    from annotation.models import Labeller, Source, Tag

    tag = {tag.name: tag.uuid for tag in Tag.objects.filter(project=project)}
    person = Labeller.objects.get(project=project, kind="person").uuid
    new = Source.objects.get(project=project, name="new.csv").pk
    common, rare = "label:label-0", f"label:label-{LABELS - 1}"
    return {
        "plain": ({}, "row"),
        "last_first": ({}, "-row"),
        "text.common": ({"text": "payment"}, "row"),
        "text.beginning": ({"text": "pa"}, "row"),
        "text.rare": ({"text": "unheardof"}, "row"),
        "text.none": ({"text": "zzzzzzzzzz"}, "row"),
        "text.two": ({"text": "payment unheardof"}, "row"),
        "text.chinese": ({"text": "退款"}, "row"),
        "state.labelled": ({"state": "labelled"}, "row"),
        "state.waiting": ({"state": "waiting"}, "row"),
        "state.unlabelled": ({"state": "unlabelled"}, "row"),
        "state.unclear": ({"state": "unclear"}, "row"),
        "state.held_back": ({"state": "held_back"}, "row"),
        "state.duplicate": ({"state": "duplicate"}, "row"),
        "label.common": ({"label": common}, "row"),
        "label.rare": ({"label": rare}, "row"),
        "suggested": ({"suggested": common}, "row"),
        "unsure_range": ({"sure_from": 0.5, "sure_to": 0.501}, "row"),
        "sure_range": ({"sure_from": 0.5}, "row"),
        "decided.disputed": ({"decided": "disputed"}, "row"),
        "person": ({"person": person}, "row"),
        "tag.rare": ({"tag": tag["rare"]}, "row"),
        "tag.common": ({"tag": tag["common"]}, "row"),
        "source": ({"source": new}, "row"),
        "split": ({"split": "test"}, "row"),
        "round": ({"batch": 5}, "row"),
        "meta": ({"meta": "channel=app"}, "row"),
        "meta.none": ({"meta": "channel=fax"}, "row"),
        "sort.newest": ({}, "newest"),
        "sort.unsure": ({}, "unsure"),
        "sort.score": ({}, "score.margin"),
        "label+tag.rare": ({"label": common, "tag": tag["rare"]}, "row"),
        "text+label": ({"text": "payment", "label": common}, "row"),
        "text+unlabelled": ({"text": "payment", "state": "unlabelled"}, "row"),
        "split+waiting+text": ({"split": "train", "state": "waiting", "text": "payment"}, "row"),
        "label.common.newest": ({"label": common}, "newest"),
        "label.rare.newest": ({"label": rare}, "newest"),
        "text.unsure": ({"text": "payment"}, "unsure"),
        "tag.rare.unsure": ({"tag": tag["rare"]}, "unsure"),
    }


def time_page(project: Any, filters: dict[str, Any], sort: str) -> tuple[float, str]:
    """(the slowest in ms of the first page, one in the middle, and the one before that; what it found, and
    the processor time of the slowest, which does not depend on what else the machine does).
    """
    from annotation.selectors import items
    from annotation.selectors.item_filters import Filters

    wanted = Filters(**filters)
    middle = project.items.order_by("-row").values_list("row", flat=True)[0] // 2
    worst, first = (0.0, 0.0), None
    ways: list[dict[str, Any]] = [{}]
    if sort in ("row", "-row"):
        ways += [{"after": str(middle)}, {"before": str(middle)}]
    for way in ways:
        runs = []
        for _ in range(3):
            started, used = time.perf_counter(), time.process_time()
            page = items.page(project, wanted, sort=sort, **way)
            runs.append((1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)))
        worst = max(worst, sorted(runs)[1])
        first = first or page
        if page.stopped:
            return worst[0], f"stops after {page.stopped:,} items; {worst[1]:.0f} ms of the processor"
    assert first is not None
    return worst[0], f"{len(first.rows)} rows; {worst[1]:.0f} ms of the processor"


def figures(quick: bool) -> Iterator[Figure]:
    count = QUICK_ITEMS if quick else ITEMS
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        os.environ.setdefault("DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ["LOG_LEVEL"] = "WARNING"
        Path(os.environ["DATA_DIR"]).mkdir(parents=True, exist_ok=True)
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from annotation.models import Project
        from annotation.services import search_index

        call_command("migrate", verbosity=0)
        project = Project.objects.filter(name=NAME).first()
        if project is None:
            project = seed(count)
        if not project.tags.exists():
            furnish(project, project.items.count())
        search_index.rebuild(project)
        started = time.perf_counter()
        search_index.catch_up(project)
        rate = count / (time.perf_counter() - started)
        yield Figure("items.index_rows_per_s", round(rate), "1/s")
        for name, (filters, sort) in cases(project).items():
            slowest, found = time_page(project, filters, sort)
            yield Figure(f"items.page_ms.{name}", round(slowest, 1), "ms", found)
        connection.close()


if __name__ == "__main__":
    sys.exit(main(figures))
