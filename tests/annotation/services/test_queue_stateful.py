"""The queue driven at random by several people, with time running out and the server dying in between.

Invariants, checked after every step against a plain model of what happened:

1. No slot is held by two people, and nobody gets an item twice, but for one look more at an item they have
   answered (self-consistency).
2. Nothing is lost: every look that was published is free, held, answered, withdrawn, or replaced after a
   skip; every answer that was accepted is stored, and the last one to a slot is the one that stands.
3. No label is doubled: a slot has exactly one standing answer when it is done, and none otherwise; the same
   client key stores once, however often it is sent.
4. A lease that ran out comes back, behind every cursor, so that everybody can still get it.
5. What was taken back does not count, and its slot is the same person's again.
6. The final label is what the standing answers say: the majority, none on a tie, and a tie is a dispute.
   With adaptive overlap it is the likeliest label by the belief in it, ties wait for another look as long as
   there may be one, and a further look is bought only while no other is open.
7. Looks that measure a person (gold, qualification, self-consistency) are theirs alone: they decide nothing,
   and what is given back is withdrawn.
8. A server killed before its commit leaves no trace of the request; killed after it, before the reply, the
   request is stored. Sent again, as the page does, both come to the same: stored once.
9. Two windows of one person hold the same items. Whichever answers later corrects the earlier; what one window
   passed on or took back, the other cannot answer for.

At the end new people label until nothing is handed out: then no slot is left over.
"""

from __future__ import annotations

import datetime
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from annotation.errors import NothingToUndo, SlotTaken
from annotation.models import Annotation, Cursor, Resolution, Review, Slot
from annotation.selectors.consensus import FieldModel
from annotation.services import batches, gold, hidden_checks, labelling, projects, queue
from tests.factories import add_member, make_items, make_project

LABELS = ("refund", "card-lost", "other")
PEOPLE = 4
ITEMS = 12
OPEN = ("free", "leased")
MEASURING = ("gold", "qualification", "self")
people = st.integers(0, PEOPLE - 1)
choices = st.integers(0, 10_000)


class Killed(BaseException):
    """The server's end."""


