import numpy as np
import pytest

from selection.evidence.control_arm import NothingToCompare, control_arm_gain, is_ahead


def _kinds(n, seed, k=4, noise=0.45):
    rng = np.random.default_rng(seed)
    codes = rng.integers(k, size=n)
    vectors = np.eye(8)[codes] + rng.normal(scale=noise, size=(n, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), codes


def _gain(labels_of_picked=None, **options):
    """40 control and 80 picked items; `labels_of_picked` may spoil the latter."""
    embeddings, codes = _kinds(120, 0)
    tests, truth = _kinds(400, 1)
    is_control = np.arange(120) % 3 == 0
    if labels_of_picked is not None:
        codes = np.where(is_control, codes, labels_of_picked(codes))
    return control_arm_gain(embeddings, codes, is_control, tests, truth, 4, repeats=10, **options)


def test_it_finds_no_gain_where_both_arms_are_drawn_alike():
    gain = _gain()
    assert gain.labels == 40
    assert gain.difference.low < 0 < gain.difference.high
    assert gain.difference.value == pytest.approx(gain.picked - gain.control)
    assert not is_ahead(gain)


def test_it_finds_that_picks_are_worse_where_their_labels_are_wrong():
    gain = _gain(lambda codes: (codes + np.arange(len(codes)) % 2) % 4)
    assert gain.picked < gain.control
    assert gain.difference.high < 0


def test_it_finds_a_gain_where_the_picks_cover_what_a_draw_leaves_out():
    embeddings, codes = _kinds(400, 0)
    tests, truth = _kinds(400, 1)
    # The control arm happens to hold two labels only, the picks all four.
    control = np.flatnonzero(codes < 2)[:40]
    picked = np.concatenate([np.flatnonzero(codes == code)[50:60] for code in range(4)])
    both = np.concatenate([control, picked])
    is_control = np.arange(len(both)) < len(control)
    gain = control_arm_gain(embeddings[both], codes[both], is_control, tests, truth, 4, repeats=10)
    assert is_ahead(gain)
    assert gain.picked - gain.control > 0.2


def test_it_gives_the_same_answer_for_the_same_seed():
    assert _gain(seed=3) == _gain(seed=3)


def test_it_refuses_an_arm_that_is_too_small():
    embeddings, codes = _kinds(50, 0)
    with pytest.raises(NothingToCompare, match="found 5 control labels, expected at least 10"):
        control_arm_gain(embeddings, codes, np.arange(50) < 5, embeddings, codes, 4)
    with pytest.raises(NothingToCompare, match="found 5 picked labels, expected at least 10"):
        control_arm_gain(embeddings, codes, np.arange(50) >= 5, embeddings, codes, 4)


def test_it_refuses_an_arm_of_one_label_and_an_empty_test_set():
    embeddings, codes = _kinds(50, 0)
    is_control = np.arange(50) < 20
    with pytest.raises(NothingToCompare, match="all control labels are alike"):
        control_arm_gain(embeddings, np.where(is_control, 0, codes), is_control, embeddings, codes, 4)
    with pytest.raises(NothingToCompare, match="no test item is labelled"):
        control_arm_gain(embeddings, codes, is_control, embeddings[:0], codes[:0], 4)
