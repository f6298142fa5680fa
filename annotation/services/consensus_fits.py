"""Fitting the model of how right people are, and storing what it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import transaction

from annotation.models import (
    Annotation,
    ConsensusFit,
    GoldItem,
    Labeller,
    LabellerSkill,
    Project,
    Resolution,
    SchemaVersion,
    Slot,
)
from annotation.quality.consensus import NO_LABEL, DawidSkene, dawid_skene
from annotation.selectors import looks
from annotation.task_types import registry
from annotation.task_types.registry import Field
from jobs.services.context import JobContext

SHARE_OF_WORK = 0.2  # of the job's progress; looking at the items again is the rest
LEAST = 0.001  # smaller expected counts are not kept
_KNOWN = (Slot.Purpose.GOLD, Slot.Purpose.QUALIFICATION)
_Answer = tuple[int, int, Mapping[str, Any]]  # item, labeller, value


def fit(project: Project, schema: SchemaVersion, ctx: JobContext) -> int:
    """Fit the model to each categorical field of the schema; how many there are.

    The answers are people's own last words on items that several have answered, or whose answer is known: from
    a reviewer, or as gold. Items that one person alone has answered say nothing of anybody.
    """
    rows = list(
        looks.standing(project)
        .order_by("-pk")
        .values_list("pk", "item_id", "labeller_id", "value")[: looks.MOST]
    )
    last = max((row[0] for row in rows), default=0)
    answers: list[_Answer] = [row[1:] for row in rows] + _gold_answers(project)
    truths = _truths(project)
    fields = [
        one for one in schema.definition["fields"] if registry.task_type(one).categories(one) is not None
    ]
    for number, one in enumerate(fields):
        ctx.progress(SHARE_OF_WORK * number / len(fields), 1.0, one["name"])
        stored = _fit_field(project, one, answers, truths, last)
        ctx.log(
            f"{stored.field}: {stored.answers} answers on {stored.items} items ({stored.known_items} with a "
            f"known class), accuracy of all {stored.pooled_accuracy:.3f}, {stored.iterations} iterations"
            f"{'' if stored.converged else ', not converged'}"
        )
    return len(fields)


def _gold_answers(project: Project) -> list[_Answer]:
    found = Annotation.objects.filter(
        project=project,
        slot__purpose__in=_KNOWN,
        is_retraction=False,
        superseded_by__isnull=True,
        labeller__kind=Labeller.Kind.PERSON,
        item__in=GoldItem.objects.filter(project=project, is_active=True).values("item"),
    )
    return list(found.values_list("item_id", "labeller_id", "value"))


def _truths(project: Project) -> dict[int, dict[str, Any]]:
    """Values that are certain, by item: a reviewer's word, else a gold item's."""
    gold = GoldItem.objects.filter(project=project, is_active=True).values_list("item_id", "value")
    reviewed = Resolution.objects.filter(
        project=project, is_current=True, method=Resolution.Method.REVIEW
    ).values_list("item_id", "value")
    return {**dict(gold), **dict(reviewed)}


def _fit_field(
    project: Project,
    one: Field,
    answers: list[_Answer],
    truths: Mapping[int, Mapping[str, Any]],
    last: int,
) -> ConsensusFit:
    kind, name = registry.task_type(one), one["name"]
    known = {pk: kind.category(one, value[name]) for pk, value in truths.items() if name in value}
    said = [
        (item, labeller, label)
        for item, labeller, value in answers
        if name in value and (label := kind.category(one, value[name]))
    ]
    times = Counter(item for item, *_rest in said)
    said = [answer for answer in said if times[answer[0]] > 1 or answer[0] in known]
    classes = list(kind.categories(one) or ())
    found = {label for *_rest, label in said} | {label for label in known.values() if label}
    classes += sorted(found - set(classes))
    items = sorted({item for item, *_rest in said})
    labellers = sorted({labeller for _item, labeller, _label in said})
    place = {label: at for at, label in enumerate(classes)}
    item_at, labeller_at = _places(items), _places(labellers)
    coded = [(item_at[item], labeller_at[who], place[label]) for item, who, label in said]
    codes = np.array(coded, dtype=np.int64).reshape(-1, 3)
    certain = np.array([place.get(known.get(item) or "", NO_LABEL) for item in items], dtype=np.int64)
    model = dawid_skene(
        *codes.T,
        n_items=len(items),
        n_raters=len(labellers),
        n_labels=len(classes),
        known=certain,
    )
    stored = ConsensusFit(
        project=project,
        field=name,
        classes=classes,
        prior=[round(share, 8) for share in model.prior.tolist()],
        pooled_accuracy=model.pooled_accuracy,
        smoothing=model.smoothing,
        items=len(items),
        answers=len(said),
        known_items=int((certain >= 0).sum()),
        iterations=model.iterations,
        converged=model.converged,
        log_likelihood=model.log_likelihood,
        last_annotation=last,
    )
    _store(stored, model, labellers, Counter(who for _item, who, _label in said))
    return stored


def _places(ids: list[int]) -> dict[int, int]:
    return {one: at for at, one in enumerate(ids)}


@transaction.atomic
def _store(
    stored: ConsensusFit, model: DawidSkene, labellers: list[int], answered: Mapping[int, int]
) -> None:
    """The new fit takes the place of the one before, whose people's part goes."""
    Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=stored.project_id)
    earlier = ConsensusFit.objects.filter(project=stored.project_id, field=stored.field)
    LabellerSkill.objects.filter(fit__in=earlier).delete()
    earlier.filter(is_current=True).update(is_current=False)
    stored.save(force_insert=True)
    counts: dict[int, dict[str, dict[str, float]]] = defaultdict(dict)
    for rater, said, row in zip(
        model.said_by.tolist(), model.said.tolist(), model.counts.tolist(), strict=True
    ):
        kept = {stored.classes[at]: round(count, 4) for at, count in enumerate(row) if count >= LEAST}
        counts[rater][stored.classes[said]] = kept
    LabellerSkill.objects.bulk_create(
        [
            LabellerSkill(
                fit=stored,
                labeller_id=labeller,
                accuracy=float(model.accuracy[rater]),
                counts=counts[rater],
                answers=answered[labeller],
            )
            for rater, labeller in enumerate(labellers)
        ],
        batch_size=500,
    )