class QueueMachine(RuleBasedStateMachine):
    """People by index. `standing`: slot -> (person, label) that should stand; `keys`: key -> its answer."""

    overlap_mode = "fixed"

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        # What is mixed in is drawn by uuids: with random ones no example could be played again.
        self.same_uuids = mock.patch("os.urandom", random.Random(7).randbytes)
        self.same_uuids.start()
        self.self_after = hidden_checks.SELF_AFTER
        hidden_checks.SELF_AFTER = 2
        self.project = make_project(
            overlap_share=0.5,
            spot_check_share=0.3,
            evaluation_items=3,
            gold_share=0.3,
            self_consistency_share=0.5,
            qualification_items=1,
            overlap_mode=self.overlap_mode,
            seed=7,
        )
        self.people = [add_member(self.project) for _ in range(PEOPLE)]
        texts = [f"text {i}" for i in range(ITEMS)]
        self.items = make_items(self.project, texts, split="train") + make_items(
            self.project, ["test 1", "test 2"], split="test"
        )
        known = make_items(self.project, [f"gold {i}" for i in range(4)], split="train")
        kinds = ("gold", "gold", "qualification", "qualification")
        gold.set_items(
            self.project,
            [gold.GoldRow(row=k.row, label="refund", kind=i) for k, i in zip(known, kinds, strict=True)],
        )
        self.standing: dict[int, tuple[int, str]] = {}
        self.keys: dict[str, tuple[int, int, str]] = {}
        self.published: Counter[int] = Counter()
        self.numbers = iter(range(10**6))

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            hidden_checks.SELF_AFTER = self.self_after
            self.same_uuids.stop()
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    # --- what may happen -----------------------------------------------------------------------------------

    @initialize()
    def first_batch(self) -> None:
        self.publish(0, 5)

    @rule(first=st.integers(0, ITEMS - 1), count=st.integers(1, 5))
    def publish(self, first: int, count: int) -> None:
        used = {
            row for row in Slot.objects.exclude(state="withdrawn").values_list("item__row", flat=True)
        }  # a round picks no item that is out or labelled
        rows = [item.row for item in self.items[first : min(first + count, ITEMS)] if item.row not in used]
        batch = batches.publish(
            self.project, [batches.Pick(row=row) for row in rows], origin=f"round {next(self.numbers)}"
        )
        self.published.update(batch.slots.values_list("item_id", flat=True))

    @rule(who=people, count=st.integers(0, 4))
    def lease(self, who: int, count: int) -> None:
        slots = queue.lease(self.project, self.people[who], count=count)
        assert len(slots) <= count
        for slot in slots:
            assert slot.state == "leased"
            assert slot.person_id == self.people[who].pk
        assert len({(slot.item_id, slot.purpose == "self") for slot in slots}) == len(slots)

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def submit_held(self, who: int, choice: int, label: str) -> None:
        if slot := self.pick(Slot.objects.filter(state="leased", person=self.people[who]), choice):
            self.submit(who, slot, label)

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def correct(self, who: int, choice: int, label: str) -> None:
        if slot := self.pick(Slot.objects.filter(state="done", person=self.people[who]), choice):
            self.submit(who, slot, label)

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def submit_what_one_does_not_hold(self, who: int, choice: int, label: str) -> None:
        """A late answer: kept where the slot is free and the item unseen, otherwise refused with no trace."""
        slot = self.pick(Slot.objects.exclude(person=self.people[who]), choice)
        if slot is None:
            return
        looks = Slot.objects.filter(item=slot.item_id, person=self.people[who])
        seen, again = looks.exists(), looks.filter(purpose="self").exists()
        gone = slot.state == "withdrawn" and slot.purpose in MEASURING
        if (slot.state == "free" or (gone and slot.purpose != "self")) and not seen:
            self.submit(who, slot, label)
            return
        if gone and slot.purpose == "self" and seen and not again:
            self.submit(who, slot, label)
            return
        with pytest.raises(SlotTaken) as refused:
            self.send(who, slot, label, f"key {next(self.numbers)}")
        assert refused.value.details == {"value": {"label": label}}

    @rule(choice=choices, label=st.sampled_from(LABELS))
    def send_the_same_key_again(self, choice: int, label: str) -> None:
        if not self.keys:
            return  # no precondition: which rules may run must not depend on draws by random uuids
        key = sorted(self.keys)[choice % len(self.keys)]
        who, slot_id, value = self.keys[key]
        again = self.send(who, Slot.objects.get(pk=slot_id), label, key)
        assert not again.created
        assert again.annotation.value == {"label": value}

    @rule(who=people, choice=choices)
    def skip(self, who: int, choice: int) -> None:
        slot = self.pick(Slot.objects.filter(state="leased", person=self.people[who]), choice)
        if slot is None:
            return
        queue.skip(self.project, self.people[who], slot.uuid, "no label fits")
        assert queue.skip(self.project, self.people[who], slot.uuid, "no label fits").state == "skipped"
        if slot.purpose in MEASURING:
            return
        skips = Slot.objects.filter(item=slot.item_id, state="skipped").exclude(purpose__in=MEASURING).count()
        if skips < queue.MAXIMUM_SKIPS:
            self.published[slot.item_id] += 1  # a fresh look in the place of the skipped one
        else:
            assert Review.objects.filter(item=slot.item_id, kind="dispute", state="pending").exists()

    @rule(who=people)
    def undo(self, who: int) -> None:
        own = [slot for slot, (person, _label) in self.standing.items() if person == who]
        if not own:
            with pytest.raises(NothingToUndo):
                labelling.undo(self.project, self.people[who])
            return
        slot = labelling.undo(self.project, self.people[who])
        assert (slot.state, slot.person_id) == ("leased", self.people[who].pk)
        del self.standing[slot.pk]

    @rule(who=people, choice=choices)
    def undo_one_slot_twice(self, who: int, choice: int) -> None:
        slot = self.pick(Slot.objects.filter(state="done", person=self.people[who]), choice)
        if slot is not None:
            first = labelling.undo(self.project, self.people[who], slot.uuid)
            second = labelling.undo(self.project, self.people[who], slot.uuid)
            assert first.pk == second.pk == slot.pk
            del self.standing[slot.pk]

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def die_while_an_answer_is_stored(self, who: int, choice: int, label: str) -> None:
        slot = self.pick(Slot.objects.filter(state="leased", person=self.people[who]), choice)
        if slot is None:
            return
        key = f"key {next(self.numbers)}"
        self.die(lambda: self.send(who, slot, label, key))
        self.submit(who, slot, label, key)

    @rule(who=people, choice=choices)
    def die_in_another_request(self, who: int, choice: int) -> None:
        user = self.people[who]
        self.die(lambda: queue.lease(self.project, user, count=3))
        self.die(lambda: queue.release(self.project, user, Slot.objects.values_list("uuid", flat=True)))
        self.die(queue.release_expired)
        if slot := self.pick(Slot.objects.filter(state="leased", person=user), choice):
            self.die(lambda: queue.skip(self.project, user, slot.uuid, "no label fits"))
        if slot := self.pick(Slot.objects.filter(state="done", person=user), choice):
            self.die(lambda: labelling.undo(self.project, user, slot.uuid))

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def lose_the_reply(self, who: int, choice: int, label: str) -> None:
        """The answer is in, the page does not know it: it sends it again, and is not handed the item again."""
        slot = self.pick(Slot.objects.filter(state="leased", person=self.people[who]), choice)
        if slot is None:
            return
        key = f"key {next(self.numbers)}"
        self.submit(who, slot, label, key)
        assert slot.pk not in {held.pk for held in queue.lease(self.project, self.people[who], count=9)}
        again = self.send(who, slot, label, key)
        assert (again.created, again.slot.pk) == (False, slot.pk)

    @rule(who=people, choice=choices, labels=st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)))
    def answer_in_two_windows(self, who: int, choice: int, labels: tuple[str, str]) -> None:
        windows = [queue.lease(self.project, self.people[who], count=2) for _window in range(2)]
        assert [slot.pk for slot in windows[0]] == [slot.pk for slot in windows[1]]
        if not windows[0]:
            return
        slot = windows[0][choice % len(windows[0])]
        keys = [f"key {next(self.numbers)}" for _window in windows]
        for label, key in zip(labels, keys, strict=True):
            self.submit(who, slot, label, key)
        late = self.send(
            who, slot, labels[0], keys[0]
        )  # the first window's retry, behind the second's answer
        assert (late.created, late.annotation.value) == (False, {"label": labels[0]})

    @rule(who=people, choice=choices, label=st.sampled_from(LABELS))
    def answer_what_the_other_window_passed_on(self, who: int, choice: int, label: str) -> None:
        slot = self.pick(Slot.objects.filter(state="skipped", person=self.people[who]), choice)
        if slot is not None:
            with pytest.raises(SlotTaken):
                self.send(who, slot, label, f"key {next(self.numbers)}")

    @rule(choice=choices, how_many=st.integers(1, 3))
    def run_out(self, choice: int, how_many: int) -> None:
        held = list(Slot.objects.filter(state="leased").order_by("pk"))[choice % 3 :][:how_many]
        past = timezone.now() - datetime.timedelta(seconds=1)
        Slot.objects.filter(pk__in=[slot.pk for slot in held]).update(lease_expires_at=past)

    @rule()
    def sweep(self) -> None:
        gone = Slot.objects.filter(state="leased", lease_expires_at__lte=timezone.now())
        expected = set(gone.values_list("pk", flat=True))
        assert queue.release_expired() == len(expected)
        highest = max(Cursor.objects.values_list("rank", flat=True), default=-1)
        for slot in Slot.objects.filter(pk__in=expected):
            assert slot.person_id is None
            assert slot.state == ("withdrawn" if slot.purpose in MEASURING else "free")
            assert slot.rank > highest or slot.purpose in MEASURING

    @rule(who=people)
    def renew(self, who: int) -> None:
        held = Slot.objects.filter(state="leased", person=self.people[who])
        kept = queue.renew(self.project, self.people[who], Slot.objects.values_list("uuid", flat=True))
        assert {slot.pk for slot in kept} == set(held.values_list("pk", flat=True))
        assert not held.filter(lease_expires_at__lte=timezone.now()).exists()

    @rule(who=people)
    def release(self, who: int) -> None:
        queue.release(self.project, self.people[who], Slot.objects.values_list("uuid", flat=True))
        assert not Slot.objects.filter(state="leased", person=self.people[who]).exists()

    @rule(who=people)
    def rest(self, who: int) -> None:
        """A paused project hands out nothing new, and takes what people hold."""
        projects.pause(self.project)
        before = Slot.objects.filter(state="leased").count()
        queue.lease(self.project, self.people[who], count=4)
        assert Slot.objects.filter(state="leased").count() == before
        projects.resume(self.project)

    # --- what must always hold -----------------------------------------------------------------------------

    @invariant()
    def nobody_gets_an_item_twice(self) -> None:
        looks = Slot.objects.filter(person__isnull=False).values_list("item_id", "person_id")
        first = Counter(looks.exclude(purpose="self"))
        again = Counter(looks.filter(purpose="self"))
        assert not [look for look, count in (first | again).items() if count > 1]
        assert set(again) <= set(first)

    @invariant()
    def no_look_is_lost(self) -> None:
        published = Slot.objects.exclude(purpose__in=MEASURING)
        assert Counter(published.values_list("item_id", flat=True)) == self.published
        made = Slot.objects.filter(purpose__in=MEASURING)
        assert not made.filter(state="free").exists()
        ranks = Counter(Slot.objects.values_list("rank", "place"))
        assert max(ranks.values(), default=0) <= 1

    @invariant()
    def every_answer_stands_once(self) -> None:
        found = Annotation.objects.filter(is_retraction=False, superseded_by__isnull=True)
        standing = sorted(found.values_list("slot_id", "slot__person_id", "value__label"))
        assert standing == sorted(
            (slot, self.people[who].pk, label) for slot, (who, label) in self.standing.items()
        )
        assert set(Slot.objects.filter(state="done").values_list("pk", flat=True)) == set(self.standing)

    @invariant()
    def every_key_is_stored_once(self) -> None:
        stored = Annotation.objects.filter(is_retraction=False).values_list(
            "client_key", "slot_id", "value__label"
        )
        assert sorted(stored) == sorted((key, slot, label) for key, (_who, slot, label) in self.keys.items())

    @invariant()
    def the_final_label_is_what_people_say(self) -> None:
        final = dict(Resolution.objects.filter(is_current=True).values_list("item_id", "value__label"))
        assert final == self.expected_labels()

    def expected_labels(self) -> dict[int, str]:
        votes: dict[int, Counter[str]] = defaultdict(Counter)
        item_of = dict(Slot.objects.exclude(purpose__in=MEASURING).values_list("pk", "item_id"))
        for slot, (_who, label) in self.standing.items():
            if slot in item_of:
                votes[item_of[slot]][label] += 1
        expected = {}
        for item, counts in votes.items():
            [(label, most), *rest] = counts.most_common()
            if not rest or rest[0][1] < most:
                expected[item] = label
            else:
                assert Review.objects.filter(item=item, kind="dispute", state="pending").exists()
        return expected

    # --- help ----------------------------------------------------------------------------------------------

    def pick(self, slots: Any, choice: int) -> Slot | None:
        found = list(slots.order_by("pk"))
        return found[choice % len(found)] if found else None

    def send(self, who: int, slot: Slot, label: str, key: str) -> labelling.Submission:
        return labelling.submit(self.project, self.people[who], slot.uuid, {"label": label}, client_key=key)

    def die(self, request: Callable[[], Any]) -> None:
        """The request up to its commit, and then no more of it."""
        before = self.stored()
        with pytest.raises(Killed), transaction.atomic():
            request()
            raise Killed
        assert self.stored() == before

    def stored(self) -> list[list[dict[str, Any]]]:
        tables = (Slot, Annotation, Resolution, Review, Cursor)
        return [list(table.objects.order_by("pk").values()) for table in tables]

    def submit(self, who: int, slot: Slot, label: str, key: str = "") -> None:
        key = key or f"key {next(self.numbers)}"
        made = self.send(who, slot, label, key)
        assert made.created
        self.count_bought(slot)
        self.keys[key] = (who, slot.pk, label)
        self.standing[slot.pk] = (who, label)

    def count_bought(self, slot: Slot) -> None:
        """With fixed overlap no answer makes a slot: `no_look_is_lost` would find it."""

    def drain(self) -> None:
        """New people come until nothing is left for them; what others hold runs out and comes back."""
        Slot.objects.filter(state="leased").update(lease_expires_at=timezone.now())
        queue.release_expired()
        while Slot.objects.filter(state="free").exists():
            self.people.append(add_member(self.project))
            slots = queue.lease(self.project, self.people[-1], count=50)
            assert slots, "there is free work, and a new person gets none of it"
            for slot in slots:
                self.submit(len(self.people) - 1, slot, "other")
        assert not Slot.objects.filter(state__in=OPEN).exists()
        self.no_look_is_lost()
        self.every_answer_stands_once()
        self.nobody_gets_an_item_twice()


