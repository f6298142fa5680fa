import numpy as np
import pytest

from selection.strategies.hardness import cross_validated_losses
from selection.strategies.value import head as heads
from selection.strategies.value.head import with_one
from selection.strategies.value.influence import influence
from selection.strategies.value.knn_shapley import knn_shapley
from selection.strategies.value.uses import (
    cleaning_order,
    found_among_first,
    representers,
    sample_weights,
    taught_most,
    value_by_source,
)


def _noisy(seed, n=300, m=150, k=4, share=0.1):
    """Four overlapping kinds on the unit sphere of 16 dimensions; `share` of the training labels are
    flipped.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, 16))

    def draw(count):
        codes = rng.integers(k, size=count)
        vectors = centres[codes] + rng.normal(scale=1.1, size=(count, 16))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), codes

    (x, codes), (val_x, val_codes) = draw(n), draw(m)
    wrong = rng.random(n) < share
    codes[wrong] = (codes[wrong] + rng.integers(1, k, size=int(wrong.sum()))) % k
    return x, codes, val_x, val_codes, wrong


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_planted_label_noise_among_the_first_fifth(seed):
    """A random order finds a fifth of the flipped labels among the first fifth."""
    x, codes, val_x, val_codes, wrong = _noisy(seed)
    scores = [knn_shapley(x, codes, val_x, val_codes), -cross_validated_losses(x, codes)]
    order, suspicion = cleaning_order(scores)
    assert found_among_first(order, wrong, 0.2) >= 0.9
    assert suspicion[wrong].mean() > 0.8 > suspicion[~wrong].mean()
    head = heads.fit(with_one(x), codes, 4, ridge=0.1)
    alone = influence(head, with_one(x), codes, with_one(val_x), val_codes).values
    assert found_among_first(cleaning_order([alone])[0], wrong, 0.2) >= 0.7  # a weaker sign for this use


def test_it_puts_the_lowest_value_first_and_ties_by_position():
    order, suspicion = cleaning_order([np.array([0.5, -1.0, 0.5, 2.0])])
    assert order.tolist() == [1, 0, 2, 3]
    assert suspicion.tolist() == [0.5, 0.875, 0.5, 0.125]


def test_it_lets_no_scale_rule():
    small, large = np.array([1.0, 2.0, 3.0]), np.array([3e6, 2e6, 1e6])
    assert cleaning_order([small, large])[1].tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([], "found no item"),
        ([np.empty(0)], "found no item"),
        ([np.ones(2), np.ones(3)], "different lengths"),
        ([np.array([np.nan])], "not finite"),
    ],
)
def test_it_refuses_scores_that_say_nothing(scores, words):
    with pytest.raises(ValueError, match=words):
        cleaning_order(scores)


def test_it_cannot_find_wrong_labels_where_there_are_none():
    with pytest.raises(ValueError, match="found no wrong item"):
        found_among_first(np.arange(3), np.zeros(3, dtype=bool), 0.2)


def test_it_weighs_harmful_items_less_and_the_mean_is_one():
    weights = sample_weights(np.array([0.4, 0.0, -0.5, -1.0]), least=0.2)
    assert weights / weights[0] == pytest.approx([1.0, 1.0, 0.6, 0.2])
    assert weights.mean() == pytest.approx(1.0)
    assert sample_weights(np.full(3, -2.0)).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="least: found 2, expected a number from 0 to 1"):
        sample_weights(np.ones(2), least=2)


def test_weights_from_values_improve_a_head_on_noisy_labels():
    """Mean over eight sets with a third of wrong labels: weighting by KNN-Shapley lowers the validation
    loss.
    """
    gains = []
    for seed in range(8):
        x, codes, val_x, val_codes, _wrong = _noisy(seed, share=0.33)
        half = len(val_x) // 2  # values from one half, the loss on the other
        weights = sample_weights(knn_shapley(x, codes, val_x[:half], val_codes[:half]))
        plain = heads.fit(with_one(x), codes, 4, ridge=0.1)
        weighted = heads.fit(with_one(x), codes, 4, ridge=0.1, weights=weights)
        gains.append(
            plain.losses(with_one(val_x[half:]), val_codes[half:]).mean()
            - weighted.losses(with_one(val_x[half:]), val_codes[half:]).mean()
        )
    assert np.mean(gains) > 0.05
    assert min(gains) > 0


def test_it_tells_what_a_source_is_worth_with_students_interval():
    values = np.array([1.0, 2.0, 3.0, -1.0, 0.5])
    found = value_by_source(values, ["web", "web", "web", "shop", "forum"])
    assert [one.source for one in found] == ["web", "forum", "shop"]
    web, forum, _shop = found
    assert (web.n, web.mean, web.total) == (3, 2.0, 6.0)
    assert web.high - web.mean == pytest.approx(
        4.302653 * 1.0 / np.sqrt(3), rel=1e-6
    )  # t(0.975, 2) s / sqrt n
    assert np.isnan(forum.low) and forum.total == 0.5


def test_it_divides_a_logit_exactly_among_the_items_that_taught_it():
    x, codes, val_x, _val_codes, _wrong = _noisy(1, n=80, m=6)
    head = heads.fit(with_one(x), codes, 4, ridge=0.2)
    queries = with_one(val_x)
    columns = head.logits(queries).argmax(axis=1)
    parts = representers(head, with_one(x), codes, queries, columns)
    logits = head.logits(queries)[np.arange(6), columns] - head.weight[columns, -1]
    assert parts.shape == (6, 80)
    np.testing.assert_allclose(parts.sum(axis=1), logits, atol=1e-4)
    for_, against = taught_most(parts[0], 5)
    assert parts[0][for_].min() > 0 > parts[0][against].max()
    assert (codes[for_] == columns[0]).all()  # only items of the label itself can speak for it that much


def test_it_lists_no_item_that_pulls_the_other_way():
    for_, against = taught_most(np.array([0.2, -0.1, 0.5, 0.0]), 3)
    assert for_.tolist() == [2, 0]
    assert against.tolist() == [1]
