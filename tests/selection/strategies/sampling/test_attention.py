import math

import numpy as np
import pytest

from selection.strategies.sampling.attention import dispersion, entropy


def test_it_is_the_entropy_of_the_weights():
    assert entropy(np.array([[0.25] * 4, [1.0, 0, 0, 0]])) == pytest.approx([math.log(4), 0.0])
    assert entropy(np.array([0.5, 0.5])) == pytest.approx(math.log(2))


def test_it_leaves_a_sink_out_and_scales_the_rest():
    """Nine tenths on the first position, the rest even on two: ln 2 without the sink."""
    row = np.array([0.9, 0.05, 0.05])
    assert entropy(row, without_first=True) == pytest.approx(math.log(2))
    assert entropy(np.array([1.0, 0.0, 0.0]), without_first=True) == 0.0


def test_it_tells_wide_layers_from_narrow_ones():
    wide, narrow = np.full((2, 5), 0.2), np.tile([0.2, 0.8, 0, 0, 0], (2, 1))
    mixed = np.stack([wide[0], narrow[0]])
    assert dispersion(np.stack([wide, narrow, mixed])) == pytest.approx([1.0, 0.0, 0.5])
    assert dispersion(wide[None], without_first=False) == pytest.approx([1.0])


def test_it_is_zero_where_there_is_one_thing_to_look_at():
    assert dispersion(np.ones((3, 2, 1))).tolist() == [0.0, 0.0, 0.0]
    assert dispersion(np.full((1, 1, 2), 0.5)).tolist() == [0.0]


@pytest.mark.parametrize("row", [[0.5, 0.2], [1.5, -0.5]])
def test_it_refuses_what_are_no_weights(row):
    with pytest.raises(ValueError, match="negative or do not sum to one"):
        entropy(np.array(row))


def test_it_refuses_attention_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(layers, heads, positions\)"):
        dispersion(np.full((2, 2), 0.5))
