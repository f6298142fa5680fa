from __future__ import annotations

from django.utils import translation

from annotation.selectors import choices


def field(*labels: dict | str) -> dict:
    return {"labels": [{"id": one.lower(), "name": one} if isinstance(one, str) else one for one in labels]}


def test_digits_come_first_then_letters_that_are_free() -> None:
    found = choices.choices(field(*(f"Label{i}" for i in range(77))))
    keys = [one.key for one in found]
    assert keys[:12] == list("123456789abc")
    assert not set("usfg") & set(keys)
    given = [key for key in keys if key]
    assert len(given) == len(set(given)) == 31
    assert keys[31:] == [""] * 46


def test_a_labels_own_key_wins_and_is_given_once() -> None:
    labels = field("A", {"id": "b", "name": "B", "shortcut": "1"}, {"id": "c", "name": "C", "shortcut": "1"})
    assert [one.key for one in choices.choices(labels)] == ["2", "1", "3"]


def test_a_reserved_or_odd_shortcut_is_not_taken() -> None:
    labels = field({"id": "a", "name": "A", "shortcut": "u"}, {"id": "b", "name": "B", "shortcut": "ctrl"})
    assert [one.key for one in choices.choices(labels)] == ["1", "2"]


def test_names_follow_the_language_and_both_are_searched() -> None:
    labels = field({"id": "refund", "name": "Refund", "name_zh": "退款", "colour": "blue"}, "Other")
    with translation.override("zh-hans"):
        found = choices.choices(labels)
    assert [one.name for one in found] == ["退款", "Other"]
    assert found[0].search == "refund 退款 refund"
    assert choices.choices(labels)[0].name == "Refund"


def test_an_unknown_colour_is_left_out() -> None:
    assert choices.choices(field({"id": "a", "name": "A", "colour": "x onclick"}, "B"))[0].colour == ""
