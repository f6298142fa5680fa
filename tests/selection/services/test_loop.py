"""Whole rounds through all services with the probe. The first test has the real encoder, the others a quick
stand-in.
"""

from __future__ import annotations

import random

import pytest

from annotation.models import Annotation, Item, Prelabel, Project, Slot
from annotation.services import labelling, queue
from jobs.models import Job
from jobs.services import jobs
from selection.errors import NothingToReplay, PoolTooSmall
from selection.models import Column, Round
from selection.selectors import picks as picks_of
from selection.selectors import progress
from selection.selectors import rounds as reads
from selection.services import builds, pool, previews, replays, rounds
from tests import factories
from training.models import Deployment
from training.selectors import models
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PHRASES = {
    "Refund": ["give me my money back", "I want a refund for {}", "please return the payment for {}"],
    "Card lost": ["my card is gone since {}", "I lost my card near {}", "somebody stole my card at {}"],
    "Other": ["what is the weather at {}", "tell me a joke about {}", "how old is {}"],
}
PLACES = ["the station", "the shop", "my hotel", "the museum", "a bakery", "the bridge", "the park", "home"]


def texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        phrase = rng.choice([phrase for group in PHRASES.values() for phrase in group])
        found[f"{phrase.format(rng.choice(PLACES))} {rng.choice(PLACES)} {rng.randrange(90)}"] = None
    return list(found)


def label_of(text: str) -> str:
    return next(
        name for name, group in PHRASES.items() if any(text.startswith(p.split(" {}")[0]) for p in group)
    )


