import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.sampling.depth import lens, neighbour_votes, prediction_depth


def test_it_is_the_first_layer_from_which_all_agree():
    by_layer = np.array([[7, 1, 7, 1], [7, 7, 1, 1], [7, 7, 7, 1]])
    assert prediction_depth(by_layer, np.array([7, 7, 7, 7])).tolist() == [0, 1, 2, 3]


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 99))
def test_it_equals_looking_layer_by_layer(layers, n, seed):
    rng = np.random.default_rng(seed)
    by_layer, final = rng.integers(2, size=(layers, n)), rng.integers(2, size=n)
    expected = [
        next((at for at in range(layers) if (by_layer[at:, item] == final[item]).all()), layers)
        for item in range(n)
    ]
    assert prediction_depth(by_layer, final).tolist() == expected


def test_it_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) by layer and \(2,\)"):
        prediction_depth(np.zeros((2, 3)), np.zeros(2))


def test_the_lens_reads_each_layer_through_the_output_layer():
    unembed = np.eye(3)
    hidden = np.array([[[0.1, 0.2, 0.0]], [[3.0, 0.0, 4.0]]])
    assert lens(hidden, unembed).tolist() == [[1], [2]]
    assert lens(hidden, unembed, lambda rows: -rows).tolist() == [[2], [1]]


def test_neighbours_vote_in_every_layer():
    """In the first layer labels are mixed up, in the second they lie apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    mixed, apart = rng.normal(size=(20, 2)), np.eye(2)[labels] * 5 + rng.normal(size=(20, 2)) * 0.1
    item = np.array([[[0.0, 0.0]], [[0.0, 5.0]]])
    votes = neighbour_votes(item, np.stack([mixed, apart]), labels, neighbours=5)
    nearest = np.argsort((mixed**2).sum(axis=1))[:5]
    assert votes.tolist() == [[int(labels[nearest].sum() > 2)], [1]]
    assert neighbour_votes(item, np.stack([mixed, apart]), labels, neighbours=99).tolist() == [
        [0],
        [0],
    ]  # a tie


def test_neighbours_need_the_same_layers_and_labels():
    with pytest.raises(ValueError, match="found 2 and 1 layers and 3 labelled items"):
        neighbour_votes(np.zeros((2, 1, 2)), np.zeros((1, 3, 2)), np.zeros(3, dtype=int))
