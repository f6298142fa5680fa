import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.index import for_many
from selection.strategies import errors
from selection.strategies.hardness import (
    LEAST_PROBABILITY,
    carry_to_pool,
    carry_with_nearness,
    cross_validated_losses,
    deal,
)
from training.learning import probe


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _two_kinds(n=60, seed=0):
    """Two well separated kinds, and the labels of both."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 2
    centres = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    return _unit(centres[codes] + rng.normal(scale=0.1, size=(n, 4))), codes


def test_it_gives_a_mislabelled_item_the_greatest_loss():
    embeddings, codes = _two_kinds()
    wrong = codes.copy()
    wrong[7] = 1 - wrong[7]
    losses = cross_validated_losses(embeddings, wrong)
    assert int(losses.argmax()) == 7
    assert losses[7] > 2.0
    assert np.delete(losses, 7).max() < 1.0


def test_it_equals_a_plain_cross_validation():
    embeddings, codes = _two_kinds(30)
    folds, seed = 3, 4
    fold = deal(codes, folds, np.random.default_rng(seed))
    expected = np.empty(30)
    for item in range(30):
        others = fold != fold[item]
        head = probe.fit(embeddings[others], codes[others], 2, c=10.0, seed=seed)
        expected[item] = -np.log(head.probabilities(embeddings[item : item + 1])[0, codes[item]])
    losses = cross_validated_losses(embeddings, codes, folds=folds, seed=seed)
    assert losses == pytest.approx(expected, rel=1e-5)


def test_it_takes_labels_as_text_too():
    embeddings, codes = _two_kinds()
    names = np.array(["refund", "card"])[codes]
    np.testing.assert_allclose(
        cross_validated_losses(embeddings, names), cross_validated_losses(embeddings, 1 - codes)
    )


def test_it_finds_nothing_hard_with_one_label():
    assert cross_validated_losses(_unit(np.eye(4)), np.zeros(4)).tolist() == [0.0] * 4


def test_it_gives_a_label_known_to_no_other_fold_a_high_but_bounded_loss():
    embeddings, codes = _two_kinds()
    codes = codes.copy()
    codes[5] = 2
    losses = cross_validated_losses(embeddings, codes)
    assert int(losses.argmax()) == 5
    assert losses[5] <= -np.log(LEAST_PROBABILITY)
    assert np.isfinite(losses).all()


def test_it_says_most_where_folds_leave_one_label_to_learn_from():
    losses = cross_validated_losses(_unit(np.eye(2)), np.array([0, 1]), folds=2)
    assert losses == pytest.approx([-np.log(LEAST_PROBABILITY)] * 2)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(2, 6))
def test_it_deals_every_label_evenly(codes, folds):
    codes = np.array(codes)
    fold = deal(codes, folds, np.random.default_rng(0))
    for group in [np.ones(len(codes), dtype=bool), *(codes == code for code in np.unique(codes))]:
        counts = np.bincount(fold[group], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_it_refuses_an_empty_labelled_set():
    with pytest.raises(errors.NothingLabelled, match="none is labelled: label some first"):
        cross_validated_losses(np.empty((0, 4)), np.empty(0))
    with pytest.raises(errors.NothingLabelled, match="none is labelled: label some first"):
        carry_to_pool(np.empty((0, 4)), np.empty(0), _unit(np.eye(4)))


def test_it_refuses_lengths_that_differ_and_too_few_folds():
    with pytest.raises(ValueError, match="found 3 embeddings and 2 labels"):
        cross_validated_losses(_unit(np.eye(3)), np.zeros(2))
    with pytest.raises(ValueError, match="found 1 folds, expected at least 2"):
        cross_validated_losses(_unit(np.eye(3)), np.arange(3), folds=1)


@given(seed=st.integers(0, 1000), m=st.integers(1, 15), neighbours=st.integers(1, 20))
def test_it_carries_the_weighted_mean_of_the_nearest_losses(seed, m, neighbours):
    rng = np.random.default_rng(seed)
    labelled, pool, losses = _unit(rng.normal(size=(m, 5))), _unit(rng.normal(size=(7, 5))), rng.random(m)
    carried = carry_to_pool(labelled, losses, pool, neighbours=neighbours)
    for item, value in zip(pool, carried, strict=True):
        similarity = [float(item @ other) for other in labelled]
        nearest = sorted(range(m), key=lambda j: -similarity[j])[:neighbours]
        weights = [1 + similarity[j] for j in nearest]
        by_hand = sum(w * losses[j] for w, j in zip(weights, nearest, strict=True)) / sum(weights)
        assert value == pytest.approx(by_hand, abs=1e-4)
    assert (carried >= losses.min() - 1e-9).all()
    assert (carried <= losses.max() + 1e-9).all()


def test_it_says_how_near_the_nearest_labelled_item_is():
    rng = np.random.default_rng(4)
    labelled, pool = _unit(rng.normal(size=(30, 5))), _unit(rng.normal(size=(9, 5)))
    carried, near = carry_with_nearness(labelled, rng.random(30), pool)
    np.testing.assert_allclose(near, (pool @ labelled.T).max(axis=1), atol=1e-6)
    assert carried.shape == near.shape == (9,)


def test_a_part_of_the_pool_has_the_values_that_it_has_within_the_whole(monkeypatch):
    """The whole is looked up in cells, which miss a neighbour now and then; the part alone would be exact."""
    monkeypatch.setattr(for_many, "EXACT_PAIRS", 100_000)
    rng = np.random.default_rng(2)
    labelled, pool, losses = (
        _unit(rng.normal(size=(600, 8))),
        _unit(rng.normal(size=(400, 8))),
        rng.random(600),
    )
    whole, near = carry_with_nearness(labelled, losses, pool)
    part, part_near = carry_with_nearness(labelled, losses, pool[100:150], of=400)
    alone, _near = carry_with_nearness(labelled, losses, pool[100:150])
    np.testing.assert_allclose(part, whole[100:150], atol=1e-6)
    np.testing.assert_allclose(part_near, near[100:150], atol=1e-6)
    assert np.abs(alone - whole[100:150]).max() > 1e-4


def test_it_refuses_a_loss_that_is_no_number():
    with pytest.raises(errors.BadHardness, match="measure the losses again"):
        carry_to_pool(_unit(np.eye(3)), np.array([0, np.nan, 1]), _unit(np.eye(3)))
