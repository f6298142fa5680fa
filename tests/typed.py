"""A project of each task type, with items and answers, for tests that must hold whatever the type."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from annotation.models import Item, Project, Slot
from annotation.services import batches, items, labelling, queue
from tests import factories

LABELS = [
    {"id": "refund", "name": "Refund", "name_zh": "退款", "colour": "green"},
    {"id": "card", "name": "Card lost", "name_zh": "卡丢失", "colour": "red"},
    {"id": "fee", "name": "Fee", "name_zh": "费用"},
]
_TREE = [
    {"id": "money", "name": "Money"},
    {"id": "refund", "name": "Refund", "parent": "money"},
    {"id": "fee", "name": "Fee", "parent": "money"},
    {"id": "other", "name": "Other"},
]
_HELPFUL = [{"id": "helpful", "name": "Helpful", "name_zh": "有用"}, {"id": "honest", "name": "Honest"}]
FIELDS: dict[str, list[dict[str, Any]]] = {
    "classification": [{"name": "label", "type": "classification", "labels": LABELS}],
    "tree": [{"name": "label", "type": "classification", "labels": _TREE}],
    "multilabel": [{"name": "topics", "type": "multilabel", "labels": LABELS}],
    "spans": [
        {
            "name": "entities",
            "type": "spans",
            "nested": True,
            "labels": [{"id": "person", "name": "Person"}, {"id": "place", "name": "Place"}],
            "relations": [{"id": "in", "name": "is in"}],
        }
    ],
    "rating": [
        {
            "name": "quality",
            "type": "rating",
            "points": 3,
            "anchors": ["bad", "", "good"],
            "dimensions": _HELPFUL,
        }
    ],
    "preference": [
        {
            "name": "preferred",
            "type": "preference",
            "strengths": [{"id": "much", "name": "Much better"}],
            "reasons": [{"id": "polite", "name": "More polite"}],
        }
    ],
    "response": [{"name": "reply", "type": "response"}],
    "combined": [
        {"name": "intent", "type": "classification", "labels": LABELS},
        {
            "name": "urgency",
            "type": "rating",
            "points": 3,
            "dimensions": [{"id": "urgent", "name": "Urgent"}],
            "when": {"field": "intent", "in": ["refund"]},
        },
        {"name": "topics", "type": "multilabel", "labels": LABELS, "required": False},
    ],
}
DIALOGUE = [
    {"role": "user", "content": "Where is my money?"},
    {"role": "assistant", "content": "Which order?"},
    {"role": "user", "content": "The last one."},
]


def definition(name: str) -> dict[str, Any]:
    return {"fields": FIELDS[name]}


def record(name: str, number: int, **more: Any) -> items.Record:
    """An item that the type can be asked about; every third one is a dialogue where the type reads them."""
    data: dict[str, Any] = {}
    if name == "preference":
        data["responses"] = [f"We are on it, {number}.", f"Please wait, {number}."]
    if name == "response":
        data["draft"] = "Please wait."
    if name in ("preference", "response") and number % 3 == 2:
        data["messages"] = DIALOGUE
    return items.Record(
        text=f"Ana waits in Berlin, number {number}", data=data, meta={"channel": "chat"}, **more
    )


def answer(name: str, number: int) -> dict[str, Any]:
    """What is answered about the item of this number; it differs from one to the next."""
    even = number % 2 == 0
    return {
        "classification": {"label": "refund" if even else "card"},
        "tree": {"label": "fee" if even else "other"},
        "multilabel": {"topics": ["refund", "fee"] if even else []},
        "spans": {
            "entities": {
                "spans": [
                    {"start": 0, "end": 3, "label": "person"},
                    {"start": 13, "end": 19, "label": "place"},
                ],
                "relations": [{"from": 0, "to": 1, "label": "in"}] if even else [],
            }
        },
        "rating": {"quality": {"helpful": 3 if even else 1, "honest": 2}},
        "preference": {
            "preferred": {"ranking": [["r1"], ["r2"]], "strength": "much", "reasons": ["polite"]}
            if even
            else {"ranking": [["r2"], ["r1"]], "strength": "much", "reasons": []}
        },
        "response": {"reply": {"text": f"You get it back, {number}."}},
        "combined": {"intent": "refund", "urgency": {"urgent": 3}, "topics": ["fee"]}
        if even
        else {"intent": "card"},
    }[name]


def make_project(name: str, *, by: User | None = None, **settings: Any) -> Project:
    """A project with the schema of that name, and nothing in it."""
    given = {"evaluation_items": 0, "overlap_share": 0.0, "spot_check_share": 0.0, **settings}
    return factories.make_project(name, labels=(), definition=definition(name), by=by, **given)


def add_items(project: Project, name: str, count: int, *, split: str = "train", start: int = 0) -> list[int]:
    """The ids of `count` new items."""
    records = [record(name, number, split=split) for number in range(start, start + count)]
    added = items.add_items(project, records, source="tests")
    assert not added.refused, added.refused
    return [pk for pk in added.item_ids if pk is not None]


def publish(project: Project) -> None:
    """Put all items that may be picked into the queue."""
    rows = Item.objects.filter(project=project, split="train").order_by("row").values_list("row", flat=True)
    batches.publish(project, [batches.Pick(row=row) for row in rows], origin="tests", title="First")


def label(project: Project, name: str, user: User, count: int = 1000) -> int:
    """Let `user` answer so many items of the queue."""
    done = 0
    while done < count and (slots := queue.lease(project, user, count=1)):
        for slot in slots:
            number = int(slot.item.text.rsplit(" ", 1)[1])
            labelling.submit(
                project, user, slot.uuid, answer(name, number), client_key=str(slot.uuid), active_ms=2000
            )
            done += 1
    return done


def labelled_project(name: str, *, count: int = 6, by: User | None = None, **settings: Any) -> Project:
    """A project whose items were all answered by one person, and then two items more in the queue."""
    project = make_project(name, by=by, **settings)
    add_items(project, name, count)
    publish(project)
    label(project, name, by or factories.make_user())
    add_items(project, name, 2, start=count)
    fresh = Item.objects.filter(project=project).order_by("-row")[:2]
    picks = [batches.Pick(row=item.row) for item in fresh]
    batches.publish(project, picks, origin="more", title="Second")
    assert Slot.objects.filter(project=project, state=Slot.State.FREE).count() >= 2
    return project