class AdaptiveMachine(QueueMachine):
    """The same, where an answer may buy another look. Nothing is known of anybody's skill."""

    overlap_mode = "adaptive"

    def count_bought(self, slot: Slot) -> None:
        published = Slot.objects.filter(item=slot.item_id).exclude(purpose__in=MEASURING)
        bought = published.count() - self.published[slot.item_id]
        assert bought in (0, 1)
        if bought:
            assert slot.purpose not in MEASURING
            assert published.filter(state__in=OPEN).count() == 1, "no other look was open"
            assert published.filter(state="done").count() < self.project.maximum_looks
        self.published[slot.item_id] += bought

    def expected_labels(self) -> dict[int, str]:
        looks: dict[int, list[tuple[int, str]]] = defaultdict(list)
        item_of = dict(Slot.objects.exclude(purpose__in=MEASURING).values_list("pk", "item_id"))
        for slot, (who, label) in self.standing.items():
            if slot in item_of:
                looks[item_of[slot]].append((who, label))
        model = FieldModel(dict.fromkeys(LABELS, 1.0))
        expected = {}
        for item, own in looks.items():
            belief = model.belief(own)
            leaders = [label for label in LABELS if belief[label] > max(belief.values()) - 1e-9]
            if len(leaders) == 1:
                expected[item] = leaders[0]
            elif len(own) >= self.project.maximum_looks:
                assert Review.objects.filter(item=item, kind="dispute", state="pending").exists()
        return expected


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("machine", [QueueMachine, AdaptiveMachine])
def test_it_keeps_its_promises_whatever_people_do(machine: type[QueueMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
