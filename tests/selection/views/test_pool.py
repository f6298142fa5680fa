from __future__ import annotations

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Item, Role
from jobs import program
from jobs.models import Job
from jobs.services import artifacts
from selection.models import Column, ColumnBuild, PoolIndex, RefreshPolicy
from selection.services import builds, indexing, pool
from tests.factories import (
    add_member,
    make_artifact,
    make_items,
    make_model,
    make_project,
    make_round,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project()
    make_items(made, 6, split="train")
    return made


@pytest.fixture
def engineer(client, project):
    user = add_member(project, Role.ENGINEER)
    client.force_login(user)
    return user


def url(project, name: str = "pool", *more: object) -> str:
    return reverse(f"selection:{name}", args=[project.slug, *more])


def embed(project, count: int, folder) -> None:
    with program.result_folder(folder) as target:
        np.save(target / "embeddings.npy", np.eye(max(2, count), 8, dtype=np.float32)[:count])
        np.save(target / "rows.npy", np.arange(count, dtype=np.int64))
    pool.add_shard(
        project,
        Column.Kind.EMBEDDING,
        pool.embedding_key(project),
        artifacts.store(folder, "embeddings"),
        "embeddings.npy",
    )


def test_it_says_what_is_lacking_and_computes_it_ahead(client, project, engineer) -> None:
    html = client.get(url(project)).content.decode()
    assert "Nothing is computed yet." in html and "6 items have none yet" in html
    assert client.post(url(project, "pool_embed")).status_code == 302
    job = Job.objects.get(kind=builds.KIND)
    assert (job.created_by, job.state) == (engineer, "queued")
    client.post(url(project, "pool_embed"))
    assert Job.objects.filter(kind=builds.KIND).count() == 1
    assert "data-poll=" in client.get(url(project)).content.decode()


def test_it_shows_columns_and_the_measured_index(client, project, engineer, tmp_path) -> None:
    embed(project, 4, tmp_path / "vectors")
    PoolIndex.objects.create(
        project=project, model_key=pool.embedding_key(project), artifact=make_artifact("index"), kind="ivf",
        factory="IVF64,Flat", count=3, lists=64, probes=16, recall_at_10=0.967, queries=256, seconds=1.5,
        note="The index was damaged and is built anew.",
        tried=[{"factory": f"IVF64,{name}", "recall_at_10": x} for name, x in (("SQ8", 0.912), ("Flat", 0.967))],
    )  # fmt: skip
    html = client.get(url(project)).content.decode()
    assert "IVF64,Flat" in html and "96.7 % of the ten nearest, measured on 256 items of this pool" in html
    assert "IVF64,SQ8 91.2 %, IVF64,Flat 96.7 %" in html and "until one found 93 % of the ten nearest" in html
    assert "3 items; 1 came later and are searched one by one" in html
    assert "The index was damaged and is built anew." in html
    assert "in use" in html and "2 items have none yet" in html


def test_an_embedded_item_that_was_held_back_hides_none_that_lacks_its_vector(
    client, project, engineer, tmp_path
) -> None:
    embed(project, 5, tmp_path / "vectors")
    first, second = Item.objects.filter(project=project, row__in=[0, 1])
    Item.objects.filter(pk=first.pk).update(held_back="private")
    Item.objects.filter(pk=second.pk).update(duplicate_of=first)
    assert "1 items have none yet" in client.get(url(project)).content.decode()


def test_it_asks_few_questions_however_many_shards_there_are(
    client, project, engineer, tmp_path, django_assert_max_num_queries
) -> None:
    embed(project, 4, tmp_path / "vectors")
    with django_assert_max_num_queries(30):
        client.get(url(project))


def test_the_index_is_built_by_a_job(client, project, engineer, tmp_path) -> None:
    embed(project, 4, tmp_path / "vectors")
    client.post(url(project, "pool_index"))
    assert Job.objects.get(kind=indexing.KIND).created_by == engineer


def test_the_layer_is_chosen_and_names_another_column(client, project, engineer, tmp_path) -> None:
    embed(project, 4, tmp_path / "vectors")
    assert "2 items have none yet" in client.get(url(project)).text
    answer = client.post(url(project, "pool_layer"), {"layer": "middle"}, follow=True).text
    assert "Vectors by this layer are computed when they are needed." in answer
    assert "6 items have none yet" in answer and '<option value="middle" selected>' in answer
    assert pool.embedding_key(project).endswith("-middle") and pool.embedding_shards(project) == []
    answer = client.post(url(project, "pool_layer"), {"layer": "first"}, follow=True).text
    assert "first is not one of the available choices" in answer
    client.post(url(project, "pool_layer"), {"layer": "last"})
    assert len(pool.embedding_shards(project)) == 1, "the vectors of before are there still"


def test_the_layer_stays_where_something_goes_by_it(client, project, engineer) -> None:
    round_ = make_round(project)
    answer = client.post(url(project, "pool_layer"), {"layer": "middle"}, follow=True).text
    assert "A round or a build works with the vectors now" in answer
    type(round_).objects.filter(pk=round_.pk).update(state="done")
    make_model(project, learner="probe")
    answer = client.post(url(project, "pool_layer"), {"layer": "middle"}, follow=True).text
    assert "A probe of this project has learnt from the vectors there are" in answer
    assert pool.layer_of(project) == "last"


def test_the_refresh_is_turned_off_and_on(client, project, engineer) -> None:
    client.post(url(project, "refresh_policy"), {"labels": "40", "seconds": "90"})
    rule = RefreshPolicy.objects.get()
    assert (rule.is_on, rule.labels, rule.seconds) == (False, 40, 90)
    client.post(url(project, "refresh_policy"), {"is_on": "on", "labels": "7", "seconds": "10"})
    rule.refresh_from_db()
    assert (rule.is_on, rule.labels) == (True, 7)
    answer = client.post(url(project, "refresh_policy"), {"labels": "0", "seconds": "10"})
    assert answer.status_code == 400 and "greater than or equal to 1" in answer.content.decode()


def test_refresh_now_says_why_it_cannot(client, project, engineer) -> None:
    html = client.post(url(project, "refresh_now"), follow=True).content.decode()
    assert "launch a round first" in html


def test_a_build_shows_its_parts_and_can_be_cancelled_and_tried_again(client, project, engineer) -> None:
    build = ColumnBuild.objects.create(
        project=project, kind="embedding", model_key="x", origin="ahead:1", rows=make_artifact("rows"),
        count=6, part_rows=2,
    )  # fmt: skip
    assert "part 0 of 3 done, 0 running" in client.get(url(project)).content.decode()
    client.post(url(project, "build_cancel", build.uuid))
    build.refresh_from_db()
    assert build.state == "cancelled"
    assert "Try again" in client.get(url(project)).content.decode()
    client.post(url(project, "build_retry", build.uuid))
    build.refresh_from_db()
    assert build.state == "running"
    other = make_project()
    assert client.post(url(other, "build_cancel", build.uuid)).status_code == 404


def test_the_live_part_asks_for_a_reload_when_all_has_ended(client, project, engineer) -> None:
    assert "data-poll-reload" in client.get(url(project, "pool_live")).content.decode()


def test_an_empty_pool_says_what_to_do(client) -> None:
    project = make_project()
    client.force_login(add_member(project, Role.ENGINEER))
    html = client.get(url(project)).content.decode()
    assert "The pool is empty" in html and reverse("annotation:import", args=[project.slug]) in html


@pytest.mark.parametrize("name", ["pool", "pool_live"])
def test_it_is_for_engineers(client, project, name) -> None:
    assert client.get(url(project, name)).status_code == 302
    client.force_login(add_member(project))
    assert client.get(url(project, name)).status_code == 403
    client.force_login(make_user())
    assert client.get(url(project, name)).status_code == 404


@pytest.mark.parametrize("name", ["pool_embed", "pool_index", "pool_layer", "refresh_now", "refresh_policy"])
def test_an_annotator_may_start_nothing(client, project, name) -> None:
    client.force_login(add_member(project))
    assert client.post(url(project, name)).status_code == 403
    assert client.get(url(project, name)).status_code == 405
    assert not Job.objects.exists() and not RefreshPolicy.objects.exists()


def test_the_round_page_tells_its_refreshes(client, project, engineer) -> None:
    from selection.models import Refresh

    round_ = make_round(project)
    Refresh.objects.create(
        round=round_, number=1, picks=make_artifact("picks"), labels=31, pool=5000, replaced=12, kept=3,
        seconds=2.0, switch_s=0.01, created_at=timezone.now(),
    )  # fmt: skip
    html = client.get(reverse("selection:round", args=[project.slug, round_.number])).content.decode()
    assert "Refreshed while people labelled" in html and "5,000" in html and ">12<" in html
