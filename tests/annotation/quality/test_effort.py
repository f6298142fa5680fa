from __future__ import annotations

import numpy as np
import pytest

from annotation.quality import effort

LENGTHS = np.array([10, 20, 40, 80, 160] * 10)
SECONDS = 0.5 * np.sqrt(LENGTHS + 1.0)


def test_it_finds_the_power_of_the_length_that_the_seconds_follow() -> None:
    found = effort.learn(LENGTHS, SECONDS)
    assert (found.slope, np.exp(found.intercept)) == pytest.approx((0.5, 0.5))
    assert found.seconds(np.array([24, 99])) == pytest.approx([2.5, 5.0])
    assert (found.answers, found.is_learnt) == (50, True)


def test_a_quarter_of_wild_answers_hardly_moves_it() -> None:
    wild = SECONDS.copy()
    wild[::4] = np.where(np.arange(13) % 2, 3_600.0, 0.05)  # a phone call, a slip
    found = effort.learn(LENGTHS, wild)
    # Least squares would be off by a factor; this stays within a fifth.
    assert found.seconds(np.array([24, 99])) == pytest.approx([2.5, 5.0], rel=0.2)


def test_beyond_the_lengths_that_were_seen_it_stays_as_at_the_end() -> None:
    found = effort.learn(LENGTHS, SECONDS)
    ends = found.seconds(np.array([10, 160]))
    assert found.seconds(np.array([0, 100_000])).tolist() == ends.tolist()


@pytest.mark.parametrize(
    ("lengths", "seconds", "expected"),
    [
        ([], [], 1.0),
        ([10, 20, 30], [2.0, 4.0, 9.0], 4.0),
        ([7] * 40, [3.0] * 40, 3.0),  # enough, but of one length
    ],
)
def test_with_too_few_answers_every_item_takes_the_median(
    lengths: list[int], seconds: list[float], expected: float
) -> None:
    found = effort.learn(np.array(lengths, dtype=np.int64), np.array(seconds))
    assert not found.is_learnt and found.answers == len(lengths)
    assert found.seconds(np.array([1, 500])) == pytest.approx([expected, expected])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (np.zeros(50), "a time that is not above 0 seconds: leave out answers that were not timed"),
        (np.ones(3), r"found \(50,\) lengths and \(3,\) times, expected one of each"),
    ],
)
def test_it_refuses_times_that_cannot_be(seconds: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        effort.learn(LENGTHS, seconds)
