"""Which suggestion a person sees: decided by value, no database needed."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from annotation.models import Annotation, Labeller, Prelabel, Project, Slot
from annotation.selectors import prelabel_policy as policy

MODE = Annotation.PrelabelMode
MANUAL, ASSISTED, HYBRID = "manual", "assisted", "hybrid"


def definition(*labels: dict[str, Any], **field: Any) -> dict[str, Any]:
    own = [{"name": one["id"].title(), **one} for one in labels]
    return {"fields": [{"name": "label", "type": "classification", "labels": own, **field}]}


PLAIN = definition({"id": "refund"}, {"id": "fraud"})
SAFE = definition({"id": "refund", "mode": HYBRID}, {"id": "fraud", "mode": MANUAL})


def suggestion(label: str = "refund", *, kind: str = Labeller.Kind.MODEL, pk: int = 1) -> Prelabel:
    return Prelabel(pk=pk, value={"label": label}, confidence=0.9, labeller=Labeller(kind=kind))


def decided(
    schema: dict[str, Any],
    *candidates: Prelabel,
    mode: str = ASSISTED,
    hidden: float = 0.0,
    purpose: str = Slot.Purpose.LABEL,
    slot: Slot | None = None,
) -> tuple[int, str] | None:
    project = Project(mode=mode, prelabel_hidden_share=hidden, seed=7)
    slot = slot or Slot(uuid=uuid.uuid4(), purpose=purpose)
    showing = policy.decide(project, schema, slot, candidates, policy.label_modes(schema))
    return (showing.prelabel.pk, showing.mode) if showing else None


@pytest.mark.parametrize(
    ("project", "label", "expected"),
    [
        (ASSISTED, "refund", ASSISTED),
        (HYBRID, "refund", HYBRID),
        (MANUAL, "refund", MANUAL),
        (HYBRID, "fraud", MANUAL),
        (ASSISTED, "fraud", MANUAL),
    ],
)
def test_the_stricter_of_project_and_class_holds(project: str, label: str, expected: str) -> None:
    assert policy.mode_of(project, SAFE, {"label": label}, policy.label_modes(SAFE)) == expected


def test_the_strictest_of_several_labels_holds() -> None:
    schema = definition(
        {"id": "a"}, {"id": "b", "mode": ASSISTED}, {"id": "c", "mode": MANUAL}, type="multilabel"
    )
    modes = policy.label_modes(schema)
    assert policy.mode_of(HYBRID, schema, {"label": ["a"]}, modes) == HYBRID
    assert policy.mode_of(HYBRID, schema, {"label": ["a", "b"]}, modes) == ASSISTED
    assert policy.mode_of(HYBRID, schema, {"label": ["a", "b", "c"]}, modes) == MANUAL


def test_the_class_of_a_span_counts() -> None:
    schema = definition({"id": "drug", "mode": MANUAL}, {"id": "place"}, type="spans")
    modes = policy.label_modes(schema)
    found = [
        {"id": "a", "start": 0, "end": 2, "label": "drug"},
        {"id": "b", "start": 3, "end": 5, "label": "place"},
    ]
    spans = {"label": {"spans": found}}
    assert policy.mode_of(ASSISTED, schema, spans, modes) == MANUAL


def test_labels_below_a_strict_one_are_as_strict() -> None:
    schema = definition(
        {"id": "harm", "mode": MANUAL},
        {"id": "weapons", "parent": "harm", "mode": HYBRID},
        {"id": "knives", "parent": "weapons"},
        {"id": "other"},
    )
    expected = {"harm": MANUAL, "weapons": MANUAL, "knives": MANUAL}
    assert policy.label_modes(schema) == {"label": expected}


def test_a_model_wins_over_a_rule_and_the_newest_over_the_others() -> None:
    rule = Labeller.Kind.RULE
    assert decided(PLAIN, suggestion(pk=4, kind=rule), suggestion(pk=2), suggestion(pk=3)) == (3, MODE.SHOWN)
    assert decided(PLAIN, suggestion(pk=4, kind=rule), suggestion(pk=5, kind=rule)) == (5, MODE.SHOWN)


def test_a_class_that_is_labelled_by_hand_is_never_shown_whatever_the_draw() -> None:
    assert decided(SAFE, suggestion("fraud"), mode=HYBRID) == (1, MODE.UNSEEN)
    assert decided(SAFE, suggestion("fraud"), hidden=1.0) == (1, MODE.UNSEEN)
    assert decided(PLAIN, suggestion(), mode=MANUAL) == (1, MODE.UNSEEN)
    # the model's strict suggestion is not replaced by a rule's harmless one
    rule = suggestion("refund", kind=Labeller.Kind.RULE, pk=9)
    assert decided(SAFE, rule, suggestion("fraud")) == (1, MODE.UNSEEN)


def test_evaluation_items_have_none() -> None:
    assert decided(PLAIN, suggestion(), purpose=Slot.Purpose.EVALUATION) is None
    assert decided(PLAIN) is None


def test_it_hides_the_share_it_was_told_and_the_same_slots_each_time() -> None:
    slots = [Slot(uuid=uuid.UUID(int=number), purpose=Slot.Purpose.LABEL) for number in range(4000)]
    hidden = [decided(PLAIN, suggestion(), hidden=0.1, slot=slot) == (1, MODE.HIDDEN) for slot in slots]
    assert 330 <= sum(hidden) <= 470  # 400 +- 3.7 standard deviations
    again = [decided(PLAIN, suggestion(), hidden=0.1, slot=slot) == (1, MODE.HIDDEN) for slot in slots]
    assert again == hidden
    more = [decided(PLAIN, suggestion(), hidden=0.3, slot=slot) == (1, MODE.HIDDEN) for slot in slots]
    assert all(wide for wide, narrow in zip(more, hidden, strict=True) if narrow)


def test_scores_of_a_class_labelled_by_hand_stay_back() -> None:
    modes = policy.label_modes(SAFE)
    assert policy.shown_scores("label", {"refund": 0.6, "fraud": 0.4}, modes) == {"refund": 0.6}
    assert policy.shown_scores("label", {"refund": 0.6}, {}) == {"refund": 0.6}


def test_it_agrees_only_when_all_that_was_suggested_was_answered_so() -> None:
    assert policy.agrees({"label": "a"}, {"label": "a", "rating": 3})
    assert not policy.agrees({"label": "a", "rating": 4}, {"label": "a", "rating": 3})
    assert not policy.agrees({"label": "a"}, {})
