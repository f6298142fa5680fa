"""The second demo project: made-up exchanges with an assistant, preferred, rated and mended by simulated people.

It shows what the first one cannot: preferences, ratings and responses, in English and Chinese, with discussions
and gold items. No model has a part in it. Every step looks at what is there first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.demo.exchanges import Exchange, exchanges
from annotation.demo.judges import GUIDELINE, IDS, SCHEMA, judge, verdict
from annotation.demo.messages import Person
from annotation.models import Annotation, Batch, Discussion, Item, Project, Review, Slot, Source
from annotation.selectors.queue import presentation_seed
from annotation.services import batches, discussions, gold, items, labelling, projects, queue
from annotation.task_types.preference import shown_order
from selection.services import demo_people
from selection.services.demo_people import Cast

SLUG = "demo-answers"
COUNT = 200
SEED = 2027
GOLD = 6  # exchanges, the last ones, whose answer is known
PUBLISHED = 130
LABELLED = 120  # slots that are done: the rest is for whoever opens the demo
SKIPPED = 0.02


def make(cast: Cast) -> Project:
    """Make the project, or finish it. Takes a few seconds."""
    made = exchanges(COUNT, np.random.default_rng(SEED))
    known = {one.question: one for one in made}
    project = _project(cast, made)
    batch = _published(project)
    rng = np.random.default_rng([SEED, 1])

    def look(user: User, person: Person, slot: Slot) -> None:
        _look(project, user, person, slot, known[slot.item.text], rng)

    demo_people.take_turns(project, batch, cast, look, rng, limit=LABELLED)
    demo_people.review(project, cast, lambda review: _ruling(review, known[review.item.text]))
    if not Discussion.objects.filter(project=project).exists():
        _discuss(project, cast)
    return project


def _project(cast: Cast, made: list[Exchange]) -> Project:
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        project = projects.create(
            _("Demo: answers of an assistant"),
            slug=SLUG,
            created_by=cast.admin,
            definition=SCHEMA,
            guideline=GUIDELINE,
            is_synthetic=True,
            description=_(
                "Synthetic questions with two answers each: which is better, how good, and mend it."
            ),
            seed=SEED,
            overlap_share=0.4,
            evaluation_items=0,
            spot_check_share=0.2,
            gold_share=0.1,
            gold_feedback=True,
        )
    demo_people.join(project, cast)
    records = [
        items.Record(text=one.question, external_id=str(n), data=one.data, meta={"language": one.language})
        for n, one in enumerate(made)
    ]
    items.add_items(project, records, source="seeded grammar", by=cast.admin, kind=Source.Kind.SYNTHETIC)
    rows = [
        gold.GoldRow(external_id=str(n), value=_known(made[n]), note=_("Made with this answer in mind."))
        for n in range(COUNT - GOLD, COUNT)
    ]
    gold.set_items(project, rows, by=cast.admin)
    return project


def _known(exchange: Exchange) -> dict[str, Any]:
    """What nobody can be of two minds about; how good an answer is, and how to write it, is left to them."""
    right = verdict(exchange)
    return {name: right[name] for name in ("preferred", "faults")}


def _published(project: Project) -> Batch:
    fitting = Item.objects.filter(project=project, split="train", row__lt=COUNT - GOLD).order_by("row")
    rows = fitting.values_list("row", flat=True)[:PUBLISHED]
    picks = [batches.Pick(row=row) for row in rows]
    return batches.publish(project, picks, origin="demo", title=_("Answers to judge"))


def _look(
    project: Project, user: User, person: Person, slot: Slot, exchange: Exchange, rng: np.random.Generator
) -> None:
    if rng.random() < SKIPPED:
        queue.skip(project, user, slot.uuid, _("I do not know this subject"))
        return
    order = shown_order(IDS, presentation_seed(user.uuid, slot.item.uuid))
    value = judge(exchange, person, order, rng)
    seconds = person.seconds * (3 if "rewrite" not in value else 8)
    labelling.submit(
        project,
        user,
        slot.uuid,
        value,
        client_key=f"demo-{slot.uuid}",
        active_ms=int(1000 * seconds * rng.lognormal(sigma=0.4)),
    )


def _ruling(review: Review, exchange: Exchange) -> tuple[str, Mapping[str, Any] | None, str]:
    right = verdict(exchange)
    given = review.annotation.value if review.annotation else None
    if given is not None and _is_near(given, right):
        return Review.Verdict.RIGHT, None, ""
    note = "" if given is None else _("Read both to the end before you choose.")
    return Review.Verdict.WRONG, right, note


def _is_near(given: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """The same preference and faults, and no rating more than a point off."""
    apart = max(abs(point - right["quality"][name]) for name, point in given["quality"].items())
    same_order = given["preferred"]["ranking"] == right["preferred"]["ranking"]
    return same_order and given["faults"] == right["faults"] and apart <= 1


def _discuss(project: Project, cast: Cast) -> None:
    """Two threads on items that were answered: an open one, and one that is settled, in Chinese."""
    ana, chen = cast.annotators["ana"][0], cast.annotators["chen"][0]
    opened = discussions.start(
        project, ana, _own_item(project, ana), "Both are true, one only says more. Is that a tie?"
    )
    discussions.reply(
        opened.discussion,
        cast.reviewer,
        "Not quite: take the longer one if the rest helps, the shorter one if it does not.",
    )
    settled = discussions.start(project, chen, _own_item(project, chen), "没有写单位，算没答全吗？")
    discussions.reply(settled.discussion, cast.reviewer, "如果问题里已经有单位，就不算。")
    discussions.close(settled.discussion, cast.reviewer)


def _own_item(project: Project, user: User) -> Item:
    own = Annotation.objects.filter(project=project, labeller__user=user, is_retraction=False)
    fitting = own.filter(item__discussions__isnull=True).order_by("pk").select_related("item")
    return fitting[0].item
