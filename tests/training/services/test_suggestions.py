"""Suggestions without a model: which items get one, how they are measured, resumed, replaced and taken back."""

from __future__ import annotations

import copy
import uuid
from functools import partialmethod
from typing import Any

import pytest

from accounts.models import AuditEntry, User
from annotation.errors import ProjectArchived
from annotation.models import Item, Labeller, Prelabel, Project
from annotation.selectors import schemas
from annotation.selectors.queue import payloads
from annotation.services import batches, labelling, prelabels, projects, queue
from annotation.services.schemas import publish
from jobs.errors import Cancelled, Lost, ProgramFailed
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext
from tests.factories import (
    add_member,
    make_item,
    make_items,
    make_labels,
    make_model_labeller,
    make_project,
    make_user,
)
from training.errors import BadSettings, NotSuggestible
from training.learning import encoder, language_model
from training.selectors import suggestions as reads
from training.services import suggestion_files, suggestions
from training.suggestion_sources import SOURCES

pytestmark = pytest.mark.django_db

LABELS = [
    {"id": "refund", "name": "Refund", "description": "The person wants money back."},
    {"id": "card-lost", "name": "Card lost", "description": "A card is gone or stolen."},
    {"id": "other", "name": "Other", "description": "Something else."},
]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "PROGRAM", "tests.stand_in_suggest")
    monkeypatch.setattr(JobContext, "run_program", partialmethod(JobContext.run_program, in_process=True))


@pytest.fixture
def project() -> Project:
    return make_project(
        labels=LABELS, overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, self_consistency_share=0.0
    )


def with_field(project: Project, field: dict[str, Any]) -> None:
    publish(project, {"fields": [field]}, by=make_user())


def run(project: Project, **given: Any) -> dict[str, Any]:
    """Launch and run to the end; what came of it."""
    job = suggestions.launch(project, **{"source": "descriptions", "limit": 100, "order": "random", **given})
    jobs.drain()
    job.refresh_from_db()
    assert job.state == "done", job.error
    return dict(job.result or {})


def said(items: list[Item]) -> list[Any]:
    """The labels suggested for these items, "" for none."""
    found = {one.item_id: one for one in Prelabel.objects.order_by("pk")}
    return [next(iter(found[item.pk].value.values())) if item.pk in found else "" for item in items]


def test_it_suggests_for_open_train_items_alone(project: Project) -> None:
    opened = make_items(project, ["my money is not back", "the card is stolen"], split="train")
    decided = make_items(project, ["money money"], split="train")
    make_labels(project, decided, ["Refund"])
    judged = [
        *make_items(project, ["money of the test"], split="test"),
        make_item(project, "a card", split="validation"),
    ]
    held = make_item(project, "card stolen")
    Item.objects.filter(pk=held.pk).update(held_back="a reason")
    result = run(project)
    assert said(opened) == ["refund", "card-lost"]
    assert said([*decided, *judged, held]) == ["", "", "", ""]
    assert (result["looked_at"], result["stored"]) == (2, 2)
    one = Prelabel.objects.get(item=opened[0])
    assert one.labeller.kind == Labeller.Kind.RULE and one.labeller.key.startswith(
        "suggest:descriptions:label:"
    )
    # "money", "is", "back" are no words of the others but one "is": 0.2 against 0.1 and 0, over 0.05
    assert one.confidence == pytest.approx(max(one.scores.values()), abs=1e-4) and sum(
        one.scores.values()
    ) == pytest.approx(1, abs=1e-3)
    assert AuditEntry.objects.get(verb="suggestions.launched").data["limit"] == 100


def test_it_begins_with_what_the_queue_hands_out_next(project: Project) -> None:
    items = make_items(project, [f"card {n}" for n in range(5)], split="train")
    batches.publish(project, [batches.Pick(row=items[at].row) for at in (3, 1, 4)], origin="test")
    assert run(project, limit=2, order="queue")["stored"] == 2
    assert said(items) == ["", "card-lost", "", "card-lost", ""]
    assert (
        run(project, limit=9, order="queue")["looked_at"] == 1
    )  # the third of them; the others are not queued


