"""Actions on many items: what each does, what it leaves, that it is written down, and that twice equals once."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import AuditEntry, Notice
from annotation.errors import ActionRefused, SlotTaken
from annotation.intake.words import terms
from annotation.models import Item, Project, Resolution, Role, Slot, Tag
from annotation.selectors import action_words, search_text
from annotation.services import batches, groups, item_actions, labelling, projects, queue, search_index
from jobs.models import Job
from jobs.services import jobs
from tests import factories
from tests.factories import add_member, make_items, make_labels, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)


@pytest.fixture
def reviewer(project: Project):
    return add_member(project, Role.REVIEWER)


@pytest.fixture
def engineer(project: Project):
    return add_member(project, Role.ENGINEER)


def do(project: Project, name: str, items, by, **options: str):
    outcome, job = item_actions.start(project, name, [item.row for item in items], options, by=by)
    assert job is None
    return outcome


def published(project: Project, count: int = 4) -> list[Item]:
    items = make_items(project, count, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    return items


def waiting(project: Project) -> list[int]:
    """Rows in the order in which they would be handed out."""
    return list(project.slots.filter(state="free").order_by("rank").values_list("item__row", flat=True))


def test_queue_first_puts_items_before_all_others_in_order_of_row(project, reviewer) -> None:
    items = published(project)
    extra = make_items(project, ["new one"], split="train")
    outcome = do(project, "queue_first", [extra[0], items[3], items[2]], reviewer)
    assert outcome.rows == [2, 3, 4]
    assert waiting(project) == [2, 3, 4, 0, 1]
    made = Slot.objects.get(item=extra[0])
    assert (made.purpose, made.design, made.inclusion_probability) == ("label", "by hand", None)


def test_queue_first_reaches_people_who_are_further_on(project, reviewer) -> None:
    items = published(project)
    ana = add_member(project)
    assert [slot.item_id for slot in queue.lease(project, ana, count=2)] == [items[0].pk, items[1].pk]
    do(project, "queue_first", [items[3]], reviewer)
    found = [slot.item_id for slot in queue.lease(project, ana, count=3)]
    assert found == [items[n].pk for n in (3, 0, 1)], "by rank, what is held and what is new"


def test_queue_first_leaves_what_is_labelled_held_or_in_hand(project, reviewer) -> None:
    items = published(project)
    twins = make_items(project, ["same", "same"], split="train")
    ana = add_member(project)
    first, second = queue.lease(project, ana, count=2)
    labelling.submit(project, ana, first.uuid, {"label": "refund"}, client_key="k")
    Item.objects.filter(pk=items[2].pk).update(held_back="odd")
    outcome = do(project, "queue_first", [*items, *twins], reviewer)
    assert outcome.rows == [3, 4]
    assert outcome.left == {"labelled": 1, "in_hand": 1, "held_back": 1, "duplicate": 1}


def test_evaluation_items_are_queued_as_such(project, reviewer) -> None:
    (item,) = make_items(project, ["a test"], split="test")
    do(project, "queue_first", [item], reviewer)
    assert Slot.objects.get().purpose == "evaluation"


def test_what_was_put_first_survives_a_new_round_in_front(project, reviewer) -> None:
    items = published(project)
    do(project, "queue_first", [items[2]], reviewer)
    batches.publish(project, [batches.Pick(row=3)], origin="2")
    assert waiting(project) == [2, 3]


def test_assigned_items_go_to_that_person_alone_who_is_told(project, reviewer) -> None:
    items = published(project)
    extra = make_items(project, ["not queued"], split="train")
    ana, ben = add_member(project), add_member(project)
    outcome = do(project, "assign", [items[1], *extra], reviewer, to=f"person:{ana.uuid}")
    assert outcome.rows == [1, 4]
    assert [slot.item.row for slot in queue.lease(project, ben, count=9)] == [0, 2, 3]
    assert [slot.item.row for slot in queue.lease(project, ana, count=9)] == [1, 4]
    assert Notice.objects.filter(user=ana).count() == 1
    assert not Notice.objects.filter(user=ben).exists()


def told(user) -> list[str]:
    return list(Notice.objects.filter(user=user, read_at=None).values_list("kind", flat=True))


@pytest.mark.parametrize("name", ["queue_first", "relabel", "assign"])
def test_people_hear_of_new_work_where_there_was_none_and_only_once(project, reviewer, name) -> None:
    items = make_items(project, ["first", "second"], split="train")
    options = {"to": "everybody"} if name == "assign" else {}
    ana = add_member(project)
    if name == "relabel":
        make_labels(project, items, ["Refund", "Refund"])
    if name == "assign":
        do(project, "assign", items, reviewer, to=f"person:{reviewer.uuid}")
    assert do(project, name, items[:1], reviewer, **options).rows == [0]
    assert (told(ana), told(reviewer)) == (["annotation.work_available"], []), "who did it knows"
    Notice.objects.all().delete()
    assert do(project, name, items[1:], reviewer, **options).rows == [1]
    assert told(ana) == [], "there was work already"


def test_nobody_is_told_of_work_that_is_paused_or_of_none(project, reviewer) -> None:
    items = make_items(project, ["first"], split="train")
    ana = add_member(project)
    assert do(project, "relabel", items, reviewer).left == {"unlabelled": 1}
    assert told(ana) == []
    projects.pause(project)
    Notice.objects.all().delete()
    do(project, "queue_first", items, reviewer)
    assert told(ana) == []


def test_items_may_be_assigned_to_a_group_and_given_back_to_everybody(project, reviewer) -> None:
    items = published(project)
    ana, ben = add_member(project), add_member(project)
    group = groups.create(project, "Experts", [ana])
    do(project, "assign", items, reviewer, to=f"group:{group.uuid}")
    assert queue.lease(project, ben, count=9) == []
    outcome = do(project, "assign", items[:2], reviewer, to="everybody")
    assert outcome.rows == [0, 1]
    assert [slot.item.row for slot in queue.lease(project, ben, count=9)] == [0, 1]
    assert do(project, "assign", items[:2], reviewer, to="everybody").left == {"not_assigned": 2}


def test_assigning_leaves_what_the_person_has_seen(project, reviewer) -> None:
    projects.update_settings(project, overlap_share=1.0)
    items = published(project, 2)
    ana = add_member(project)
    (slot,) = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="k")
    outcome = do(project, "assign", items, reviewer, to=f"person:{ana.uuid}")
    assert (outcome.rows, outcome.left) == ([1], {"seen": 1})


@pytest.mark.parametrize("to", ["person:x", "group:00000000-0000-4000-8000-000000000000", "nobody"])
def test_it_assigns_to_members_and_groups_of_the_project_only(project, reviewer, to: str) -> None:
    with pytest.raises(ActionRefused, match="person or a group"):
        do(project, "assign", published(project), reviewer, to=to)
    stranger = add_member(make_project())
    with pytest.raises(ActionRefused):
        do(project, "assign", published(project), reviewer, to=f"person:{stranger.uuid}")


def test_relabel_gives_a_further_look_to_somebody_else(project, reviewer) -> None:
    items = published(project, 3)
    ana, ben = add_member(project), add_member(project)
    for slot in queue.lease(project, ana, count=2):
        labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key=f"{slot.pk}")
    outcome = do(project, "relabel", items, reviewer)
    assert (outcome.rows, outcome.left) == ([0, 1], {"unlabelled": 1})
    assert [slot.item.row for slot in queue.lease(project, ana, count=9)] == [2]
    again = queue.lease(project, ben, count=9)
    assert [slot.item.row for slot in again] == [0, 1]
    labelling.submit(project, ben, again[0].uuid, {"label": "other"}, client_key="b")
    assert not Resolution.objects.filter(item=items[0], is_current=True).exists()  # tied: a reviewer decides
    assert do(project, "relabel", items[:2], reviewer).left == {"waiting": 1}


def test_tags_are_made_put_on_and_taken_off(project, reviewer) -> None:
    items = make_items(project, 3)
    assert do(project, "tag", items[:2], reviewer, tag=" Ask  bank ").rows == [0, 1]
    assert do(project, "tag", items, reviewer, tag="ask bank").rows == [2]
    assert Tag.objects.get().name == "Ask bank"
    outcome = do(project, "untag", items[:1], reviewer, tag="Ask bank")
    assert (outcome.rows, dict(+outcome.left)) == ([0], {})
    assert Tag.objects.get().item_tags.count() == 2
    with pytest.raises(ActionRefused):
        do(project, "tag", items, reviewer, tag="  ")
    with pytest.raises(ActionRefused, match="no tag"):
        do(project, "untag", items, reviewer, tag="unknown")


def test_held_back_items_leave_the_queue_and_come_back_on_release(project, engineer) -> None:
    items = published(project)
    assert do(project, "hold_back", items[:2], engineer, reason="wrong language").rows == [0, 1]
    assert waiting(project) == [2, 3]
    assert set(Item.objects.exclude(held_back="").values_list("held_back", flat=True)) == {"wrong language"}
    assert do(project, "hold_back", items[:3], engineer, reason="x").rows == [2]
    assert do(project, "release", items, engineer).rows == [0, 1, 2]
    assert not Item.objects.exclude(held_back="").exists()
    with pytest.raises(ActionRefused):
        do(project, "hold_back", items, engineer, reason=" deleted ")


def test_a_deleted_item_is_a_tombstone(project, engineer) -> None:
    items = make_items(project, ["My card is gone", "my card is GONE", "other text"], split="train")
    batches.publish(project, [batches.Pick(row=row) for row in (0, 2)], origin="1")
    ana = add_member(project)
    held = queue.lease(project, ana, count=1)[0]
    make_labels(project, items[:1], ["Refund"], source="labels")
    search_index.catch_up(project)
    do(project, "tag", items, engineer, tag="t")
    outcome = do(project, "delete", items[:1], engineer)
    assert outcome.rows[:2] == [0, 1]  # with its exact duplicates
    gone = Item.objects.get(row=0)
    assert (gone.text, gone.normalised, gone.meta, gone.external_id) == ("", "", {}, "")
    assert gone.held_back == Item.DELETED
    assert Item.objects.get(row=1).text == ""
    assert search_text.matching(project.pk, terms("card"), after=None, size=9) == []
    assert set(Slot.objects.filter(item=gone).values_list("state", flat=True)) == {"withdrawn"}
    with pytest.raises(SlotTaken):
        labelling.submit(project, ana, held.uuid, {"label": "refund"}, client_key="k")
    assert gone.annotations.count() == 1
    assert not gone.item_tags.exists()
    assert do(project, "delete", items[:1], engineer).left == {"deleted": len(outcome.rows)}
    assert do(project, "release", items[:1], engineer).left == {"deleted": 1}
    again = make_items(project, ["My card is gone"], source="later")[0]
    assert (again.duplicate_of_id, again.text) == (None, "My card is gone")


def test_rows_are_never_used_again(project, engineer) -> None:
    items = make_items(project, 3)
    do(project, "delete", items, engineer)
    assert make_items(project, 1)[0].row == 3


@pytest.mark.parametrize("name", list(item_actions.ACTIONS))
def test_rights_are_asked_and_archives_left_alone(project, name: str) -> None:
    items = make_items(project, 1)
    options = {"tag": "t", "reason": "r"}
    with pytest.raises(PermissionDenied):
        do(project, name, items, add_member(project), **options)
    with pytest.raises(PermissionDenied):
        do(project, name, items, factories.make_user(), **options)
    reviewer = add_member(project, Role.REVIEWER)
    Tag.objects.create(project=project, name="t")
    if name in ("hold_back", "release", "delete"):
        with pytest.raises(PermissionDenied):
            do(project, name, items, reviewer, **options)
    else:
        do(project, name, items, reviewer, **options)


def test_it_refuses_nothing_too_much_and_unknown_actions(project, reviewer) -> None:
    with pytest.raises(ActionRefused, match="0 items"):
        item_actions.start(project, "tag", [], {"tag": "t"}, by=reviewer)
    with pytest.raises(ActionRefused, match="10001 items"):
        item_actions.start(project, "tag", range(10_001), {"tag": "t"}, by=reviewer)
    with pytest.raises(ActionRefused, match="no action"):
        item_actions.start(project, "explode", [1], {}, by=reviewer)


def test_every_block_is_written_down(project, reviewer, monkeypatch) -> None:
    monkeypatch.setattr(item_actions, "BLOCK", 2)
    do(project, "tag", make_items(project, 5), reviewer, tag="t")
    entries = AuditEntry.objects.filter(verb="items.tagged").order_by("pk")
    assert [(entry.data["rows"], entry.data["count"], entry.data["tag"]) for entry in entries] == [
        *(("0-1", 2, "t"), ("2-3", 2, "t"), ("4", 1, "t"))
    ]
    assert {(entry.actor, entry.scope) for entry in entries} == {(reviewer, project.uuid)}


def test_many_items_are_done_by_a_job_that_may_run_twice(project, reviewer, monkeypatch) -> None:
    monkeypatch.setattr(item_actions, "BLOCK", 2)
    monkeypatch.setattr(item_actions, "AT_ONCE", 3)
    items = make_items(project, 5, split="train")
    published(project, 2)
    rows = [item.row for item in items]
    outcome, job = item_actions.start(project, "queue_first", rows, {}, by=reviewer)
    assert outcome is None
    for _ in range(2):
        Job.objects.filter(pk=job.pk).update(state="queued", attempts=0)
        jobs.run(job.pk)
        assert waiting(project) == [0, 1, 2, 3, 4, 5, 6]
        assert project.slots.count() == 7
    job.refresh_from_db()
    assert (job.state, job.result) == ("done", {"done": 5, "left": {}})
    assert list(job.log_lines.values_list("text", flat=True))[-1] == "Queue first: 5 items."
    assert project.batches.filter(title__startswith="By hand").count() == 1


def test_a_job_of_somebody_who_lost_the_right_does_nothing(project, reviewer, monkeypatch) -> None:
    monkeypatch.setattr(item_actions, "AT_ONCE", 0)
    _outcome, job = item_actions.start(
        project, "tag", [item.row for item in make_items(project, 2)], {"tag": "t"}, by=reviewer
    )
    factories.membership_of(project, reviewer).delete()
    jobs.run(job.pk)
    assert Tag.objects.get().item_tags.count() == 0


def test_every_action_and_reason_has_words(project, reviewer) -> None:
    assert set(action_words.NAMES) == set(action_words.MEANINGS) == set(item_actions.ACTIONS)
    assert action_words.summary("tag", [1, 2], {"tagged": 3}) == "Tag: 2 items. Left: 3 have the tag already."
    assert {action.verb for action in item_actions.ACTIONS.values()} == set(action_words._VERBS)
