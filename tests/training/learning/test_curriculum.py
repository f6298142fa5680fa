from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.learning.curriculum import Batches, Forgetting, Name, Pacing, check, competence, ranks

RISING = ("difficulty", "competence", "anti", "adaptive")


def make(name: Name, n: int = 400, steps: int = 80, **changes: object) -> Batches:
    """Difficulty is the number of the item, so that an item's number tells its rank."""
    lengths = np.random.default_rng(1).integers(3, 40, size=n)
    settings = {"batch_size": 10, "seed": 5, **changes}
    return Batches(name, np.arange(n, dtype=float), lengths, steps=steps, **settings)  # type: ignore[arg-type]


def mean_rank(batches: Batches, steps: range) -> float:
    return float(np.mean([batches.ranks[batches[step]].mean() for step in steps]))


@pytest.mark.parametrize("name", RISING)
def test_it_begins_within_the_first_competence_and_ends_with_everything(name: Name) -> None:
    batches = make(name)
    drawn = [batches[step] for step in range(80)]
    assert max(batches.ranks[batch].max() for batch in drawn[:2]) <= batches.pacing.start
    assert batches.competences[0] == batches.pacing.start
    assert batches.competences[-1] == pytest.approx(1)
    assert max(batches.ranks[batch].max() for batch in drawn[-20:]) > 0.95
    assert all(len(batch) == 10 for batch in drawn) and batches.samples == 800


def test_it_begins_with_the_hardest_where_the_order_is_turned() -> None:
    easy_first, hard_first = make("competence"), make("anti")
    assert max(easy_first[0]) < 400 * 0.31
    assert min(hard_first[0]) > 400 * 0.69


def test_it_stays_near_its_rising_threshold_but_replays_easier_items() -> None:
    near, alike = make("difficulty"), make("competence")
    assert mean_rank(near, range(30, 40)) > mean_rank(alike, range(30, 40)) + 0.03
    late = np.concatenate([near[step] for step in range(40, 50)])
    below = (near.ranks[late] < near.competences[20] - near.pacing.width).mean()
    assert below >= near.pacing.replay - 0.02
    none = make("difficulty", pacing=Pacing(replay=0.0))
    gone = np.concatenate([none[step] for step in range(40, 50)])
    assert (none.ranks[gone] < none.competences[20] - none.pacing.width).mean() < below


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(RISING),
    n=st.integers(1, 60),
    steps=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    most_jump=st.floats(0.01, 0.5),
    start=st.floats(0.05, 1.0),
    losses=st.lists(st.floats(0.1, 5), max_size=10),
)
def test_it_never_jumps_and_is_the_same_for_everyone_who_asks(
    name: Name, n: int, steps: int, batch_size: int, most_jump: float, start: float, losses: list[float]
) -> None:
    pacing = Pacing(most_jump=most_jump, start=start)
    progress = [(1 + at * 5, loss) for at, loss in enumerate(losses)]
    one, other = (
        make(name, n, steps, batch_size=batch_size, pacing=pacing, progress=lambda _until: progress)
        for _ in range(2)
    )
    found = [one[step] for step in range(steps)]
    for batch in found:
        assert len(batch) == min(batch_size, n)
        assert batch.min() >= 0 and batch.max() < n
    assert (np.diff(one.competences) <= most_jump + 1e-12).all()
    # A run that is taken up asks for its last step first and gets what an undisturbed one got.
    np.testing.assert_array_equal(other[steps - 1], found[-1])
    np.testing.assert_array_equal(other[0], found[0])


def test_it_takes_the_batches_that_positions_name() -> None:
    plain, skipping = make("competence"), make("competence", positions=np.array([0, 1, 3, 4]))
    assert len(skipping) == 4
    np.testing.assert_array_equal(skipping[2], plain[3])
    with pytest.raises(IndexError):
        skipping[4]


def test_it_draws_the_less_drawn_items_first() -> None:
    batches = make("competence", n=100, steps=40, pacing=Pacing(start=1.0))
    seen = Counter(int(item) for step in range(40) for item in batches[step])  # 400 draws of 100 items
    assert len(seen) == 100
    assert max(seen.values()) - min(seen.values()) <= 4


@pytest.mark.parametrize("n", [100, 12])  # more items than a block of 40 has, and fewer
def test_it_draws_in_proportion_to_weights(n: int) -> None:
    weights = [4.0 if item % 4 == 0 else 1.0 for item in range(n)]
    steps = 60 * n // 10
    batches = make("competence", n, steps, pacing=Pacing(start=1.0), weights=weights)
    seen = Counter(int(item) for step in range(steps) for item in batches[step])  # 60 draws an item
    wanted = 60 * np.array(weights) / np.mean(weights)
    np.testing.assert_allclose([seen[item] for item in range(n)], wanted, atol=5)
    alike = make("competence", n, steps, weights=[2.0] * n)
    np.testing.assert_array_equal(alike[9], make("competence", n, steps)[9])


def test_it_looks_at_the_steps_that_were_taken_where_batches_are_left_out() -> None:
    """A run that is taken up has recorded more than one that goes through had when the block began."""
    asked: list[int] = []

    def progress(until: int) -> list[tuple[int, float]]:
        asked.append(until)
        return []

    make("adaptive", progress=progress, positions=np.array([0, 3, 4, 5, 6]))[3]
    assert asked == [0, 1, 2]  # blocks of two begin at 0, 2, 4 of the sequence


def test_it_grows_harder_when_progress_stalls_and_easier_when_the_loss_climbs() -> None:
    pacing = Pacing(start=0.3, step=0.1)
    assert competence("adaptive", 0.1, pacing) == 0.3
    assert competence("adaptive", 0.1, pacing, [2.0, 1.0, 0.5]) == 0.3  # progress: stay
    assert competence("adaptive", 0.1, pacing, [1.0, 1.0, 0.995]) == pytest.approx(0.5)
    assert competence("adaptive", 0.1, pacing, [1.0, 1.0, 1.0, 1.5]) == pytest.approx(0.4)
    assert competence("adaptive", 0.1, pacing, [1.0, 2.0, 3.0]) == 0.3  # never below the start
    assert competence("adaptive", 0.95, pacing, [2.0, 1.0]) == 1.0  # late, everything


def test_it_looks_at_no_loss_that_came_after_the_block_began() -> None:
    told: list[tuple[int, float]] = [(4, 1.0), (6, 1.0), (30, 9.0)]
    early, late = (
        make("adaptive", progress=lambda _until: told[:2]),
        make("adaptive", progress=lambda _until: told),
    )
    np.testing.assert_array_equal(early[20], late[20])


def test_it_ranks_ties_alike_and_refuses_what_is_no_number() -> None:
    assert ranks(np.array([3.0, 3.0, 3.0])).tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="found 2 difficulties, 1 of them no numbers"):
        ranks(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="found 0 difficulties"):
        ranks(np.array([]))
    with pytest.raises(ValueError, match="curriculum: found 'hard', expected one of none, difficulty"):
        check("hard")
    for name in get_args(Name):
        check(name)


def test_it_counts_what_was_learnt_and_forgotten() -> None:
    seen = Forgetting(4)
    for correct in ([True, False], [False, False], [True, False]):
        seen.record(np.array([0, 1]), np.array(correct))
    seen.record(np.array([2]), np.array([True]))
    assert seen.forgotten.tolist() == [1, 0, 0, 0]
    assert seen.learnt.tolist() == [2, 0, 1, 0]
    assert seen.counts().tolist() == [3, 2, 1]  # met, once right, forgotten