def test_it_draws_the_same_items_for_the_same_seed(project: Project) -> None:
    from annotation.selectors import suggestible

    rows = [item.row for item in make_items(project, 30, split="train")]
    found = suggestible.open_items(project)
    first = suggestible.at_random(project, found, 10, seed=3)
    assert (
        first
        == suggestible.at_random(project, found, 10, seed=3)
        != suggestible.at_random(project, found, 10, seed=4)
    )
    assert len(set(first)) == 10 and set(first) <= set(rows)
    assert sorted(suggestible.at_random(project, found, 99, seed=1)) == rows


def test_it_leaves_items_alone_that_a_model_or_a_pattern_speaks_of(project: Project) -> None:
    items = make_items(project, ["my card", "a card", "one card"], split="train")
    prelabels.store(project, make_model_labeller(project), [(items[0].pk, {"label": "other"}, 0.4, {})])
    rule = Labeller.objects.create(project=project, kind="rule", key="patterns:1", name="patterns")
    prelabels.store(project, rule, [(items[1].pk, {"label": "other"}, 0.4, {})])
    assert run(project)["stored"] == 1
    assert said(items) == ["other", "other", "card-lost"]


def test_a_trained_models_suggestion_goes_before_it(project: Project) -> None:
    [item] = make_items(project, ["my card"], split="train")
    run(project)
    prelabels.store(project, make_model_labeller(project), [(item.pk, {"label": "other"}, 0.4, {})])
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    ana = add_member(project)
    [shown] = payloads(project, ana, queue.lease(project, ana, count=1))
    assert shown.prelabel is not None and shown.prelabel["value"] == {"label": "other"}


def test_it_is_measured_on_resolved_items_but_for_those_of_the_test(project: Project) -> None:
    resolved = make_items(project, ["money back", "want money", "stolen", "else"], split="train")
    make_labels(project, resolved, ["Refund", "Other", "Card lost", "Other"])
    unseen = make_items(project, ["money gone"], split="test")
    make_labels(project, unseen, ["Refund"])
    result = run(project, limit=0)
    assert (result["right"], result["judged"], result["commonest"]) == (3, 4, 0.5)
    assert (result["calibrated"], result["temperature"], result["stored"]) == (False, 0.05, 0)
    [measured] = reads.measured(project)
    assert (measured.source, measured.field, measured.right.n) == ("descriptions", "label", 4)
    assert measured.right.value == 0.75 and measured.right.low < 0.5


def test_its_confidence_is_calibrated_once_enough_items_are_resolved(project: Project) -> None:
    resolved = make_items(project, [f"money {n}" for n in range(40)], split="train")
    make_labels(project, resolved, ["Refund"] * 20 + ["Other"] * 20)  # right half of the time
    [opened] = make_items(project, ["money new"], split="train")
    result = run(project)
    assert result["calibrated"] and result["judged"] == 40
    assert Prelabel.objects.get(item=opened).confidence == pytest.approx(0.5, abs=0.02)  # uncalibrated: 0.79


def test_answers_that_saw_a_suggestion_measure_nothing(project: Project) -> None:
    [item] = make_items(project, ["my card"], split="train")
    run(project)
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    told = uuid.UUID(payloads(project, ana, [slot])[0].prelabel["uuid"])  # type: ignore[index]
    labelling.submit(project, ana, slot.uuid, {"label": "card-lost"}, client_key="k", prelabel_uuid=told)
    assert run(project, limit=0)["judged"] == 0


def test_another_set_of_labels_replaces_what_nobody_acted_on(project: Project) -> None:
    items = make_items(project, ["my card", "a card", "money"], split="train")
    run(project)
    assert said(items) == ["card-lost", "card-lost", "refund"]
    batches.publish(project, [batches.Pick(row=items[1].row)], origin="test")
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    used = Prelabel.objects.get(item=items[1])
    labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key="k", prelabel_uuid=used.uuid)
    definition = copy.deepcopy(schemas.require(project).definition)
    definition["fields"][0]["labels"][2]["description"] = "My things."
    publish(project, definition, by=make_user())
    run(project)
    assert Prelabel.objects.filter(pk=used.pk).exists() and Prelabel.objects.count() == 3
    first = Prelabel.objects.get(item=items[0])
    assert first.labeller_id != used.labeller_id
    assert run(project)["looked_at"] == 0  # a second time there is nothing left to do


