from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.blend import (
    BlendSettings,
    PublishedSettings,
    over_percentile,
    pick_blend,
    pick_blend_published,
)
from selection.strategies.pool import Pool
from selection.strategies.ranking import Scale
from selection.strategies.uncertainty import entropy, least_confidence, margin, margin_gap


def _make(seed, n, labelled):
    rng = np.random.default_rng(seed)

    def unit(count):
        vectors = rng.normal(size=(count, 5))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return Pool(
        rows=np.arange(n),
        probs=rng.dirichlet(np.ones(3), n),
        embeddings=unit(n),
        hardness=rng.random(n),
        labelled_embeddings=unit(labelled) if labelled else None,
    )


def _blend_by_hand(pool, count, chosen_settings):
    """The formula with every distance worked out anew at every step."""
    how = chosen_settings.scaling
    unsure = Scale(margin(pool.probs), how)(margin(pool.probs))
    hard = Scale(pool.hardness, how)(pool.hardness)
    members = [] if pool.labelled_embeddings is None else list(pool.labelled_embeddings)
    chosen, scores, scale = [], [], None
    for _ in range(count):
        total = chosen_settings.alpha * unsure + chosen_settings.gamma * hard
        if members:
            distance = np.array([min(1 - float(e @ other) for other in members) for e in pool.embeddings])
            scale = scale or Scale(distance, how)
            total = total + chosen_settings.beta * scale(distance)
        total[chosen] = -np.inf
        at = int(np.argmax(total))
        chosen.append(at)
        scores.append(total[at])
        members.append(pool.embeddings[at])
    return chosen, scores


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 25),
    labelled=st.integers(0, 4),
    beta=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_it_is_exactly_the_greedy_of_the_formula(seed, n, labelled, beta):
    pool = _make(seed, n, labelled)
    chosen_settings = BlendSettings(beta=beta)
    picks = pick_blend(pool, n // 2 + 1, settings=chosen_settings, rng=np.random.default_rng(0))
    chosen, scores = _blend_by_hand(pool, n // 2 + 1, chosen_settings)
    assert picks.indices.tolist() == chosen
    assert picks.parts["score"] == pytest.approx(scores, abs=1e-5)


def test_it_adds_up_from_its_parts():
    pool = _make(1, 40, 5)
    parts = pick_blend(pool, 10, settings=BlendSettings(), rng=np.random.default_rng(0)).parts
    total = 0.4 * parts["uncertainty"] + 0.3 * parts["diversity"] + 0.3 * parts["hardness"]
    assert parts["score"] == pytest.approx(total)
    assert all(((part >= 0) & (part <= 1)).all() for part in parts.values())


@pytest.mark.parametrize("scaling", ["rank", "quantile"])
def test_it_is_unmoved_by_an_outlying_hardness(scaling):
    pool = _make(2, 60, 0)
    chosen_settings = BlendSettings(scaling=scaling, beta=0.0)
    usual = pick_blend(pool, 10, settings=chosen_settings, rng=np.random.default_rng(0))
    pool.hardness[usual.indices[0]] = 1e9  # it was picked first anyway; the others must not drown
    again = pick_blend(pool, 10, settings=chosen_settings, rng=np.random.default_rng(0))
    shared = set(usual.indices.tolist()) & set(again.indices.tolist())
    assert len(shared) >= 8


def test_it_follows_one_part_where_the_others_weigh_nothing():
    pool = _make(3, 40, 0)
    rng = np.random.default_rng(0)
    by_margin = pick_blend(pool, 2, settings=BlendSettings(beta=0, gamma=0, scaling="rank"), rng=rng)
    by_hardness = pick_blend(pool, 2, settings=BlendSettings(alpha=0, beta=0, scaling="rank"), rng=rng)
    assert by_margin.indices.tolist() == np.argsort(-margin(pool.probs))[:2].tolist()
    assert by_hardness.indices.tolist() == np.argsort(-pool.hardness)[:2].tolist()


@pytest.mark.parametrize("weights", [{"alpha": -0.1}, {"beta": float("nan")}, {"gamma": float("inf")}])
def test_it_refuses_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="expected a number of at least 0"):
        BlendSettings(**weights)


def test_it_refuses_a_blend_of_nothing():
    with pytest.raises(ValueError, match="all 0, expected at least one above"):
        BlendSettings(alpha=0, beta=0, gamma=0)


def test_it_moves_its_weights_from_round_to_round():
    moving = BlendSettings(alpha=0.4, beta=0.6, gamma=0.0, moving_rounds=4, last_alpha=0, last_beta=0)
    pool = _make(4, 40, 3)
    late = pick_blend(replace(pool, turn=4), 5, settings=moving, rng=np.random.default_rng(0))
    assert (
        late.indices.tolist() == np.argsort(-pool.hardness, kind="stable")[:5].tolist()
        or (late.parts["hardness"] >= 0.95).all()
    )
    early = pick_blend(pool, 5, settings=moving, rng=np.random.default_rng(0))
    still = pick_blend(
        pool, 5, settings=BlendSettings(alpha=0.4, beta=0.6, gamma=0), rng=np.random.default_rng(0)
    )
    assert early.indices.tolist() == still.indices.tolist()
    with pytest.raises(ValueError, match="moving_rounds: found -1"):
        BlendSettings(moving_rounds=-1)


def test_it_gives_the_worked_example_of_the_published_blend():
    """p = (0.4, 0.35, 0.25): H = 1.0805 nats, U = H / log 3 = 0.98354, least confidence 0.6, margin 0.05.

    Three items beside the labelled (1, 0): at cosine 0.6, 0 and -1, so distances 0.4, 1 and 2 of at most 2.
    Their losses 0.5, 1 and 2 have the 95th percentile 1.9.
    """
    p = np.array([[0.4, 0.35, 0.25], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    assert entropy(p)[0] == pytest.approx(1.0805, abs=1e-4)
    assert least_confidence(p)[0] == pytest.approx(0.6)
    assert margin_gap(p)[0] == pytest.approx(0.05)
    pool = Pool(
        rows=np.arange(3),
        probs=p,
        embeddings=np.array([[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]]),
        hardness=np.array([0.5, 1.0, 2.0]),
        labelled_embeddings=np.array([[1.0, 0.0]]),
    )
    picks = pick_blend_published(pool, 3, settings=PublishedSettings(), rng=np.random.default_rng(0))
    first = 0.4 * np.log(2) / np.log(3) + 0.3 * 1 + 0.3 * 1
    second = 0.4 * 1.0805 / np.log(3) + 0.3 * 0.4 / 2 + 0.3 * 0.5 / 1.9
    third = 0.4 * 0 + 0.3 * 0.2 / 2 + 0.3 * 1 / 1.9  # the second is nearer to it than the labelled item
    assert picks.indices.tolist() == [2, 0, 1]
    assert picks.parts["score"] == pytest.approx([first, second, third], abs=1e-4)
    assert picks.parts["diversity"] == pytest.approx([1.0, 0.2, 0.1])
    assert picks.parts["hardness"] == pytest.approx([1.0, 0.5 / 1.9, 1 / 1.9])


def test_it_has_no_hardness_where_no_loss_is_above_zero():
    assert over_percentile(np.zeros(5)).tolist() == [0.0] * 5


@pytest.mark.parametrize("known", ["nearest", "any"])
def test_a_known_nearness_to_a_labelled_item_changes_no_pick(known):
    pool = replace(_make(3, 200, 20), rows=np.arange(200)[::-1].copy())
    every = (pool.embeddings @ pool.labelled_embeddings.T).astype(np.float32)
    near = every.max(axis=1) if known == "nearest" else every[:, 0]
    for pick, chosen in ((pick_blend, BlendSettings()), (pick_blend_published, PublishedSettings())):
        plain = pick(pool, 30, settings=chosen, rng=np.random.default_rng(0))
        found = pick(replace(pool, labelled_near=near), 30, settings=chosen, rng=np.random.default_rng(0))
        assert found.indices.tolist() == plain.indices.tolist()
        assert all((found.parts[name] == plain.parts[name]).all() for name in plain.parts)
