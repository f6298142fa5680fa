"""The table of items against a plain twin that looks at every item."""

from __future__ import annotations

import random
from typing import Any

import pytest

from annotation.intake.normalise import normalise
from annotation.models import (
    Item,
    ItemTag,
    Labeller,
    Prelabel,
    Resolution,
    Tag,
)
from annotation.selectors import item_walk, items
from annotation.selectors.item_filters import Filters, from_params, sort_of
from annotation.services import batches, labelling, prelabels, queue, search_index
from tests import factories

pytestmark = pytest.mark.django_db
WORDS = ("card", "refund", "lost", "钱", "退款", "paid", "twice")


@pytest.fixture
def project(monkeypatch):
    """Sixty items of two sources with labels, suggestions, slots, answers, tags, one dispute."""
    rng = random.Random(3)
    project = factories.make_project(overlap_share=0.3, evaluation_items=6, seed=4)
    texts = [f"{' '.join(rng.choices(WORDS, k=3))} {i // 2 if i % 9 == 0 else i}" for i in range(60)]
    first = factories.make_items(project, texts[:40], source="one")
    factories.make_items(project, [*texts[40:], texts[3], texts[4]], source="two")
    factories.make_labels(project, first[:8], ["Refund", "Card lost"] * 4, source="one")
    model, older = factories.make_model_labeller(project, "m2"), factories.make_model_labeller(project, "m1")
    for labeller, few in ((older, first[10:30]), (model, first[15:30])):
        prelabels.store(
            project,
            labeller,
            [
                (item.pk, {"label": rng.choice(["refund", "other"])}, rng.choice([0.2, 0.5, 0.9]), {})
                for item in few
            ],
        )
    free = [item for item in first[8:] if item.split == "train"]
    parts = [{"parts": {"margin": rng.choice([0.1, 0.5, 0.7])}, "round": 1} for _ in free]
    picks = [batches.Pick(row=i.row, explanation=p) for i, p in zip(free, parts, strict=True)]
    batches.publish(project, picks, origin="1", title="Round 1")
    people = [factories.add_member(project) for _ in range(2)]
    for number, person in enumerate(people):
        for slot in queue.lease(project, person, count=9):
            if slot.item_id % 7 == 0:
                queue.skip(project, person, slot.uuid, "unsure")
            else:
                value = {"label": "refund" if slot.item_id % 2 else ["other", "refund"][number]}
                labelling.submit(project, person, slot.uuid, value, client_key=f"{slot.pk}")
    tag = Tag.objects.create(project=project, name="ask")
    for item in first[::4]:
        ItemTag.objects.create(tag=tag, item=item)
    Item.objects.filter(pk=first[5].pk).update(held_back="odd")
    Item.objects.filter(pk=first[6].pk).update(held_back=Item.DELETED)
    Item.objects.filter(row__in=[2, 9, 30]).update(meta={"channel": "mail", "n": 5})
    search_index.catch_up(project)
    for slot in queue.lease(project, people[1], count=2):  # labels that the index does not know
        labelling.submit(project, people[1], slot.uuid, {"label": "refund"}, client_key=f"{slot.pk}")
    return project


def shown_prelabel(item: Item) -> Prelabel | None:
    return Prelabel.objects.filter(item=item, labeller__kind="model").order_by("-pk").first()


class Twin:
    """All that is known of every item, looked up item by item; filters are then asked of each."""

    def __init__(self, project) -> None:
        self.facts = [self.facts_of(item) for item in project.items.order_by("row")]

    def facts_of(self, item: Item) -> dict[str, Any]:
        scores = [slot.explanation.get("parts", {}).get("margin") for slot in item.slots.order_by("pk")]
        return {
            "item": item,
            "row": item.row,
            "current": Resolution.objects.filter(item=item, is_current=True).first(),
            "open": item.slots.filter(state__in=["free", "leased"]).exists(),
            "skipped": item.slots.filter(state="skipped").exists(),
            "disputed": item.reviews.filter(kind="dispute", state="pending").exists(),
            "suggested": shown_prelabel(item),
            "people": set(
                item.annotations.filter(is_retraction=False).values_list("labeller__uuid", flat=True)
            ),
            "tags": set(item.item_tags.values_list("tag__uuid", flat=True)),
            "batches": set(item.slots.values_list("batch__number", flat=True)),
            "score": next((score for score in reversed(scores) if score is not None), None),
        }

    def rows(self, wanted: Filters, sort: str = "row") -> list[int]:
        found = [fact for fact in self.facts if passes(fact, wanted)]
        if sort == "newest":
            found = [fact for fact in found if fact["current"]]
            found.sort(key=lambda fact: -fact["current"].pk)
        elif sort == "unsure":
            found = [fact for fact in found if fact["suggested"]]
            found.sort(key=lambda fact: (fact["suggested"].confidence, fact["row"]))
        elif sort == "score.margin":
            found = [fact for fact in found if fact["score"] is not None]
            found.sort(key=lambda fact: (fact["score"], fact["row"]), reverse=True)
        rows = [fact["row"] for fact in found]
        return rows[::-1] if sort == "-row" else rows