def test_a_killed_worker_loses_one_shard(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "shard_of", lambda source, field: 2)
    items = make_items(project, [f"card {n}" for n in range(6)], split="train")
    job = suggestions.launch(project, source="descriptions", limit=5, order="random")
    ran: list[str] = []
    run_program = JobContext.run_program

    def dying(ctx: JobContext, module: str, spec: dict[str, Any], **more: Any) -> Any:
        ran.append(spec["result"].rsplit("/", 1)[-1])
        if len(ran) == 2:
            raise Lost
        return run_program(ctx, module, spec, **more)

    monkeypatch.setattr(JobContext, "run_program", dying)
    assert jobs.run(job.pk) and ran == ["shard-0", "shard-2"]
    assert Prelabel.objects.count() == 2
    make_items(project, ["card of later"], split="train")  # what was drawn stays as it was
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done" and ran[2:] == ["shard-0", "shard-2", "shard-4"]
    assert Prelabel.objects.count() == 5 and len({one.item_id for one in Prelabel.objects.all()}) == 5
    assert said(items).count("card-lost") == 5


def test_cancelling_ends_it_and_what_is_booked_stays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "shard_of", lambda source, field: 2)
    make_items(project, [f"card {n}" for n in range(6)], split="train")
    job = suggestions.launch(project, source="descriptions", limit=6, order="random")
    run_program = JobContext.run_program

    def cancelling(ctx: JobContext, module: str, spec: dict[str, Any], **more: Any) -> Any:
        if spec["result"].endswith("shard-2"):
            raise Cancelled
        return run_program(ctx, module, spec, **more)

    monkeypatch.setattr(JobContext, "run_program", cancelling)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == "cancelled" and Prelabel.objects.count() == 2
    assert not reads.at_work(project).exists()


def test_it_passes_over_items_that_somebody_decided_meanwhile(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_items(project, ["card one", "card two"], split="train")
    write = suggestion_files.write_texts

    def writing(*args: Any, **more: Any) -> Any:
        make_labels(project, [first], ["Other"])
        return write(*args, **more)

    monkeypatch.setattr(suggestion_files, "write_texts", writing)
    result = run(project)
    assert (result["looked_at"], result["stored"]) == (2, 1) and said([first, second]) == ["", "card-lost"]


def test_it_suggests_several_labels_points_and_drafts(project: Project) -> None:
    with_field(project, {"name": "topics", "type": "multilabel", "labels": LABELS})
    items = make_items(project, ["money card", "card stolen"], split="train")
    run(project)
    assert said(items) == [["refund", "card-lost"], ["card-lost"]]
    rated = {"name": "tone", "type": "rating", "points": 3, "dimensions": [{"id": "kind", "name": "Kind"}]}
    with_field(project, rated)
    more = make_items(project, ["kind=3", "kind=2"], split="train")
    run(project, source="smollm2")
    assert said(more) == [{"kind": 3}, {"kind": 2}]
    with_field(project, {"name": "reply", "type": "response", "maximum": 12})
    fresh = make_items(project, ["fees", "mute", "a very long question"], split="train")
    result = run(project, source="smollm2")
    assert said(fresh) == [{"text": "About fees."}, "", ""]  # one empty, one longer than the field takes
    assert result["judged"] == 0


def test_it_does_not_write_over_an_items_own_draft(project: Project) -> None:
    with_field(project, {"name": "reply", "type": "response"})
    item = make_item(project, "a question")
    Item.objects.filter(pk=item.pk).update(data={"draft": "An answer."})
    assert run(project, source="smollm2")["looked_at"] == 0


def test_taking_back_removes_what_nobody_acted_on(project: Project) -> None:
    items = make_items(project, ["my card", "a card"], split="train")
    run(project)
    prelabels.store(project, make_model_labeller(project), [(items[0].pk, {"label": "other"}, 0.4, {})])
    batches.publish(project, [batches.Pick(row=items[1].row)], origin="test")
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    used = Prelabel.objects.get(item=items[1])
    labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key="k", prelabel_uuid=used.uuid)
    job = suggestions.withdraw(project, by=make_user("eva"))
    jobs.drain()
    job.refresh_from_db()
    assert job.result == {"withdrawn": 1}
    assert {one.labeller.kind for one in Prelabel.objects.all()} == {
        "model",
        "rule",
    } and Prelabel.objects.count() == 2
    assert AuditEntry.objects.get(verb="suggestions.withdrawn").actor == User.objects.get(username="eva")


