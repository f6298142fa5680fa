"""How the fields of a schema are drawn."""

from __future__ import annotations

from annotation.selectors import field_blocks
from annotation.selectors.key_maps import ACTIONS, Keys

HELPFUL = {"id": "helpful", "name": "Helpful"}


def scale(**options):
    field = {"name": "quality", "type": "rating", "dimensions": [HELPFUL], **options}
    [block] = field_blocks.blocks({"fields": [field]}, {"quality": {"helpful": 2}})
    return block.scales[0]


def test_it_rates_with_the_digit_that_the_point_shows() -> None:
    assert [(one.value, one.key) for one in scale(lowest=0, points=3).points] == [
        (0, "0"),
        (1, "1"),
        (2, "2"),
    ]
    assert [one.key for one in scale(points=10).points] == list("1234567890")
    assert [one.key for one in scale(lowest=0, points=11).points] == list("0123456789x")


def test_it_tells_keys_that_differ_from_the_point() -> None:
    negative = scale(lowest=-2, points=5).points
    assert [(one.value, one.key, one.shows_key) for one in negative] == [
        (-2, "1", True), (-1, "2", True), (0, "3", True), (1, "4", True), (2, "5", True),
    ]  # fmt: skip
    assert [one.shows_key for one in scale(lowest=0, points=11).points] == [False] * 10 + [True]


def test_it_marks_the_point_that_was_given_and_says_where_words_do_not_fit() -> None:
    assert [one.value for one in scale().points if one.is_chosen] == [2]
    assert not scale().has_anchors
    assert scale(anchors=["bad", "", "", "", "good"]).has_anchors
    assert not scale(points=7).is_crowded
    assert scale(points=8).is_crowded


def test_a_page_knows_its_types_once_each() -> None:
    labels = [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}, {"id": "c", "name": "C", "parent": "a"}]
    tree = {"name": "label", "type": "classification", "labels": labels}
    page = field_blocks.page(field_blocks.blocks({"fields": [tree, {**tree, "name": "second"}]}))
    assert page["types"] == ["classification"]
    assert page["key_lists"] == ["labels"]
    assert (page["instant"], page["has_tree"], page["has_search"], page["is_wide"]) == (
        False,
        True,
        True,
        False,
    )


def test_r_is_no_key_of_a_label_where_marks_are_related() -> None:
    labels = [{"id": f"l{number}", "name": f"Label {number}"} for number in range(31)]
    field = {"name": "entities", "type": "spans", "labels": labels}
    related = field | {"relations": [{"id": "in", "name": "in"}]}
    plain, reserved = (field_blocks.blocks({"fields": [one]})[0] for one in (field, related))
    assert "r" in [choice.key for choice in plain.choices]
    assert "r" not in [choice.key for choice in reserved.choices]
    assert [choice.key for choice in reserved.lists["relations"]] == ["1"]


def test_c_saves_a_correction_unless_a_label_has_that_key() -> None:
    def key(count: int, **own: str) -> str:
        labels = [{"id": f"l{n}", "name": f"Label {n}"} for n in range(count)]
        found = field_blocks.blocks({"fields": [{"name": "all", "type": "multilabel", "labels": labels}]})
        assert [one.key for one in found[0].choices][-1] == "123456789abcd"[count - 1]
        return field_blocks.correct_key(found, Keys({**ACTIONS, **own}))

    assert [key(11), key(12), key(13)] == ["c", "+", "+"]
    assert key(3, skip="c") == "+"
