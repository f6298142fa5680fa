import numpy as np
import pytest

from selection.strategies.uncertainty_forms import (
    multilabel_entropy,
    multilabel_margin,
    rating_entropy,
    rating_variance,
    sequence_entropy,
    sequence_least_confidence,
    sequence_margin,
)

PROBS = np.array([[0.5, 1.0], [0.9, 0.2], [0.0, 0.0]])


def test_it_takes_every_label_of_many_by_itself():
    assert multilabel_entropy(PROBS) == pytest.approx([0.5, (0.4690 + 0.7219) / 2, 0], abs=1e-4)
    assert multilabel_entropy(PROBS, "max") == pytest.approx([1.0, 0.7219, 0], abs=1e-4)
    assert multilabel_margin(PROBS) == pytest.approx([0.5, 0.3, 0])
    assert multilabel_margin(PROBS, "max") == pytest.approx([1.0, 0.4, 0])


TOKENS = np.array([[0.5, 0.5], [1.0, 0.0], [0.8, 0.2]])
STARTS = np.array([0, 2, 2, 3])  # two tokens, none, one


def test_it_pools_the_tokens_of_an_item():
    assert sequence_entropy(TOKENS, STARTS) == pytest.approx([0.5, 0, 0.7219], abs=1e-4)
    assert sequence_entropy(TOKENS, STARTS, "max") == pytest.approx([1, 0, 0.7219], abs=1e-4)
    assert sequence_margin(TOKENS, STARTS) == pytest.approx([1, 0, 0.4])
    assert sequence_least_confidence(TOKENS, STARTS) == pytest.approx([1 - 0.5**0.5, 0, 0.2])


def test_a_text_twice_as_long_is_not_twice_as_uncertain():
    twice = np.concatenate([TOKENS[:2], TOKENS[:2]])
    assert sequence_entropy(twice, np.array([0, 4])) == pytest.approx([0.5])


def test_it_has_nothing_to_say_of_items_without_tokens():
    assert sequence_entropy(np.empty((0, 3)), np.zeros(4, dtype=int)).tolist() == [0, 0, 0]


def test_a_rating_between_the_ends_is_less_sure_than_one_between_neighbours():
    ends, neighbours = [0.5, 0, 0, 0, 0.5], [0, 0, 0, 0.5, 0.5]
    probs = np.array([ends, neighbours, [0, 0, 1, 0, 0]])
    assert rating_variance(probs, np.arange(5.0)).tolist() == [1.0, 0.0625, 0.0]
    assert rating_entropy(probs) == pytest.approx([1.0, 0.25, 0.0])


def test_a_rating_scale_may_be_shifted_and_stretched():
    probs = np.random.default_rng(0).dirichlet(np.ones(5), 8)
    usual = rating_variance(probs, np.arange(5.0))
    assert rating_variance(probs, np.arange(5.0) * 10 + 3) == pytest.approx(usual)
    with pytest.raises(ValueError, match="all equal"):
        rating_variance(probs, np.ones(5))
