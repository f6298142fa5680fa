"""Adaptive overlap: a further look is bought while the label is unsure, and never two at once."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import ConsensusFit, LabellerSkill, Resolution, Review, Slot
from annotation.selectors import consensus, schemas
from annotation.services import batches, gold, labelling, overlap, projects, queue, reviews
from jobs.models import Job
from jobs.services import jobs
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db
LABELS = ["refund", "card-lost", "other"]


@pytest.fixture
def project():
    return make_project(
        overlap_share=0.0,
        spot_check_share=0.0,
        evaluation_items=0,
        self_consistency_share=0.0,
        overlap_mode="adaptive",
    )


def publish(project, count=1):
    items = make_items(project, count, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="")
    return items


def submit(project, user, slot, label="other"):
    """With what follows on commit: that is when a further look is bought."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        return labelling.submit(project, user, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)


def answer(project, user, label="other"):
    [slot] = queue.lease(project, user, count=1)
    submit(project, user, slot, label)
    return slot


def current(item):
    return Resolution.objects.filter(item=item, is_current=True).first()


def open_looks(item):
    return Slot.objects.filter(item=item, state__in=["free", "leased"]).count()


def run_refit(project):
    assert overlap.start_due() == 1
    job = Job.objects.get(kind=overlap.KIND, scope=project.uuid, state="queued")
    assert jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    return job


# --- before anything is known -------------------------------------------------------------------------------


def test_a_first_answer_of_somebody_unknown_buys_a_second_look(project):
    [item] = publish(project)
    ana = add_member(project)
    answer(project, ana, "refund")
    found = current(item)
    assert (found.value, found.method, found.votes) == ({"label": "refund"}, "posterior", 1)
    assert found.posterior["label"] == {"refund": 0.7, "card-lost": 0.15, "other": 0.15}
    [bought] = Slot.objects.filter(item=item, state="free")
    assert bought.purpose == "overlap"
    assert bought.rank > Slot.objects.get(item=item, state="done").rank
    assert queue.lease(project, ana, count=1) == [], "not for the one who has looked"


def test_two_who_agree_are_sure_enough(project):
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    answer(project, add_member(project), "refund")
    found = current(item)
    assert (found.votes, open_looks(item)) == (2, 0)
    assert found.posterior["label"]["refund"] == pytest.approx(0.49 / (0.49 + 2 * 0.0225), abs=1e-4)


def test_two_who_disagree_wait_for_a_third_and_not_for_a_reviewer(project):
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    answer(project, add_member(project), "other")
    assert current(item) is None
    assert not Review.objects.exists()
    assert open_looks(item) == 1
    answer(project, add_member(project), "other")
    assert current(item).value == {"label": "other"}
    assert open_looks(item) == 0, "three looks are the most"


def test_a_tie_after_the_last_look_goes_to_a_reviewer(project):
    projects.update_settings(project, maximum_looks=2)
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    answer(project, add_member(project), "other")
    assert current(item) is None
    assert open_looks(item) == 0
    assert Review.objects.get().kind == "dispute"


def test_it_never_opens_a_second_further_look(project):
    projects.update_settings(project, overlap_share=1.0)
    [item] = publish(project)
    ana = add_member(project)
    slot = answer(project, ana, "refund")
    assert open_looks(item) == 1, "the one it was published with"
    submit(project, ana, slot, "other")
    assert open_looks(item) == 1
    labelling.undo(project, ana, slot.uuid)
    assert open_looks(item) == 2, "one's own again, and the second labeller's"
    submit(project, ana, slot, "other")
    assert open_looks(item) == 1


def test_a_skipped_further_look_stays_one(project):
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    ben = add_member(project)
    [slot] = queue.lease(project, ben, count=1)
    queue.skip(project, ben, slot.uuid, "unclear")
    assert open_looks(item) == 1


def test_an_evaluation_item_stays_one_in_its_further_looks(project):
    projects.update_settings(project, evaluation_items=1, evaluation_overlap_share=0.0)
    make_items(project, 1, split="test")
    publish(project)
    for _turn in range(2):
        person = add_member(project)
        for slot in queue.lease(project, person, count=2):
            submit(project, person, slot)
    judged = Slot.objects.filter(item__split="test")
    assert set(judged.values_list("purpose", flat=True)) == {"evaluation"}
    assert judged.count() == 2


def test_a_low_target_is_met_by_one_look(project):
    projects.update_settings(project, target_certainty=0.6)
    [item] = publish(project)
    answer(project, add_member(project))
    assert open_looks(item) == 0