def passes(fact: dict[str, Any], wanted: Filters) -> bool:
    item, current, suggested = fact["item"], fact["current"], fact["suggested"]
    deleted = item.held_back == Item.DELETED
    states = {
        "": not deleted,
        "labelled": current is not None and not deleted,
        "waiting": fact["open"] and not deleted,
        "unlabelled": not (current or fact["open"] or item.duplicate_of_id or item.held_back),
        "unclear": (fact["disputed"] or fact["skipped"]) and not deleted,
        "duplicate": item.duplicate_of_id is not None and not deleted,
        "held_back": bool(item.held_back) and not deleted,
        "deleted": deleted,
    }
    low, high = wanted.sure_from, wanted.sure_to
    in_range = suggested and (low or 0) <= suggested.confidence <= (1 if high is None else high)
    column, _sep, value = wanted.meta.partition("=")
    return all(
        [
            states[wanted.state],
            not wanted.text or all(word in normalise(item.text) for word in wanted.text.split()),
            not wanted.label or (current and f"label:{current.value['label']}" == wanted.label),
            not wanted.suggested or (suggested and f"label:{suggested.value['label']}" == wanted.suggested),
            (low is None and high is None) or in_range,
            not wanted.decided
            or (wanted.decided == "disputed" and fact["disputed"])
            or bool(current and current.method == wanted.decided),
            wanted.person is None or wanted.person in fact["people"],
            wanted.tag is None or wanted.tag in fact["tags"],
            wanted.source is None or item.source_id == wanted.source,
            wanted.batch is None or wanted.batch in fact["batches"],
            not wanted.split or item.split == wanted.split,
            not wanted.meta or str(item.meta.get(column)) == value,
        ]
    )


def walked(project, filters: Filters, sort: str, size: int, **limits: Any) -> list[int]:
    """All pages forwards; and the way back from the last one leads to the one before it."""
    pages, after = [], None
    for _ in range(200):
        page = items.page(project, filters, sort=sort, after=after, size=size, **limits)
        pages.append([row.row for row in page.rows])
        if page.after is None:
            break
        after = page.after
    if not limits and len(pages) > 1:
        back = items.page(project, filters, sort=sort, before=page.before, size=size)
        assert [row.row for row in back.rows] == pages[-2]
    return [row for rows in pages for row in rows]


def every_filter(project) -> list[Filters]:
    person = Labeller.objects.filter(kind="person").first().uuid
    tag = Tag.objects.get().uuid
    sources = {source.name: source.pk for source in project.sources.all()}
    single: list[dict[str, Any]] = [
        {},
        *({"state": state} for state in ("labelled", "waiting", "unlabelled", "unclear")),
        *({"state": state} for state in ("duplicate", "held_back", "deleted")),
        *({"text": text} for text in ("card", "退款", "钱", "card lost", "nowhere")),
        {"label": "label:refund"},
        {"label": "label:card-lost"},
        {"suggested": "label:other"},
        {"sure_from": 0.5},
        {"sure_to": 0.2},
        {"sure_from": 0.3, "sure_to": 0.6},
        *({"decided": how} for how in ("disputed", "single", "majority", "import", "review")),
        {"person": person},
        {"tag": tag},
        {"source": sources["two"]},
        {"batch": 1},
        {"split": "test"},
        {"meta": "channel=mail"},
        {"meta": "n=5"},
    ]
    rng = random.Random(1)
    pairs = [{**rng.choice(single), **rng.choice(single)} for _ in range(12)]
    return [Filters(**one) for one in (*single, *pairs)]