def refused(project: Project, **given: Any) -> str:
    with pytest.raises((NotSuggestible, BadSettings)) as caught:
        suggestions.launch(project, **{"source": "descriptions", "limit": 10, **given})
    assert not Job.objects.filter(kind=suggestions.KIND).exists()
    return str(caught.value)


def test_it_refuses_labels_that_nobody_described() -> None:
    assert refused(make_project()) == (
        "No label of “label” has a description, and names alone say too little: "
        "describe each label in a sentence, in the schema."
    )


def test_it_refuses_fields_that_a_source_cannot_suggest_for(project: Project) -> None:
    assert refused(project, field="tone") == "There is no field “tone” in the schema."
    with_field(project, {"name": "better", "type": "preference"})
    assert refused(project, source="smollm2").startswith("Preferences are not suggested: a model this small")
    with_field(project, {"name": "reply", "type": "response"})
    assert refused(project) == (
        "“Label descriptions” works for One label, Several labels, found “A written response”: "
        "use patterns, or label the first items."
    )


def test_it_refuses_settings_out_of_bounds(project: Project) -> None:
    assert refused(project, limit=100_001) == "Found a limit of 100001 items, expected 0 to 100,000."
    assert refused(project, limit=-1) == "Found a limit of -1 items, expected 0 to 100,000."
    assert refused(project, source="gpt") == "“gpt” is not known: use one of descriptions, smollm2."
    assert refused(project, order="best") == "“best” is not known: use one of queue, random."


def test_it_says_which_command_brings_a_missing_package(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_model, "PACKAGE", "no_such_package")
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_encoder")
    assert refused(project, source="smollm2").endswith(
        "cannot be used: the package no-such-package is not installed: run `make setup-smollm2`."
    )
    assert refused(project).endswith("the package no_such_encoder is not installed: run `make setup`.")


def test_one_is_at_work_at_a_time(project: Project) -> None:
    suggestions.launch(project, source="descriptions", limit=1)
    with pytest.raises(NotSuggestible, match="wait until they are, or cancel them"):
        suggestions.launch(project, source="smollm2", limit=1)
    suggestions.launch(make_project(labels=LABELS), source="descriptions", limit=1)


def test_an_archived_project_gets_none(project: Project) -> None:
    projects.archive(project, by=make_user())
    with pytest.raises(ProjectArchived):
        suggestions.launch(project, source="descriptions", limit=1)
    with pytest.raises(ProjectArchived):
        suggestions.withdraw(project)


def test_what_the_program_refuses_is_the_jobs_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(project, ["my card"], split="train")

    def refusing(*_args: Any, **_more: Any) -> Any:
        raise ProgramFailed("the disk is full", permanent=True)

    monkeypatch.setattr(JobContext, "run_program", refusing)
    job = suggestions.launch(project, source="descriptions", limit=1, order="random")
    jobs.drain()
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "the disk is full") and reads.measured(project) == []


def test_every_source_tells_what_it_is_for() -> None:
    for name, source in SOURCES.items():
        assert source.name == name and source.judged <= source.most and source.temperature > 0
        assert str(source.label) and str(source.note).endswith(".")