def test_nothing_changes_where_overlap_is_fixed(project):
    projects.update_settings(project, overlap_mode="fixed")
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    found = current(item)
    assert (found.method, found.posterior, open_looks(item)) == ("single", {"label": {"refund": 1.0}}, 0)


def test_a_reviewers_word_ends_it(project):
    projects.update_settings(project, spot_check_share=1.0)
    [item] = publish(project)
    answer(project, add_member(project), "refund")
    reviews.decide(Review.objects.get(), add_member(project, "reviewer"), "wrong", value={"label": "other"})
    answer(project, add_member(project), "refund")
    found = current(item)
    assert (found.value, found.method) == ({"label": "other"}, "review")
    assert open_looks(item) == 0


def test_answers_to_gold_buy_nothing(project):
    projects.update_settings(project, gold_share=1.0)
    publish(project)
    [known] = make_items(project, 1)
    gold.set_items(project, [gold.GoldRow(row=known.row, label="refund")])
    ana = add_member(project)
    for slot in queue.lease(project, ana, count=2):
        submit(project, ana, slot)
    assert Slot.objects.filter(item=known).count() == 1


# --- learning who is right ----------------------------------------------------------------------------------


def simulate(project, people, count, *, accuracy, rng):
    """Everybody answers every item; each is right with their own chance. The truth by item."""
    items = publish(project, count)
    truth = {item.pk: LABELS[rng.integers(3)] for item in items}
    for user, right in zip(people, accuracy, strict=True):
        for item in items:
            slot, _made = Slot.objects.get_or_create(
                project=project,
                batch=project.batches.latest("pk"),
                item=item,
                person=user,
                defaults={"rank": batches.next_rank(project), "state": "leased", "purpose": "overlap"},
            )
            wrong = [label for label in LABELS if label != truth[item.pk]]
            said = truth[item.pk] if rng.random() < right else wrong[rng.integers(2)]
            submit(project, user, slot, said)
    return truth


def test_the_job_learns_who_is_right_and_what_they_say_counts_more(project):
    people = [add_member(project) for _ in range(3)]
    simulate(project, people, 40, accuracy=(0.95, 0.95, 0.5), rng=np.random.default_rng(5))
    job = run_refit(project)
    fit = ConsensusFit.objects.get(is_current=True)
    assert (fit.field, fit.answers, fit.items, fit.classes) == ("label", 120, 40, LABELS)
    assert job.result["fields"] == 1
    skill = {one.labeller.user_id: one.accuracy for one in LabellerSkill.objects.select_related("labeller")}
    assert skill[people[0].pk] > 0.85 and skill[people[1].pk] > 0.85 > 0.65 > skill[people[2].pk]
    [item] = publish(project)
    answer(project, people[2], "refund")
    weak = current(item).posterior["label"]["refund"]
    answer(project, people[0], "other")
    found = current(item)
    assert found.value == {"label": "other"}, "the careful one outweighs the other"
    assert weak < 0.7 < found.posterior["label"]["other"]


def test_a_careful_person_alone_is_sure_enough(project):
    people = [add_member(project) for _ in range(3)]
    simulate(project, people, 40, accuracy=(1.0, 1.0, 1.0), rng=np.random.default_rng(5))
    run_refit(project)
    [item] = publish(project)
    answer(project, people[0], "refund")
    assert current(item).posterior["label"]["refund"] > 0.9
    assert open_looks(item) == 0


def test_a_refit_looks_at_all_items_again(project):
    people = [add_member(project) for _ in range(3)]
    [doubted] = publish(project)
    answer(project, people[2], "refund")
    bought = Slot.objects.get(item=doubted, state="free")
    simulate(project, people, 40, accuracy=(0.95, 0.95, 0.5), rng=np.random.default_rng(5))
    before = current(doubted).posterior["label"]["refund"]
    run_refit(project)
    assert current(doubted).posterior["label"]["refund"] != before
    assert open_looks(doubted) == 1
    bought.delete()
    rows = Resolution.objects.count()
    jobs.run(jobs.enqueue(overlap.KIND, subject=project, scope=project.uuid).pk)
    assert open_looks(doubted) == 1, "bought again"
    assert Resolution.objects.count() == rows, "the same fit writes nothing"


def test_known_answers_teach_the_model(project):
    projects.update_settings(project, gold_share=1.0)
    ana = add_member(project)
    publish(project, 30)
    known = make_items(project, 30)
    gold.set_items(project, [gold.GoldRow(row=item.row, label="refund") for item in known])
    while slots := queue.lease(project, ana, count=1):
        submit(project, ana, slots[0], "refund" if slots[0].purpose == "gold" else "other")
    run_refit(project)
    fit = ConsensusFit.objects.get(is_current=True)
    assert (fit.known_items, fit.items) == (30, 30), "items of one person alone say nothing"
    assert LabellerSkill.objects.get().accuracy > 0.9


