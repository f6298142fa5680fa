from __future__ import annotations

from annotation.selectors.label_keys import label_keys


def test_labels_are_found_however_deep_they_lie() -> None:
    assert list(label_keys({"label": "refund"})) == ["label:refund"]
    assert list(label_keys({"topics": ["card", "fee", "card"]})) == ["topics:card", "topics:fee"]
    spans = {"spans": [{"start": 0, "end": 3, "label": "person"}, {"start": 5, "end": 7, "label": "place"}]}
    assert list(label_keys({"entities": spans})) == ["entities:person", "entities:place"]


def test_what_people_wrote_and_rated_is_no_label() -> None:
    assert list(label_keys({"reply": {"text": "hello"}, "grade": {"clear": 3}})) == []
    assert list(label_keys(None)) == []
