from __future__ import annotations

import pytest

from annotation.selectors import items
from annotation.selectors.items import Filters
from tests import factories

pytestmark = pytest.mark.django_db


def walk(project, filters: Filters, size: int) -> list[int]:
    rows, after = [], None
    while True:
        page = items.page(project, filters, after=after, size=size)
        rows += [row.row for row in page.rows]
        if page.after is None:
            return rows
        after = page.after


def test_walking_all_pages_gives_every_item_once() -> None:
    project = factories.make_project()
    made = factories.make_items(project, 7)
    assert walk(project, Filters(), 3) == sorted(item.row for item in made)


def test_the_way_back_is_the_way_forth() -> None:
    project = factories.make_project()
    factories.make_items(project, 7)
    first = items.page(project, Filters(), size=3)
    second = items.page(project, Filters(), after=first.after, size=3)
    back = items.page(project, Filters(), before=second.before, size=3)
    assert back.rows == first.rows
    assert (first.before, back.before) == (None, None)
    assert back.after == first.after


def test_the_last_full_page_has_no_next() -> None:
    project = factories.make_project()
    factories.make_items(project, 4)
    assert items.page(project, Filters(), size=4).after is None


def test_it_filters_by_split_text_and_state() -> None:
    project = factories.make_project()
    factories.make_items(project, ["Card lost abroad", "refund please"], split="train")
    factories.make_items(project, ["CARD stolen"], split="test")
    texts = lambda **kw: [row.text for row in items.page(project, Filters(**kw)).rows]  # noqa: E731
    assert texts(text="card") == ["Card lost abroad", "CARD stolen"]
    assert texts(text="card", split="test") == ["CARD stolen"]
    assert len(texts(state="unlabelled")) == 3
    assert texts(state="labelled") == []
    assert len(texts(state="nonsense", split="nonsense")) == 3


def test_a_duplicate_is_shown_as_one() -> None:
    project = factories.make_project()
    factories.make_items(project, ["the same", "the same"])
    states = [row.state for row in items.page(project, Filters()).rows]
    assert sorted(states) == ["duplicate", "unlabelled"]
    assert len(items.page(project, Filters(state="duplicate")).rows) == 1


def test_it_shows_nothing_of_another_project() -> None:
    factories.make_items(factories.make_project(), 2)
    assert items.page(factories.make_project(), Filters()).rows == []


def test_it_takes_three_queries_a_page(django_assert_num_queries) -> None:
    project = factories.make_project()
    factories.make_items(project, 20)
    with django_assert_num_queries(3):
        items.page(project, Filters(), size=10)
