from __future__ import annotations

import numpy as np

from training.learning.increments import increment
from training.objectives.frozen import Examples


def test_it_goes_on_with_what_is_new_and_a_part_of_what_it_knows() -> None:
    def split(answers: dict[int, str]) -> Examples:
        n = len(answers)
        return Examples(
            rows=np.array(list(answers)), texts=[""] * n, weights=np.ones(n), answers=list(answers.values())
        )

    before = split({row: "a" for row in range(8)})
    now = split({**{row: "a" for row in range(8)}, 2: "b", 8: "a", 9: "c"})
    kept, known = increment(now, before, 0.5, np.random.default_rng(0))
    assert known.sum() == 4 and len(kept) == 7 and set(kept[~known].tolist()) == {2, 8, 9}
    assert {2, 8, 9} <= set(kept.tolist()) and kept.tolist() == sorted(kept.tolist())
    assert increment(now, before, 0.0, np.random.default_rng(0))[0].tolist() == [2, 8, 9]
    assert len(increment(now, before, 1.0, np.random.default_rng(0))[0]) == 10
