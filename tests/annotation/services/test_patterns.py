"""Patterns: measured on resolved items, suggesting for open ones by a job, and for what comes in later."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from accounts.models import AuditEntry
from annotation.errors import PatternRefused, ProjectArchived
from annotation.models import Item, Pattern, PatternPass, Prelabel, Project
from annotation.quality.patterns import confidence
from annotation.selectors import patterns as reads
from annotation.selectors.queue import payloads
from annotation.services import batches, labelling, patterns, prelabels, projects, queue
from annotation.services.schemas import publish
from annotation.signals import import_finished
from jobs.models import Job
from jobs.services import jobs
from tests.factories import (
    add_member,
    make_import,
    make_items,
    make_labels,
    make_model_labeller,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(
        overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, self_consistency_share=0.0
    )


def add(project: Project, pattern: str, label: str = "refund", kind: str = "keyword", **more: Any) -> Pattern:
    given = {"field": "label", "label": label, "kind": kind, "pattern": pattern, **more}
    return patterns.add(project, make_user(), **given)


def said(items: list[Item]) -> list[str]:
    """The labels suggested for these items, "" for none."""
    found = {one.item_id: one for one in Prelabel.objects.all()}
    return [found[item.pk].value["label"] if item.pk in found else "" for item in items]


def test_it_is_measured_on_resolved_items_when_it_is_added(project: Project) -> None:
    texts = ["my money back", "money please", "the money is gone", "a card"]
    resolved = make_items(project, texts, split="train")
    make_labels(project, resolved, ["Refund", "Refund", "Other", "Card lost"])
    make_items(project, ["money", "nothing", "nothing else"], split="train")
    found = add(project, "money")
    assert (found.right, found.judged) == (2, 3)
    assert (found.matched, found.looked_at) == (4, 7)
    assert AuditEntry.objects.filter(verb="pattern.added").exists()


def test_test_items_are_not_looked_at(project: Project) -> None:
    judged = make_items(project, ["money one", "money two"], split="test")
    make_labels(project, judged, ["Refund", "Refund"])
    found = add(project, "money")
    assert (found.judged, found.matched, found.looked_at) == (0, 0, 0)


def test_answers_that_saw_a_suggestion_prove_nothing(project: Project) -> None:
    items = make_items(project, ["money a", "money b"], split="train")
    prelabels.store(project, make_model_labeller(project), [(items[0].pk, {"label": "refund"}, 0.9, {})])
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test")
    ana = add_member(project)
    for slot in queue.lease(project, ana, count=2):
        shown = payloads(project, ana, [slot])[0].prelabel
        told = uuid.UUID(shown["uuid"]) if shown else None
        value = {"label": "refund"}
        labelling.submit(project, ana, slot.uuid, value, client_key=uuid.uuid4().hex, prelabel_uuid=told)
    assert add(project, "money").judged == 1


def test_the_job_suggests_for_open_train_items(project: Project) -> None:
    resolved = make_items(project, ["money back now", "money, money"], split="train")
    make_labels(project, resolved, ["Refund", "Refund"])
    opened = make_items(project, ["where is my money", "lost my card", "hello"], split="train")
    judged = make_items(project, ["money of the test"], split="test")
    add(project, "money")
    add(project, "lost", "card-lost")
    jobs.drain()
    assert said(opened) == ["refund", "card-lost", ""]
    assert said([*resolved, *judged]) == ["", "", ""]
    one = Prelabel.objects.get(item=opened[0])
    assert one.labeller.kind == "rule"
    assert one.confidence == pytest.approx(confidence(2, 2))
    assert one.scores == {"refund": pytest.approx(confidence(2, 2))}


def test_a_changed_set_replaces_what_it_suggested_before(project: Project) -> None:
    opened = make_items(project, ["money", "fee", "kept"], split="train")
    first = add(project, "money")
    add(project, "kept")
    jobs.drain()
    assert said(opened) == ["refund", "", "refund"]
    batches.publish(project, [batches.Pick(row=opened[2].row)], origin="test")
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    used = Prelabel.objects.get(item=opened[2])
    labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="k", prelabel_uuid=used.uuid)
    add(project, "fee", "other")
    patterns.set_active(first, make_user(), False)
    jobs.drain()
    assert said(opened) == ["", "other", "refund"]
    assert Prelabel.objects.filter(pk=used.pk).exists()  # an answer refers to it
    patterns.set_active(Pattern.objects.get(pattern="fee"), make_user(), False)
    patterns.set_active(Pattern.objects.get(pattern="kept"), make_user(), False)
    jobs.drain()
    assert said(opened) == ["", "", "refund"]


def test_new_items_get_suggestions_too(project: Project) -> None:
    add(project, "money")
    jobs.drain()
    late = make_items(project, ["late money"], split="train")
    assert patterns.tick() == 1
    assert patterns.tick() == 1
    assert Job.objects.filter(kind=reads.KIND, state="queued").count() == 1
    jobs.drain()
    assert said(late) == ["refund"]
    assert patterns.tick() == 0


def test_an_import_starts_it_at_once(project: Project) -> None:
    add(project, "money")
    jobs.drain()
    import_run = make_import(project, lines=["text", "x"])
    import_finished.send(sender=type(import_run), import_run=import_run)
    assert Job.objects.filter(kind=reads.KIND, state="queued").count() == 1


def test_a_models_suggestion_is_shown_before_a_patterns(project: Project) -> None:
    [item] = make_items(project, ["money"], split="train")
    model = make_model_labeller(project)
    prelabels.store(project, model, [(item.pk, {"label": "other"}, 0.4, {})])
    add(project, "money")
    jobs.drain()
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    ana = add_member(project)
    [shown] = payloads(project, ana, queue.lease(project, ana, count=1))
    assert shown.prelabel is not None
    assert shown.prelabel["value"] == {"label": "other"}


def test_it_goes_through_many_items_in_blocks_and_may_be_run_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "BLOCK", 7)
    opened = make_items(project, [f"money {n}" for n in range(30)], split="train")
    add(project, "money")
    jobs.drain()
    assert said(opened) == ["refund"] * 30
    PatternPass.objects.update(rows_done=14)  # as after a killed attempt
    patterns.tick()
    jobs.drain()
    assert Prelabel.objects.count() == 30
    assert PatternPass.objects.get().rows_done == 30


def test_spans_and_several_labels_are_suggested_too() -> None:
    labels = [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]
    fields = [
        {"name": "topics", "type": "multilabel", "labels": labels},
        {"name": "parts", "type": "spans", "labels": labels, "required": False},
        {"name": "note", "type": "response"},
    ]
    project = make_project(labels=(), definition={"fields": fields})
    [item] = make_items(project, ["👩🏽 apple and banana"], split="train")
    assert [option.name for option in reads.field_options(project)] == ["topics", "parts"]
    add(project, "apple", "a", field="topics")
    add(project, "banana", "b", field="topics")
    add(project, r"ban\w+", "b", "regex", field="parts")
    jobs.drain()
    assert Prelabel.objects.get(item=item).value == {
        "topics": ["a", "b"],
        "parts": {"spans": [{"start": 13, "end": 19, "label": "b"}]},
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "x*"}, "matches everywhere"),
        ({"label": "nonsense"}, "no label “nonsense”"),
        ({"field": "nonsense"}, "in “nonsense”"),
        ({"kind": "magic"}, "no kind “magic”"),
        ({"pattern": "(a+)+$"}, "too slow"),
    ],
)
def test_it_refuses_what_cannot_be_used(project: Project, given: dict[str, str], message: str) -> None:
    make_items(project, ["a" * 3000 + "b"], split="train")
    with pytest.raises(PatternRefused, match=message):
        add(project, **{"pattern": "x", "kind": "regex", **given})
    assert not Pattern.objects.exists()


def test_a_pattern_that_turns_slow_is_switched_off(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SLOW_TEXTS", 2)
    add(project, "(a+)+$", kind="regex")
    add(project, "money")
    opened = make_items(
        project, ["a" * 3000 + "b", "a" * 3001 + "b", "money " + "a" * 3000 + "b"], split="train"
    )
    jobs.drain()
    assert Pattern.objects.get(kind="regex").is_active is False
    assert said(opened) == ["", "", "refund"]
    assert AuditEntry.objects.filter(verb="pattern.switched_off").exists()


def test_a_pattern_whose_label_is_gone_is_left_out(project: Project) -> None:
    opened = make_items(project, ["money", "fee"], split="train")
    add(project, "money", "card-lost")
    add(project, "fee", "other")
    definition = copy.deepcopy(project.schemas.get().definition)
    definition["fields"][0]["labels"].pop(1)
    publish(project, definition)
    jobs.drain()
    assert said(opened) == ["", "other"]
    assert [(row.label, row.is_known) for row in reads.rows(project)] == [
        ("Other", True),
        ("card-lost", False),
    ]


def test_the_same_pattern_twice_is_one_that_is_switched_on(project: Project) -> None:
    one = add(project, "money")
    patterns.set_active(one, make_user(), False)
    assert add(project, " money ").pk == one.pk
    assert Pattern.objects.get().is_active


def test_nothing_is_written_to_an_archived_project(project: Project) -> None:
    one = add(project, "money")
    projects.archive(project)
    for call in (lambda: add(project, "x"), lambda: patterns.set_active(one, make_user(), False)):
        with pytest.raises(ProjectArchived):
            call()
