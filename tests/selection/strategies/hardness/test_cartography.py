import numpy as np
import pytest

from selection.strategies.hardness.cartography import dynamics, record

GOLD = np.array([[0.9, 0.1, 0.9, 0.2], [0.8, 0.2, 0.1, 0.1], [1.0, 0.1, 0.9, 0.3], [0.9, 0.2, 0.1, 0.2]])


def test_it_sums_up_four_epochs_of_four_items():
    found = dynamics(GOLD, GOLD > 0.5)
    assert found.confidence == pytest.approx([0.9, 0.15, 0.5, 0.2])
    assert found.variability == pytest.approx([0.0707, 0.05, 0.4, 0.0707], abs=1e-4)
    assert found.correctness.tolist() == [1.0, 0.0, 0.5, 0.0]
    assert found.forgotten.tolist() == [0, 0, 2, 0]
    assert found.never_learnt.tolist() == [False, True, False, True]
    assert found.regions().tolist() == ["easy", "hard", "ambiguous", "hard"]


def test_it_counts_forgetting_one_epoch_at_a_time():
    rng = np.random.default_rng(0)
    right = rng.random((12, 30)) < 0.5
    expected = [sum(right[e, i] and not right[e + 1, i] for e in range(11)) for i in range(30)]
    assert dynamics(np.full((12, 30), 0.5), right).forgotten.tolist() == expected


def test_one_epoch_forgets_nothing():
    found = dynamics(np.array([[0.4]]), np.array([[True]]))
    assert (found.forgotten.tolist(), found.variability.tolist()) == ([0], [0.0])


@pytest.mark.parametrize(
    ("gold", "right", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 2), dtype=bool), r"shapes \(2, 3\) and \(2, 2\)"),
        (np.ones((0, 3)), np.ones((0, 3), dtype=bool), "an epoch at least"),
        (np.full((1, 1), 1.5), np.ones((1, 1), dtype=bool), "outside 0 to 1"),
        (np.full((1, 1), np.nan), np.ones((1, 1), dtype=bool), "outside 0 to 1"),
    ],
)
def test_it_refuses_what_is_no_record(gold, right, words):
    with pytest.raises(ValueError, match=words):
        dynamics(gold, right)


def test_a_wrong_label_stays_hard_while_its_neighbours_are_learnt():
    rng = np.random.default_rng(0)
    codes = np.arange(90) % 3
    vectors = np.eye(8)[codes] + rng.normal(scale=0.15, size=(90, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes[7] = (codes[7] + 1) % 3
    gold, right = record(vectors, codes, 3, rng=np.random.default_rng(1))
    assert gold.shape == right.shape == (20, 90)
    found = dynamics(gold, right)
    assert int(found.confidence.argmin()) == 7
    assert found.never_learnt[7]
    assert found.regions()[7] == "hard"
    assert np.delete(found.correctness, 7).mean() > 0.95


def test_the_same_seed_gives_the_same_record():
    vectors, codes = np.eye(4), np.array([0, 1, 0, 1])
    first = record(vectors, codes, 2, rng=np.random.default_rng(3))[0]
    assert np.array_equal(first, record(vectors, codes, 2, rng=np.random.default_rng(3))[0])
