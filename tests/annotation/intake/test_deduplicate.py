from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotation.intake.answers import Answers
from annotation.intake.deduplicate import deduplicate
from annotation.intake.records import Row
from annotation.intake.validate import Candidate, Mapping, candidate

LABELS = [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}]
ANSWERS = Answers({"fields": [{"name": "label", "type": "classification", "labels": LABELS}]})


def made(line: int, text: str, label: str | None = None) -> Candidate:
    fields = {"text": text, "label": label}
    found = candidate(Row(line, fields, ""), Mapping(text="text", label="label"), ANSWERS)
    assert isinstance(found, Candidate)
    return found


def test_it_keeps_the_first_of_each_text_in_order():
    block = [made(1, "Hello"), made(2, "other"), made(3, " hello "), made(4, "HELLO")]
    firsts, repeats = deduplicate(block)
    assert [one.line for one in firsts] == [1, 2]
    assert [(repeat.candidate.line, repeat.first.line) for repeat in repeats] == [(3, 1), (4, 1)]


def test_it_marks_repeats_with_another_label():
    block = [made(1, "x", "a"), made(2, "x", "b"), made(3, "x", "a"), made(4, "x")]
    assert [repeat.conflict for repeat in deduplicate(block)[1]] == [True, False, False]


def test_it_takes_an_empty_block():
    assert deduplicate([]) == ([], [])


@given(st.lists(st.sampled_from(["a", "A ", "b", "c", "ａ"])))
def test_it_agrees_with_comparing_every_pair(texts):
    block = [made(i, text) for i, text in enumerate(texts)]
    firsts, repeats = deduplicate(block)
    expected = [
        one for i, one in enumerate(block) if not any(o.normalised == one.normalised for o in block[:i])
    ]
    assert firsts == expected
    assert len(firsts) + len(repeats) == len(block)
