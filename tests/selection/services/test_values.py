"""Valuations through the services, the page, the API and the command, with a quick stand-in for the encoder."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from annotation.models import Project, Resolution, Role
from annotation.services import projects
from jobs.models import Job
from jobs.services import artifacts, running
from selection import value_words
from selection.errors import BadSpec, NothingToValue
from selection.models import Round
from selection.selectors import values as reads
from selection.services import boundary, builds, pool, rounds, values
from tests import factories
from training.learning import probe
from training.learning.columns import gather
from training.models import ModelVersion
from training.services import programs

pytestmark = pytest.mark.django_db

WORDS = {
    "Refund": "money back refund payment",
    "Card lost": "card lost stolen gone",
    "Other": "weather joke old",
}
IDS = {"Refund": "refund", "Card lost": "card-lost", "Other": "other"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


@pytest.fixture
def engineer() -> User:
    return factories.make_user("engineer")


@pytest.fixture
def project(engineer: User) -> Project:
    """36 labelled items of three kinds of words; the first is labelled wrong. Two sources, and a pool item."""
    project = factories.make_project("Bank intents")
    factories.add_member(project, Role.ENGINEER, engineer)
    kinds = list(WORDS)
    texts = [f"{WORDS[kinds[n % 3]]} {WORDS[kinds[n % 3]]} number {n}" for n in range(36)]
    made = factories.make_items(project, texts[:18], split="train", source="web")
    made += factories.make_items(project, texts[18:], split="train", source="shop")
    labels = [kinds[n % 3] for n in range(36)]
    labels[0] = "Other"
    factories.make_labels(project, made, labels)
    test = factories.make_items(project, ["a test item about money back"], split="test")
    factories.make_labels(project, test, ["Refund"])
    factories.make_items(project, ["refund money back payment now"], split="train")
    return project


@pytest.fixture
def valued(project: Project, engineer: User) -> Job:
    with programs.in_this_process():
        job = values.launch(project, by=engineer)
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    return job


def test_it_puts_the_wrong_label_first_with_its_reasons(project: Project, valued: Job) -> None:
    page = reads.suspects(project, valued)
    first = page.rows[0]
    assert (page.total, first.row, first.label, first.rank) == (36, 0, "Other", 1)
    assert first.value == min(one.value for one in page.rows)
    assert first.reasons[0].startswith("A model that has not seen it says Refund (")
    assert first.reasons[1].startswith("Of its nearest labelled items ")
    assert first.reasons[2] == "Training does not come to agree with it."
    assert page.rows[-1].reasons == []
    summary = reads.read_summary(reads.folder(valued))
    assert {one["source"]: one["n"] for one in summary["sources"]} == {"web": 18, "shop": 18}


def test_it_says_that_a_label_misleads_where_its_value_is_below_zero() -> None:
    fine = {
        **{"label": "a", "model_label": "a", "model_probability": 0.9, "value": 0.0, "region": "easy"},
        **{"neighbour_label": "a", "neighbour_share": 1.0},
    }
    assert reads._reasons(fine, {}) == []
    assert reads._reasons({**fine, "value": -0.01}, {}) == [
        "Held-out items near to it have other labels, so it misleads."
    ]
    (reason,) = reads._reasons({**fine, "neighbour_label": "b", "neighbour_share": 0.6}, {"b": "Bee"})
    assert reason == "Of its nearest labelled items 60 % are Bee."


def test_each_label_tells_how_it_fared_in_training(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    page = reads.suspects(project, valued, per_page=36)
    table = pq.read_table(reads.folder(valued) / "values.parquet").to_pylist()
    assert (table[0]["row"], table[0]["region"], table[-1]["region"]) == (0, "hard", "easy")
    for one, row in zip(page.rows, table, strict=True):
        assert one.row == row["row"]
        assert one.dynamics == (
            f"In training: {row['region']}, confidence {row['confidence']:.2f}, variability "
            f"{row['variability']:.2f}, forgotten {row['forgotten']}×."
        )
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    assert f'<div class="quiet small">{page.rows[0].dynamics}</div>' in client.get(url).text
    with translation.override("en"):  # so that what the request sets does not outlast it
        text = client.get(url, headers={"Accept-Language": "zh-hans"}).text
    first = table[0]
    assert f"训练过程：困难，置信度 {first['confidence']:.2f}，波动 {first['variability']:.2f}，遗忘" in text


@pytest.mark.parametrize("lost", ["confidence", "variability", "forgotten", "region"])
def test_it_tells_no_course_of_training_that_it_does_not_know(lost: str) -> None:
    row = {"region": "ambiguous", "confidence": 0.456, "variability": 0.25, "forgotten": 2}
    said = "In training: ambiguous, confidence 0.46, variability 0.25, forgotten 2×."
    assert reads._dynamics(row) == said
    assert reads._dynamics({**row, lost: None}) == ""
    assert reads._dynamics({name: value for name, value in row.items() if name != lost}) == ""


def test_it_never_looks_at_test_items(project: Project, valued: Job) -> None:
    rows = {one.row for one in reads.suspects(project, valued, per_page=100).rows}
    assert rows == set(range(36))


def test_it_says_which_labels_taught_a_prediction(project: Project, valued: Job) -> None:
    found = reads.attribution(project, valued, 3)
    assert found is not None
    assert (found.label, found.given) == ("Refund", "Refund")
    assert {one.label for one in found.for_it} == {"Refund"}
    assert 3 not in {one.row for one in found.for_it}
    assert 0 in {one.row for one in found.against}  # the same words under another label
    amounts = [one.amount for one in found.for_it]
    assert amounts == sorted(amounts, reverse=True) and min(amounts) > 0
    assert reads.attribution(project, valued, 9999) is None
    assert reads.attribution(project, valued, 37) is None  # in the pool, not embedded yet


def test_it_goes_on_from_the_valuation_before(project: Project, valued: Job, engineer: User) -> None:
    with programs.in_this_process():
        job = values.launch(project, by=engineer)
        assert job.pk != valued.pk
        assert values.launch(project, by=engineer).pk == job.pk  # one at a time
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"
    again = reads.suspects(project, job).rows
    assert [one.row for one in again] == [one.row for one in reads.suspects(project, valued).rows]


def test_it_starts_anew_where_the_files_before_are_gone(
    project: Project, valued: Job, engineer: User, client: Client
) -> None:
    import shutil

    folder = reads.folder(valued)
    folder.chmod(0o700)
    shutil.rmtree(folder)
    client.force_login(engineer)
    answer = client.get(reverse("selection:values", args=[project.slug]))
    assert "restore them from a backup" in answer.text and "Not worked out yet" in answer.text
    with programs.in_this_process():
        job = values.launch(project)
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"
    assert artifacts.path is not None and reads.folder(job).is_dir()


def test_it_refuses_too_few_labels_and_other_types() -> None:
    few = factories.make_project()
    made = factories.make_items(few, 9, split="train")
    factories.make_labels(few, made, ["Refund"] * 9)
    with pytest.raises(
        NothingToValue, match="Found 9 labelled training items of 1 labels, expected at least 10"
    ):
        values.launch(few)
    field = {"name": "stars", "type": "rating", "dimensions": [{"id": "good", "name": "Good"}], "points": 5}
    rating = projects.create("Ratings", definition={"fields": [field]})
    with pytest.raises(NothingToValue, match="this one asks for rating"):
        values.launch(rating)


def test_it_waits_for_vectors_that_are_computed_by_other_jobs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "PART_ROWS", 10)
    job = values.launch(project)
    running.run(job.pk)
    job.refresh_from_db()
    assert "are being computed by jobs of their own: try again after them" in job.error


def test_its_page_shows_suspects_sources_and_what_taught_one(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    text = client.get(f"{url}?row=3").text
    assert reverse("annotation:item", args=[project.slug, 0]) in text
    assert "A model that has not seen it says Refund" in text
    assert "What an item of each source is worth" in text
    assert "The labels together say <strong>Refund</strong>" in text
    assert 'class="badge good">for it' in text and 'class="badge bad">against it' in text
    assert "There is no item at row 777" in client.get(f"{url}?row=777").text
    assert client.get(f"{url}?page=99&row=x").status_code == 200


@pytest.mark.parametrize("attack", boundary.ATTACKS)
def test_a_hard_item_is_pushed_over_the_boundary_and_real_items_lie_there(
    project: Project, valued: Job, attack: str
) -> None:
    assert boundary.hard_rows(valued)[0] == 0
    with programs.in_this_process():
        running.run(builds.ensure_embeddings(project).pk)
    found = boundary.near(project, valued, 3, attack)
    assert found is not None and found.smallest is not None
    assert (found.given, found.before) == ("Refund", "Refund") and found.after != "Refund"
    factor = 1.0 if attack == "flip" else boundary.BEYOND
    assert found.size == pytest.approx(factor * found.smallest, rel=1e-3)
    assert [one.item.text for one in found.found] == ["refund money back payment now"]
    assert boundary.near(project, valued, 36) is None and boundary.near(project, valued, 9999) is None


def test_its_page_shows_the_boundary_and_queues_what_lies_there(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    with programs.in_this_process():
        running.run(builds.ensure_embeddings(project).pk)
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    row = project.items.get(text="refund money back payment now").row
    text = client.get(f"{url}?edge=3&attack=pgd").text
    assert "Its label is <strong>Refund</strong>" in text and f'name="row" value="{row}" checked' in text
    assert '<option value="pgd" selected>' in text
    assert "No labelled item of this valuation is at row 36" in client.get(f"{url}?edge=36").text
    act = reverse("annotation:item_act", args=[project.slug])
    assert f'action="{act}"' in text and 'value="queue_first"' in text
    assert "refund money back payment now" in client.get(f"{act}?row={row}&action=queue_first").text


def test_its_page_orders_labels_by_the_method_chosen(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    assert reads.methods(valued) == ["", "value", "influence", "tracin", "gradient_similarity", "loss"]
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    for by in ("value", "influence", "tracin", "gradient_similarity"):
        page = reads.suspects(project, valued, by=by, per_page=36)
        shown = [one.value for one in page.rows]
        assert shown == sorted(shown) and [one.rank for one in page.rows] == list(range(1, 37))
        assert page.rows[0].row == 0, f"the wrong label is worth least by {by}"
        assert f'<option value="{by}" selected>' in client.get(f"{url}?by={by}").text
    assert '<option value="" selected>' in client.get(f"{url}?by=data_shapley").text


def test_its_page_puts_the_greatest_held_out_loss_first(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    page = reads.suspects(project, valued, by="loss", per_page=36)
    shown = [one.value for one in page.rows]
    assert shown == sorted(shown, reverse=True) and min(shown) > 0
    assert (page.rows[0].row, page.rows[0].rank) == (0, 1)
    hard = boundary.hard_rows(valued)
    assert hard == [one.row for one in page.rows[:2]]  # of 36 losses two are above the 95th percentile
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    text = client.get(f"{url}?by=loss").text
    assert '<option value="loss" selected>held-out loss</option>' in text and ">Loss</th>" in text
    assert f'href="?edge={hard[0]}&amp;attack=flip#boundary"' in text
    with translation.override("zh-hans"):
        assert [str(words) for words in value_words.METHODS["loss"]] == [
            "留出损失",
            "没有见过该标签的模型有多意外，最大的在前；0 表示毫不意外。",
        ]


def test_the_hard_items_are_those_of_greatest_loss_where_none_stands_out(
    valued: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reads, "folder", lambda _job: tmp_path)
    for losses, expected in (
        ([0.3] * 8, [7, 9, 11, 13, 15]),  # all equal: the lower rows
        ([0.3, 2.0, *[0.1] * 18], [9]),
        ([0.2, 0.1], [7]),
        ([float(n) for n in range(200)], [405, 403, 401, 399, 397]),
    ):
        rows = range(7, 7 + 2 * len(losses), 2)
        pq.write_table(pa.table({"row": list(rows), "loss": losses}), tmp_path / "values.parquet")
        assert boundary.hard_rows(valued) == expected


def test_data_shapley_is_asked_for_and_refused_where_it_cannot_be(
    client: Client, project: Project, engineer: User
) -> None:
    with pytest.raises(NothingToValue, match="at least 30 validation items, found 36 and 0"):
        values.launch(project, retrain=True)
    texts = [f"{words} held {n}" for n in range(10) for words in WORDS.values()]
    made = factories.make_items(project, texts, split="validation")
    factories.make_labels(project, made, list(WORDS) * 10)
    client.force_login(engineer)
    client.post(reverse("selection:values_launch", args=[project.slug]), {"retrain": "on"})
    with programs.in_this_process():
        job = reads.running(project)
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert "data_shapley" in reads.methods(job)
    page = reads.suspects(project, job, by="data_shapley", per_page=36)
    shown = [one.value for one in page.rows]
    assert shown == sorted(shown) and sum(shown) == pytest.approx(1 - 1 / 3), (
        "all of what labels add to a guess"
    )


def test_its_page_teaches_before_there_is_anything_and_launches(
    client: Client, project: Project, engineer: User
) -> None:
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    assert "Not worked out yet" in client.get(url).text
    assert client.post(f"{url}/launch").url == url
    job = reads.running(project)
    assert job is not None and job.created_by == engineer
    text = client.get(url).text
    assert f'data-poll="{url}/status"' in text
    assert reverse("jobs:cancel", args=[job.uuid]) in text
    Job.objects.filter(pk=job.pk).update(state="failed", error="the disk is full")
    assert "the disk is full" in client.get(f"{url}/status").text


def test_its_page_says_why_it_cannot(client: Client, engineer: User) -> None:
    empty = factories.make_project()
    factories.add_member(empty, Role.ENGINEER, engineer)
    client.force_login(engineer)
    answer = client.post(reverse("selection:values_launch", args=[empty.slug]), follow=True)
    assert "Found 0 labelled training items" in answer.text


@pytest.mark.parametrize("name", ["values", "values_status"])
def test_its_page_is_for_engineers_of_the_project(client: Client, project: Project, name: str) -> None:
    url = reverse(f"selection:{name}", args=[project.slug])
    assert client.get(url).status_code == 302
    client.force_login(factories.make_user("outsider"))
    assert client.get(url).status_code == 404
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert client.get(url).status_code == 403


def test_the_api_tells_the_same(client: Client, project: Project, engineer: User) -> None:
    client.force_login(engineer)
    url = f"/api/v1/projects/{project.slug}/value"
    missing = client.get(url)
    assert missing.status_code == 404 and "have not been valued yet" in missing.text
    refused = client.post(url, {"retrain": True}, content_type="application/json")
    assert refused.status_code == 409 and "Data Shapley wants at most 200" in refused.json()["message"]
    launched = client.post(url)
    assert launched.status_code == 202
    with programs.in_this_process():
        running.run(Job.objects.get(uuid=launched.json()["job"]).pk)
    found = client.get(url, {"page": 1}).json()
    assert (found["items"], found["basis"], found["page"], found["pages"]) == (36, "folds", 1, 2)
    assert found["suspects"][0]["row"] == 0
    assert {one["source"] for one in found["sources"]} == {"web", "shop"}
    taught = client.get(f"{url}/attribution/3").json()
    assert taught["label"] == "Refund" and taught["for_it"][0]["amount"] > 0
    assert client.get(f"{url}/attribution/777").status_code == 404
    client.force_login(factories.add_member(project, Role.ANNOTATOR))
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403


def test_the_command_lists_suspects_sources_and_who_taught_an_item(project: Project) -> None:
    out = StringIO()
    with programs.in_this_process():
        call_command("value", project.slug, "--first", "2", "--row", "3", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("36 labels of bank-intents, measured by each other, in folds; ")
    assert {line.split()[1] for line in lines[1:3]} == {"web:", "shop:"}
    assert lines[3].strip().startswith("1  row 0  Other") and "has not seen it says Refund" in lines[3]
    assert lines[5].startswith("row 3: Refund (")
    assert any(line.strip().startswith("for") for line in lines[6:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no project “nowhere”"),
        (["bank-intents", "--row", "777"], "there is no item at row 777"),
        (["bank-intents", "--retrain"], "Data Shapley wants at most 200 labelled training items"),
    ],
)
def test_the_command_says_what_is_wrong(project: Project, arguments: list[str], words: str) -> None:
    with programs.in_this_process(), pytest.raises(CommandError, match=words):
        call_command("value", *arguments, stdout=StringIO())


def test_a_round_weighs_items_by_value_and_its_model_believes_a_wrong_label_less(
    engineer: User, client: Client
) -> None:
    project = factories.make_project("Two kinds")
    factories.add_member(project, Role.ENGINEER, engineer)
    kinds = ["Refund", "Card lost"]
    texts = [f"{WORDS[kinds[n % 2]]} {WORDS[kinds[n % 2]]} number {n}" for n in range(36)]
    made = factories.make_items(project, texts, split="train")
    factories.make_labels(project, made, ["Other", "Other", *(kinds[n % 2] for n in range(2, 36))])
    with programs.in_this_process():
        valued = values.launch(project, by=engineer)
        running.run(valued.pk)
    valued.refresh_from_db()

    def train(**spec: bool) -> Round:
        with programs.in_this_process():
            made = rounds.run_to_end(factories.make_round(project, batch_size=0, learner="probe", **spec))
        assert made.state == Round.State.DONE, made.error
        return made

    def believed(round_: Round) -> float:
        """How likely the model finds the wrong label of the first item."""
        model = ModelVersion.objects.get(run=round_.run)
        fitted = probe.load(artifacts.path(model.artifact) / "model")
        vector = gather(pool.embedding_shards(project), np.array([0]))
        return float(fitted.probabilities(vector)[0, model.labels.index("other")])

    plain = train()
    seventh = Resolution.objects.filter(project=project, item__row=7)
    seventh.update(value={"label": "refund"})  # it counts 1 then: its value is of the old label
    weighed = train(weigh_by_value=True)
    worked_out = pq.read_table(reads.folder(valued) / "values.parquet").to_pydict()
    value = dict(zip(worked_out["row"], worked_out["weight"], strict=True))
    frozen = {
        name: pq.read_table(artifacts.path(round_.dataset.artifact) / "train.parquet").to_pydict()
        for name, round_ in (("plain", plain), ("weighed", weighed))
    }
    assert set(frozen["plain"]["weight"]) == {1.0}
    found = dict(zip(frozen["weighed"]["row"], frozen["weighed"]["weight"], strict=True))
    assert len(found) == 36 and found[7] == 1.0
    assert found == pytest.approx({**value, 7: 1.0})
    assert min(found, key=found.__getitem__) in (0, 1) and max(found[0], found[1]) < 0.9 < found[2]
    told = weighed.dataset.manifest["weights"]
    below = sum(weight < 1 for row, weight in found.items() if row != 7)
    assert (told["items"], told["below"], told["valuation"]) == (35, below, str(valued.uuid))
    assert plain.dataset.manifest["weights"] is None
    assert believed(weighed) < 0.8 * believed(plain)
    assert weighed.stations.get(name="freeze").note.endswith("35 weighed by what their labels are worth")
    client.force_login(engineer)
    page = client.get(reverse("training:run", args=[project.slug, weighed.run.number])).text
    assert f"by what their labels are worth: 35 have one, {below} below 1, the least" in page
    assert (
        "by what their labels are worth"
        not in client.get(reverse("training:run", args=[project.slug, plain.run.number])).text
    )


def test_weighing_wants_values_and_is_offered_where_there_are_some(
    project: Project, engineer: User, client: Client, request: pytest.FixtureRequest
) -> None:
    client.force_login(engineer)
    page = reverse("selection:launch", args=[project.slug])
    assert "weigh_by_value" not in client.get(page).text
    with pytest.raises(BadSpec, match="no values of labels to weigh items by: work them out first"):
        factories.make_round(project, batch_size=0, weigh_by_value=True)
    with pytest.raises(CommandError, match="no values of labels"):
        call_command("round", project.slug, "--batch-size", "0", "--weigh-by-value")
    request.getfixturevalue("valued")
    text = client.get(page, {"learner": "probe", "strategy": "random"}).text
    assert 'name="weigh_by_value"' in text
    form = {"strategy": "random", "learner": "probe", "batch_size": 0, "control_share": 0.1, "seed": 1}
    answer = client.post(page, {**form, "pool_limit": 100, "learner-c": 10.0, "weigh_by_value": "on"})
    assert answer.status_code == 302
    assert Round.objects.get().spec["weigh_by_value"] is True