@pytest.fixture
def project() -> Project:
    project = factories.make_project(overlap_share=0.0, evaluation_items=0, spot_check_share=0.0)
    every = texts(90, seed=1)
    made = factories.make_items(project, every[:60], split="train")
    test = factories.make_items(project, every[60:], split="test")
    factories.make_labels(project, test, [label_of(item.text) for item in test])
    assert len(made) == 60
    return project


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embed by hashed words: starting the encoder takes longer than all the rest."""
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


def label_all(project: Project, limit: int = 1000) -> int:
    person, done = factories.make_user(), 0
    names = {"Refund": "refund", "Card lost": "card-lost", "Other": "other"}
    while done < limit and (slots := queue.lease(project, person, count=3)):
        for slot in slots:
            value = {"label": names[label_of(slot.item.text)]}
            labelling.submit(project, person, slot.uuid, value, client_key=str(slot.uuid))
            done += 1
    return done


def run(project: Project, **spec: object) -> Round:
    with programs.in_this_process():
        return rounds.run_to_end(factories.make_round(project, **{"batch_size": 12, "seed": 3, **spec}))


def test_it_turns_the_loop_twice(project: Project) -> None:
    cold = run(project, control_share=0.25)
    assert cold.state == Round.State.DONE, cold.error
    notes = dict(cold.stations.values_list("name", "note"))
    assert "There is no model yet" in notes["pick"] and cold.batch.note == notes["pick"]
    assert cold.batch.slots.filter(purpose=Slot.Purpose.CONTROL, design="random").count() == 3
    assert not Prelabel.objects.exists()
    assert label_all(project) == 12

    warm = run(project, seed=4)
    assert warm.state == Round.State.DONE, warm.error
    assert {s.state for s in warm.stations.all()} == {"done"}
    assert warm.model == models.deployed(project) == warm.run.model_version
    assert warm.dataset.train_count == 12 and warm.dataset.test_count == 30
    turn = progress.turns(project)[0]
    assert turn.accuracy.n == 30 and turn.accuracy.value > 0.6
    slots = warm.batch.slots.select_related("item")
    assert slots.count() == 12 and all(slot.item.split == "train" for slot in slots)
    assert not set(slots.values_list("item", flat=True)) & set(
        Annotation.objects.values_list("item", flat=True)
    )
    assert Prelabel.objects.filter(item__in=slots.values("item")).count() == 12
    picked = [slot for slot in slots if slot.purpose == Slot.Purpose.LABEL]
    assert all(slot.explanation["round"] == 2 and slot.explanation["parts"] for slot in picked)
    best = Prelabel.objects.first()
    assert best.confidence == max(best.scores.values()) and best.labeller.key == str(warm.model.uuid)


def test_it_replays_to_identical_picks_after_people_have_labelled_on(project: Project, quick: None) -> None:
    run(project)
    label_all(project)
    round_ = run(project, strategy="blend", seed=9)
    label_all(project)
    job = replays.launch(round_)
    jobs.drain()
    job.refresh_from_db()
    assert (job.result["identical"], job.result["picks"]) == (True, 12), job.error
    assert "all 12 picks came out again" in job.result["note"]


def test_it_embeds_only_what_is_new(project: Project, quick: None) -> None:
    first = run(project)
    assert first.stations.get(name="collect").detail["embedded"] == 90
    label_all(project)
    factories.make_items(project, ["a new text about refunds", "and another one"], split="train")
    second = run(project)
    assert second.stations.get(name="collect").detail["embedded"] == 2
    assert [c.count for c in Column.objects.filter(kind="embedding").order_by("pk")] == [90, 2]


def test_it_previews_with_the_deployed_model_and_publishes_nothing(project: Project, quick: None) -> None:
    round_ = run(project)
    label_all(project)
    with programs.in_this_process():
        job = previews.launch(project, rounds.RoundSpec(strategy="default", seed=1))
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert len(job.result["items"]) == 10 and job.result["strategy"] == "cold_start"
    assert all(entry["text"] for entry in job.result["items"])
    assert Round.objects.get() == round_ and not Slot.objects.filter(state="free").exists()


def test_it_shows_the_batch_and_the_map(project: Project, quick: None) -> None:
    round_ = reads.get_round(project, run(project).number)
    page = reads.batch_page(round_, 1)
    assert (page.total, page.pages, len(page.rows)) == (12, 1, 12)
    assert all(row.text for row in page.rows)
    assert len(reads.read_map(round_)["picked"]) == 12
    assert len(picks_of.read_picks(pool.artifacts.path(round_.picks))) == 12


def test_it_takes_free_items_of_the_last_batch_back_into_the_pool(project: Project, quick: None) -> None:
    run(project)
    label_all(project, limit=6)
    left = set(Slot.objects.filter(state="free").values_list("item", flat=True))
    assert left and left <= set(pool.candidates(project).values_list("pk", flat=True))
    labelled = Annotation.objects.values_list("item", flat=True)
    assert not set(labelled) & set(pool.candidates(project).values_list("pk", flat=True))


def test_it_leaves_duplicates_held_back_and_test_items_out_of_the_pool(project: Project, quick: None) -> None:
    factories.make_items(project, ["twice the same", "Twice  the SAME"], split="train")
    held = factories.make_items(project, ["kept out"], split="train")[0]
    Item.objects.filter(pk=held.pk).update(held_back="copyright")
    rows, clusters = pool.sample(project, 1000, seed=0)
    assert len(rows) == 61 and sorted(rows) == rows.tolist() and len(clusters) == 61
    few, _clusters = pool.sample(project, 10, seed=0)
    assert len(few) == 10 and set(few) <= set(rows) and few.tolist() == sorted(few)
    assert pool.sample(project, 10, seed=0)[0].tolist() == few.tolist()


def test_where_nothing_is_left_to_label_it_says_so_and_a_last_round_trains_on_everything(
    project: Project, quick: None
) -> None:
    run(project, batch_size=60)
    assert label_all(project) == 60
    with pytest.raises(PoolTooSmall, match=r"The pool has 0 unlabelled items.*\(0 only trains\)"):
        factories.make_round(project)
    last = run(project, batch_size=0)
    assert (last.state, last.batch) == (Round.State.DONE, None), last.error
    assert last.dataset.train_count == 60 and last.run.model_version == models.deployed(project)
    skipped = dict(last.stations.filter(state="skipped").values_list("name", "note"))
    assert list(skipped) == ["score", "pick", "publish"]
    assert set(skipped.values()) == {"This round only trains and judges: its batch size is 0."}


def test_it_cannot_replay_what_has_not_picked(project: Project, quick: None) -> None:
    round_ = factories.make_round(project)
    with pytest.raises(NothingToReplay, match="has picked nothing yet"):
        replays.launch(round_)
    assert Job.objects.count() == 1 and not Deployment.objects.exists()
