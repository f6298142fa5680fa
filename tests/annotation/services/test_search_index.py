"""The search index: English and Chinese, in blocks, safe to run twice, made again when lost."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.intake.words import terms
from annotation.models import IndexedLabel, IndexedScore, Item, SearchState
from annotation.selectors import search_states, search_text
from annotation.services import batches, search_index
from jobs.models import Job
from jobs.services import jobs
from tests.factories import make_items, make_labels, make_project

pytestmark = pytest.mark.django_db

TEXTS = [
    "I was charged twice for the same card payment",
    "我的钱还没到账，怎么办？",
    "Refunds take too long",
    "The card is not paid back",
    "请把钱退到我的卡上",
    "The card was paid not long ago",
]


@pytest.fixture
def project():
    made = make_project()
    make_items(made, TEXTS)
    return made


def found(project, typed: str, **where) -> list[str]:
    ids = search_text.matching(project.pk, terms(typed), after=None, size=50, **where)
    texts = Item.objects.in_bulk(ids)
    return [texts[pk].text for pk in ids]


def test_it_finds_words_beginnings_phrases_and_chinese(project) -> None:
    search_index.catch_up(project)
    assert found(project, "refund") == [TEXTS[2]]
    assert found(project, "card pay") == [TEXTS[0]]
    assert found(project, "CARD") == [TEXTS[0], TEXTS[3], TEXTS[5]]
    assert found(project, '"not paid"') == [TEXTS[3]]
    assert found(project, "card not paid") == [TEXTS[3], TEXTS[5]]
    assert found(project, "到账") == [TEXTS[1]]
    assert found(project, "账到") == []
    assert found(project, "钱") == [TEXTS[1], TEXTS[4]]
    assert found(project, "钱", reverse=True) == [TEXTS[4], TEXTS[1]]
    assert found(project, "unheard") == []


def test_it_finds_nothing_of_another_project(project) -> None:
    other = make_project()
    make_items(other, ["card of another project"])
    for one in (project, other):
        search_index.catch_up(one)
    assert found(other, "card") == ["card of another project"]
    assert len(found(project, "card")) == 3


def test_running_it_twice_equals_once(project) -> None:
    search_index.catch_up(project)
    SearchState.objects.update(text_row=-1, resolution=0, slot=0)
    search_index.catch_up(project)
    assert found(project, "card") == [TEXTS[0], TEXTS[3], TEXTS[5]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM annotation_searchtext")
        assert cursor.fetchone() == (len(TEXTS),)


def test_it_says_how_many_items_are_not_searchable_yet(project) -> None:
    assert search_states.unsearchable(project) == 6
    search_index.catch_up(project)
    assert search_states.unsearchable(project) == 0
    make_items(project, ["one more"])
    assert search_states.unsearchable(project) == 1
    assert search_index.reads.behind().get() == project
    search_index.tick()
    assert found(project, "one more") == ["one more"]


def test_a_lost_or_emptied_table_is_made_again(project) -> None:
    search_index.catch_up(project)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE annotation_searchtext")
    search_index.tick()
    assert found(project, "refund") == [TEXTS[2]]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM annotation_searchtext")
    search_index.tick()
    assert found(project, "refund") == [TEXTS[2]]


def test_texts_cut_by_older_rules_are_cut_anew(project) -> None:
    search_index.catch_up(project)
    SearchState.objects.update(version=0)
    assert search_states.unsearchable(project) == 6
    search_index.tick()
    assert found(project, "refund") == [TEXTS[2]]
    assert search_states.unsearchable(project) == 0


def test_a_long_backlog_becomes_one_job(project, monkeypatch) -> None:
    monkeypatch.setattr(search_index, "TICK_SECONDS", 0.0)
    search_index.tick()
    search_index.tick()
    job = Job.objects.get(kind="annotation.index_items")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == ("done", {"items": 6})
    assert found(project, "refund") == [TEXTS[2]]


def test_what_is_deleted_meanwhile_does_not_come_back(project, monkeypatch) -> None:
    item = project.items.get(row=2)

    real = search_index._moved

    def delete_first(state, mark, to):
        Item.objects.filter(pk=item.pk).update(held_back=Item.DELETED)
        return real(state, mark, to)

    monkeypatch.setattr(search_index, "_moved", delete_first)
    search_index.catch_up(project)
    assert found(project, "refund") == []


def test_it_indexes_final_labels_and_replaces_those_that_changed(project) -> None:
    items = list(project.items.order_by("row")[:2])
    make_labels(project, items, ["Refund", "Other"])
    search_index.catch_up(project, settled=datetime.timedelta(hours=1))
    assert not IndexedLabel.objects.exists()  # too young
    search_index.catch_up(project)
    keys = IndexedLabel.objects.order_by("item").values_list("item", "key")
    assert list(keys) == [(items[0].pk, "label:refund"), (items[1].pk, "label:other")]


def test_it_indexes_the_score_parts_of_the_newest_slot(project) -> None:
    first, second = project.items.order_by("row")[:2]

    def publish(origin: str, row: int, **parts) -> None:
        pick = batches.Pick(row=row, explanation={"parts": parts, "round": 1})
        batches.publish(project, [pick], origin=origin)

    publish("a", first.row, margin=0.25, mmr="far")
    publish("b", first.row, margin=0.75)
    publish("c", second.row, mmr=0.5)
    search_index.catch_up(project)
    scores = IndexedScore.objects.order_by("item", "name").values_list("item", "name", "value")
    assert list(scores) == [(first.pk, "margin", 0.75), (second.pk, "mmr", 0.5)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=40) | st.text(alphabet="\"'*^:(){}-+&|!<>\\ aNEAROT退", max_size=30))
def test_nothing_that_is_typed_breaks_the_query(project, typed: str) -> None:
    search_index.catch_up(project)
    assert isinstance(found(project, typed), list)


@pytest.mark.parametrize("anybody", [False, True])
def test_it_takes_a_few_at_a_time_while_people_label(project, monkeypatch, anybody: bool) -> None:
    """Where there is one writer; PostgreSQL has many."""
    left = len(TEXTS) - 2 if anybody and connection.vendor == "sqlite" else 0
    monkeypatch.setattr(search_index, "SMALL_BLOCK", 2)
    monkeypatch.setattr(search_index, "is_anybody_labelling", lambda: anybody)
    assert search_index._block(project)
    assert search_states.backlog(project).texts == left
