"""The table of items: filters, views, columns, actions, one item; and who may see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from annotation.models import Item, Role, SavedView, Tag
from annotation.selectors.item_columns import COLUMNS
from annotation.services import batches, item_actions, labelling, queue, search_index
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=1)


@pytest.fixture
def reviewer(client: Client, project):
    person = factories.add_member(project, Role.REVIEWER)
    client.force_login(person)
    return person


def url(project, name: str = "items", *args: Any) -> str:
    return reverse(f"annotation:{name}", args=[project.slug, *args])


def get(client: Client, project, query: str = "") -> str:
    response = client.get(url(project) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_it_pages_through_items(client: Client, project, reviewer) -> None:
    factories.make_items(project, 60)
    html = get(client, project, "?split=&state=")
    assert html.count('name="row"') == 50
    assert "after=49" in html
    second = get(client, project, "?after=49")
    assert second.count('name="row"') == 10
    assert "before=50" in second


@pytest.mark.parametrize(
    "query",
    [
        *("?after=x", "?after=-1", "?after=99999999999999999999999", "?before=", "?split=zz", "?columns="),
        *(
            "?sort=score.%27%22",
            "?sort=unsure&after=1_1",
            "?tag=x&person=x&source=x&batch=x&meta=x",
            "?label=:",
        ),
        *("?text=%22*%28", "?sure_from=nan&sure_to=inf", "?text=%00"),
    ],
)
def test_it_survives_nonsense_in_the_address(client: Client, project, reviewer, query: str) -> None:
    factories.make_items(project, 2)
    assert "<h1>Items</h1>" in get(client, project, query)


def test_it_says_so_when_nothing_matches_and_when_nothing_is_there(client, project, reviewer) -> None:
    assert "No items yet" in get(client, project)
    factories.make_items(project, 1)
    assert "1 item is not searchable yet" in get(client, project, "?text=absent")
    search_index.catch_up(project)
    html = get(client, project, "?text=absent")
    assert "No item matches" in html
    assert "not searchable" not in html


def test_a_text_is_never_markup(client: Client, project, reviewer) -> None:
    factories.make_items(project, ["<b onclick=x>bold</b>"])
    assert "&lt;b onclick=x&gt;" in get(client, project)
    assert "&lt;b onclick=x&gt;" in client.get(url(project, "item", 0)).content.decode()


def test_every_column_is_shown_on_wish_and_the_choice_is_kept(client, project, reviewer) -> None:
    items = factories.make_items(project, 2)
    factories.make_labels(project, items[:1], ["Refund"])
    html = get(client, project, f"?columns={','.join(COLUMNS)}")
    assert html.count('<th scope="col"') == 3 + len(COLUMNS)
    response = client.post(
        url(project, "item_columns"), {"column": ["source", "x"], "query": "split=train&columns=label"}
    )
    assert response["Location"] == f"{url(project)}?split=train"
    assert get(client, project).count('<th scope="col"') == 4


def test_views_are_saved_shared_and_removed(client, project, reviewer) -> None:
    factories.make_items(project, 1)
    sent = {"name": "Tests", "query": "split=test&sort=newest&after=7", "is_shared": "1"}
    assert client.post(url(project, "item_view_save"), sent).status_code == 302
    client.post(url(project, "item_view_save"), {"name": "Mine", "query": "state=labelled"})
    shared = SavedView.objects.get(name="Tests")
    assert shared.query == {"split": "test", "sort": "newest", "columns": "label,suggestion,state,tags,split"}
    other = Client()
    other.force_login(factories.add_member(project, Role.REVIEWER))
    html = get(other, project)
    assert "Tests" in html
    assert "Mine" not in html
    remove = url(project, "item_view_remove", shared.uuid)
    other.post(remove)
    assert SavedView.objects.filter(name="Tests").exists()
    assert (
        other.post(url(project, "item_view_remove", SavedView.objects.get(name="Mine").uuid)).status_code
        == 404
    )
    client.post(remove)
    assert not SavedView.objects.filter(name="Tests").exists()
    assert (
        "1 to 80" in client.post(url(project, "item_view_save"), {"name": " "}, follow=True).content.decode()
    )


def test_marked_items_are_confirmed_and_then_tagged(client, project, reviewer) -> None:
    factories.make_items(project, 3)
    asked = client.get(url(project, "item_act"), {"action": "tag", "row": ["0", "2", "9"], "split": "train"})
    html = asked.content.decode()
    assert "Tag: 2 items" in html
    assert 'name="rows" value="0,2"' in html
    sent = {"action": "tag", "rows": "0,2", "tag": "ask", "query": "split=train"}
    answer = client.post(url(project, "item_act"), sent, follow=True)
    assert answer.redirect_chain[0][0] == f"{url(project)}?split=train"
    assert "Tag: 2 items." in answer.content.decode()
    assert set(Tag.objects.get().item_tags.values_list("item__row", flat=True)) == {0, 2}


def test_all_that_match_are_taken(client, project, reviewer) -> None:
    factories.make_items(project, 4, split="test")
    factories.make_items(project, 3, split="train")
    html = client.get(
        url(project, "item_act"), {"action": "tag", "all": "1", "split": "test"}
    ).content.decode()
    assert "Tag: 4 items" in html


def test_many_items_lead_to_their_job(client, project, reviewer, monkeypatch) -> None:
    monkeypatch.setattr(item_actions, "AT_ONCE", 1)
    factories.make_items(project, 2)
    answer = client.post(
        url(project, "item_act"), {"action": "tag", "rows": "0-1", "tag": "ask"}, follow=True
    )
    assert answer.redirect_chain[0][0].startswith("/jobs/")
    assert answer.status_code == 200  # a reviewer may see the job that they started


def test_a_wrong_option_is_said_in_place(client, project, reviewer) -> None:
    factories.make_items(project, 1)
    answer = client.post(url(project, "item_act"), {"action": "tag", "rows": "0", "tag": " "})
    assert answer.status_code == 422
    assert "give it 1 to 60" in answer.content.decode()


@pytest.mark.parametrize("query", [{"action": "tag"}, {"action": "explode", "row": "0"}, {}])
def test_nothing_chosen_leads_back_with_a_word(client, project, reviewer, query) -> None:
    factories.make_items(project, 1)
    answer = client.get(url(project, "item_act"), query, follow=True)
    assert answer.redirect_chain
    assert "hoose" in answer.content.decode() or "chosen" in answer.content.decode()


def test_the_deletion_of_evaluation_items_says_so(client, project) -> None:
    client.force_login(factories.add_member(project, Role.ENGINEER))
    factories.make_items(project, 2, split="test")
    html = client.get(url(project, "item_act"), {"action": "delete", "row": ["0", "1"]}).content.decode()
    assert "2 of them are validation or test items" in html
    assert "erased here for good" in html
    client.post(url(project, "item_act"), {"action": "delete", "rows": "0-1"})
    assert set(Item.objects.values_list("text", flat=True)) == {""}
    assert "This item was deleted" in client.get(url(project, "item", 0)).content.decode()
    assert 'name="row"' not in get(client, project)
    assert get(client, project, "?state=deleted").count('name="row"') == 2


def test_one_item_shows_all_that_is_known_of_it(client, project, reviewer) -> None:
    items = factories.make_items(project, ["first text", "second text", "third text"], split="train")
    pick = batches.Pick(row=1, explanation={"parts": {"margin": 0.71}, "note": "near the border"})
    batches.publish(project, [pick], origin="1", title="Round 7")
    ana = factories.add_member(project, user=factories.make_user("ana"))
    (slot,) = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="k", active_ms=4000)
    item_actions.start(project, "tag", [1], {"tag": "ask"}, by=reviewer)
    html = client.get(url(project, "item", 1)).content.decode()
    for expected in (
        "second text",
        "ana",
        "Refund",
        "Round 7",
        "0.71",
        "near the border",
        "spot check",
        "4 s",
    ):
        assert expected in html, expected
    assert "tagged: ask" in html
    assert f'href="{url(project, "item", 0)}"' in html
    assert f'href="{url(project, "item", 2)}"' in html
    filtered = client.get(url(project, "item", 1) + "?state=labelled").content.decode()
    assert 'rel="next"' not in filtered
    assert client.get(url(project, "item", 9)).status_code == 404
    assert items[0].row == 0


def test_nobody_below_a_reviewer_sees_anything(client, project) -> None:
    factories.make_items(project, 1)
    view = SavedView.objects.create(project=project, owner=factories.make_user(), name="v", is_shared=True)
    pages = [url(project), url(project, "item", 0), url(project, "item_act")]
    posts = [url(project, "item_columns"), url(project, "item_view_save"), url(project, "item_act")]
    posts.append(url(project, "item_view_remove", view.uuid))
    for person, status in ((factories.add_member(project), 403), (factories.make_user(), 404)):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages} == {status}
        assert {client.post(page).status_code for page in posts} == {status}
    client.logout()
    assert client.get(url(project)).status_code == 302


@pytest.mark.parametrize("action", ["hold_back", "release", "delete"])
def test_a_reviewer_may_not_take_items_out(client, project, reviewer, action: str) -> None:
    factories.make_items(project, 1)
    assert f'value="{action}"' not in get(client, project)
    assert client.get(url(project, "item_act"), {"action": action, "row": "0"}).status_code == 403
    sent = {"action": action, "rows": "0", "reason": "x"}
    assert client.post(url(project, "item_act"), sent).status_code == 403


def test_pages_take_a_bounded_number_of_queries(
    client, project, reviewer, django_assert_max_num_queries
) -> None:
    factories.make_items(project, 60)
    with django_assert_max_num_queries(40):
        get(client, project)
    with django_assert_max_num_queries(45):
        client.get(url(project, "item", 1))


def test_an_item_says_how_likely_its_pick_was_or_that_nobody_can(client: Client, project, reviewer) -> None:
    greedy, drawn, by_hand = factories.make_items(project, 3, split="train")
    chosen = [
        batches.Pick(row=greedy.row, design="badge", explanation={"parts": {"score": 0.9}, "round": 2}),
        batches.Pick(row=drawn.row, design="random", inclusion_probability=0.25, explanation={"round": 2}),
        batches.Pick(row=by_hand.row, design="by hand"),
    ]
    batches.publish(project, chosen, origin="round-2")
    said = "no inclusion probability"
    texts = [client.get(url(project, "item", one.row)).text for one in (greedy, drawn, by_hand)]
    assert [said in text for text in texts] == [True, False, False]
    assert f'badge · <span class="quiet">{said}</span>' in texts[0] and "random · p 0.2500" in texts[1]
    with translation.override("en"):  # so that what the request sets does not outlast it
        answer = client.get(url(project, "item", greedy.row), headers={"Accept-Language": "zh-hans"})
    assert "无入选概率" in answer.text