def test_every_filter_finds_what_a_look_at_every_item_finds(project) -> None:
    twin = Twin(project)
    for filters in every_filter(project):
        assert walked(project, filters, "row", 7) == twin.rows(filters, "row"), filters


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["-row", "newest", "unsure", "score.margin"])
def test_every_sort_puts_them_in_order(project, sort: str) -> None:
    twin = Twin(project)
    for filters in every_filter(project)[::3]:
        assert walked(project, filters, sort, 4) == twin.rows(filters, sort), filters


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["row", "newest", "unsure"])
def test_frequent_filters_are_walked_along_an_index(project, monkeypatch, sort: str) -> None:
    monkeypatch.setattr(item_walk, "FEW", 1)
    twin = Twin(project)
    for filters in every_filter(project)[1::3]:
        assert walked(project, filters, sort, 3) == twin.rows(filters, sort), filters


def test_a_walk_that_stops_early_says_so_and_goes_on(project) -> None:
    filters = Filters(meta="channel=mail")
    first = items.page(project, filters, size=3, most=5)
    assert (len(first.rows), first.stopped, first.after) == (1, 8, "7")
    assert walked(project, filters, "row", 3, most=5) == [2, 9, 30]


def test_selecting_takes_all_that_match_up_to_a_limit(project) -> None:
    whole = items.select(project, Filters(split="test"))
    assert whole.ids == items.by_rows(project, Twin(project).rows(Filters(split="test")))
    assert whole.is_whole
    few = items.select(project, Filters(split="test"), most=2)
    assert (few.ids, few.is_whole) == (whole.ids[:2], False)


def test_neighbours_are_those_of_the_filter(project) -> None:
    rows = Twin(project).rows(Filters(split="test"))
    assert items.neighbours(project, Filters(split="test"), "row", str(rows[1])) == (rows[0], rows[2])
    assert items.neighbours(project, Filters(split="test"), "row", str(rows[-1])) == (rows[-2], None)


def test_it_says_what_is_known_of_each(project) -> None:
    rows = {row.row: row for row in items.page(project, Filters(), size=100).rows}
    assert (rows[0].label, rows[0].method, rows[0].state) == ("Refund", "import", "labelled")
    assert [tag.name for tag in rows[0].tags] == ["ask"]
    assert (rows[5].state, rows[5].held_back) == ("held_back", "odd")
    suggested = shown_prelabel(project.items.get(row=20))
    assert rows[20].confidence == suggested.confidence
    duplicate = project.items.filter(duplicate_of__isnull=False).first()
    assert rows[duplicate.row].state == "duplicate"
    assert rows[duplicate.row].label == rows[duplicate.duplicate_of.row].label
    assert any(row.rounds == ["Round 1"] and row.people for row in rows.values())


def test_it_shows_nothing_of_another_project(project) -> None:
    other = factories.make_project()
    for filters in every_filter(project):
        assert items.page(other, filters).rows == []


def test_a_page_takes_a_fixed_number_of_queries(project, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(14):
        items.page(project, Filters(), size=10)
    with django_assert_max_num_queries(20):
        items.page(project, Filters(text="card", label="label:refund", split="train"), size=10)


def test_an_address_is_read_and_nonsense_in_it_filters_nothing(project) -> None:
    filters = from_params(
        {"text": " card ", "label": "refund", "sure_from": "0.5", "sure_to": "x", "tag": "x", "state": "x",
         "source": "-1", "batch": "²", "meta": "=x", "person": "1", "split": "no", "decided": "no"},
        project,
    )  # fmt: skip
    assert filters == Filters(text="card", label="label:refund", sure_from=0.5)
    assert from_params(filters.to_params(), project) == filters
    assert [sort_of(given) for given in (None, "x", "score.", "score.mmr", "-row")] == [
        *("row", "row", "row", "score.mmr", "-row")
    ]


@pytest.mark.parametrize("token", ["x", "-1", "9" * 30, "1_2", "nan_1", "1e999_1", "_", "0.5_", "²"])
@pytest.mark.parametrize("sort", ["row", "newest", "unsure", "score.margin"])
def test_a_broken_token_is_survived(project, sort: str, token: str) -> None:
    items.page(project, Filters(), sort=sort, after=token)
    items.page(project, Filters(), sort=sort, before=token)
