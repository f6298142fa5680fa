from __future__ import annotations

import itertools

from annotation.task_types import classification, labels

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
    assert labels.label_ids(FIELD) == ["refund", "card", "other"]


def test_it_finds_a_label_by_id_or_name():
    known = labels.lookup(FIELD)
    for given in ("refund", "Refund request", "  REFUND  request", "退款"):
        assert labels.resolve(known, given) == "refund"
    assert labels.resolve(known, "refunds") is None
    assert labels.resolve(known, "x" * 1_000_000) is None


def test_it_measures_a_nominal_metric():
    ids = labels.label_ids(FIELD)
    for a, b, c in itertools.product(ids, repeat=3):
        assert (
            classification.distance(FIELD, a, b)
            == (0.0 if a == b else 1.0)
            == classification.distance(FIELD, b, a)
        )
        assert classification.distance(FIELD, a, c) <= classification.distance(
            FIELD, a, b
        ) + classification.distance(FIELD, b, c)


def test_it_exports_the_id_and_the_name():
    assert classification.export(FIELD, "card") == {"label": "card", "label_name": "Card lost"}
    assert classification.export(FIELD, "gone") == {"label": "gone", "label_name": "gone"}


def test_it_lists_the_first_labels_for_an_error():
    assert labels.listed(FIELD) == "refund, card, other"
    assert labels.listed(FIELD, limit=2) == "refund, card … (3 labels)"