def test_the_tick_starts_a_refit_once_there_are_enough_new_answers(project, monkeypatch):
    monkeypatch.setattr(overlap, "FEWEST_NEW", 4)
    ana, ben = add_member(project), add_member(project)
    publish(project, 3)
    for _turn in range(3):
        answer(project, ana)
    assert overlap.start_due() == 0
    answer(project, ben)
    assert overlap.start_due() == 1
    assert overlap.start_due() == 0, "one is under way"
    job = Job.objects.get(kind=overlap.KIND)
    jobs.run(job.pk)
    assert overlap.start_due() == 0, "nothing new"
    projects.update_settings(project, overlap_mode="fixed")
    for _turn in range(2):
        answer(project, ben)
    assert overlap.start_due() == 0


def test_the_agreement_page_tells_what_was_learnt(project, client):
    people = [add_member(project) for _ in range(3)]
    client.force_login(add_member(project, "engineer"))
    page = reverse("annotation:agreement", args=[project.slug])
    simulate(project, people, 12, accuracy=(1.0, 1.0, 0.5), rng=np.random.default_rng(5))
    assert "learnt from their answers" not in client.get(page).content.decode()
    run_refit(project)
    html = client.get(page).content.decode()
    assert "From 36 answers to 12 items" in html
    found = consensus.learnt(project, "label")
    assert found.people[-1].name == str(people[2])
    assert [one.answers for one in found.people] == [12, 12, 12]


def test_it_leaves_alone_what_it_cannot_weigh():
    definition = {
        "fields": [
            {
                "name": "topics",
                "type": "multilabel",
                "labels": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}],
            }
        ]
    }
    project = make_project(
        labels=(), definition=definition, overlap_share=0.0, evaluation_items=0, overlap_mode="adaptive"
    )
    [item] = publish(project)
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"topics": ["a"]}, client_key="k")
    assert (current(item).method, open_looks(item)) == ("single", 0)


# --- the belief itself --------------------------------------------------------------------------------------


def test_a_label_that_nobody_gave_is_nobodys_word(project):
    """Two people who each take "refund" for something else: the likeliest class is one that neither said."""
    counts = {"card-lost": {"refund": 50.0, "card-lost": 1.0}, "other": {"refund": 50.0, "other": 1.0}}
    skills = {1: consensus.Skill(0.1, counts), 2: consensus.Skill(0.1, counts)}
    model = consensus.FieldModel(dict.fromkeys(LABELS, 1 / 3), skills=skills)
    belief = model.belief([(1, "card-lost"), (2, "other")])
    assert max(belief, key=lambda label: belief[label]) == "refund"
    definition = schemas.require(project).definition
    found = consensus.consensus(
        definition, [(1, {"label": "card-lost"}), (2, {"label": "other"})], {"label": model}
    )
    assert (found.combined.answer, found.certainty) == (None, 0.0)


def test_a_label_new_to_the_model_is_as_rare_as_its_rarest():
    model = consensus.FieldModel({"a": 0.9, "b": 0.1})
    belief = model.belief([(1, "new")])
    assert set(belief) == {"a", "b", "new"}
    assert sum(belief.values()) == pytest.approx(1.0)
    assert belief["a"] > belief["b"]


def test_one_known_class_is_never_certain():
    assert consensus.FieldModel({}).belief([(1, "r1>r2")])["r1>r2"] < 1.0


# --- cost ---------------------------------------------------------------------------------------------------


def queries_of_a_submit(project, user, slot):
    with CaptureQueriesContext(connection) as asked:
        submit(project, user, slot)
    return len(asked)


def test_it_costs_few_queries_and_the_same_whatever_is_known(project):
    people = [add_member(project) for _ in range(3)]
    projects.update_settings(project, overlap_mode="fixed")
    simulate(project, people, 30, accuracy=(1.0, 1.0, 1.0), rng=np.random.default_rng(5))
    publish(project, 8)
    fixed = queries_of_a_submit(project, people[0], queue.lease(project, people[0], count=1)[0])
    projects.update_settings(project, overlap_mode="adaptive")
    unsure = queries_of_a_submit(project, people[0], queue.lease(project, people[0], count=1)[0])
    run_refit(project)
    sure = queries_of_a_submit(project, people[0], queue.lease(project, people[0], count=1)[0])
    assert sure <= fixed + 2, "the fit, the skills"
    assert unsure <= fixed + 12, "the fit; in a transaction of its own the lock, the item's facts, the slot"
