from __future__ import annotations

import itertools

from annotation.task_types import classification

FIELD = {
    "name": "label",
    "type": "classification",
    "labels": [
        {"id": "refund", "name": "Refund request", "name_zh": "退款"},
        {"id": "card", "name": "Card lost"},
        {"id": "other", "name": "Other"},
    ],
}


def test_it_lists_ids_in_schema_order():
    assert classification.label_ids(FIELD) == ["refund", "card", "other"]


def test_it_finds_a_label_by_id_or_name():
    labels = classification.lookup(FIELD)
    for given in ("refund", "Refund request", "  REFUND  request", "退款"):
        assert classification.resolve(labels, given) == "refund"
    assert classification.resolve(labels, "refunds") is None
    assert classification.resolve(labels, "x" * 1_000_000) is None


def test_it_measures_a_nominal_metric():
    ids = classification.label_ids(FIELD)
    for a, b, c in itertools.product(ids, repeat=3):
        assert classification.distance(a, b) == (0.0 if a == b else 1.0) == classification.distance(b, a)
        assert classification.distance(a, c) <= classification.distance(a, b) + classification.distance(b, c)


def test_it_exports_the_id_and_the_name():
    assert classification.export(FIELD, "card") == {"label": "card", "label_name": "Card lost"}
    assert classification.export(FIELD, "gone") == {"label": "gone", "label_name": "gone"}


def test_it_lists_the_first_labels_for_an_error():
    assert classification.listed(FIELD) == "refund, card, other"
    assert classification.listed(FIELD, limit=2) == "refund, card … (3 labels)"
