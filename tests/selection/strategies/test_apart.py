import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.apart import Quota, apart_among, error_of, keep_apart, similarity


def naive(embeddings, fixed, gain, count, *, weight=None, members=(), quotas=(), first=None):
    """The greedy of the formula: every similarity to every member, at every pick. (positions, scores)"""
    held, chosen, scores = list(members), [], []
    fixed = np.asarray(fixed, dtype=np.float64).copy()
    left = [list(quota.most) for quota in quotas]
    weight = np.ones(len(fixed)) if weight is None else weight
    for rank in range(count):
        score = fixed.copy()
        if held:
            near = np.max([similarity(embeddings, member) for member in held], axis=0)
            score = fixed + weight * gain(near)
        score[chosen] = -np.inf
        inside = score.copy()
        for quota, most in zip(quotas, left, strict=True):
            inside[[most[group] <= 0 for group in quota.groups]] = -np.inf
        if np.isfinite(inside).any():
            score = inside
        else:
            quotas = left = ()
        at = first if rank == 0 and first is not None else int(np.argmax(score))
        chosen.append(at)
        scores.append(score[at])
        held.append(embeddings[at])
        for quota, most in zip(quotas, left, strict=True):
            most[quota.groups[at]] -= 1
    return chosen, scores


def unit(rng, n, d, *, coarse=False):
    """Random directions; coarse ones coincide and tie often."""
    vectors = rng.integers(-1, 2, size=(n, d)).astype(float) if coarse else rng.normal(size=(n, d))
    vectors[~vectors.any(axis=1), 0] = 1.0
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


GAINS = {
    "none": lambda near: np.zeros_like(near),
    "mmr": lambda near: -0.5 * near,
    "cut off": lambda near: np.clip((1 - near - 0.2) / 0.5, 0.0, 1.0),
    "steps": lambda near: np.searchsorted([-0.5, 0.0, 0.3, 0.9], near) * -0.25,
}


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    coarse=st.booleans(),
    gain=st.sampled_from(list(GAINS)),
    members=st.integers(0, 20),
    active=st.sampled_from([1, 3, 16, 4096]),
    weighted=st.booleans(),
    wide=st.booleans(),
    known=st.sampled_from(["", "nearest", "any"]),
)
def test_it_picks_what_the_naive_greedy_picks(n, seed, coarse, gain, members, active, weighted, wide, known):
    rng = np.random.default_rng(seed)
    embeddings, given_members = unit(rng, n, 4, coarse=coarse), unit(rng, members, 4, coarse=coarse)
    fixed = rng.integers(0, 3, size=n) / 4 if coarse else rng.random(n)
    weight = rng.integers(0, 3, size=n) / 2 if weighted else None
    if wide:
        embeddings = embeddings.astype(np.float64) * (1 + 1e-9)
    count = int(rng.integers(1, n + 1))
    near = None
    if known and members:
        every = embeddings.astype(np.float32) @ given_members.T
        near = every.max(axis=1) if known == "nearest" else every[np.arange(n), rng.integers(members, size=n)]
    found = keep_apart(
        embeddings, fixed, GAINS[gain], count, weight=weight, members=given_members, members_near=near,
        active=active,
    )  # fmt: skip
    chosen, scores = naive(embeddings, fixed, GAINS[gain], count, weight=weight, members=given_members)
    assert found.chosen.tolist() == chosen
    assert found.scores.tolist() == scores


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    active=st.sampled_from([2, 4096]),
    members=st.integers(0, 3),
    count=st.integers(1, 40),
)
def test_it_takes_no_more_of_a_group_than_its_quotas_while_there_are_others(seed, active, members, count):
    rng = np.random.default_rng(seed)
    embeddings, fixed = unit(rng, 40, 4), rng.random(40)
    quotas = [Quota(rng.integers(0, 4, size=40), np.array(most)) for most in ([2, 5, 0, 9], [9, 9, 3, 3])]
    choices = {"members": unit(rng, members, 4), "quotas": quotas}
    found = keep_apart(embeddings, fixed, np.negative, count, active=active, **choices)
    assert found.chosen.tolist() == naive(embeddings, fixed, np.negative, count, **choices)[0]
    within = found.chosen[: count - found.lifted]
    for quota in quotas:
        assert (np.bincount(quota.groups[within], minlength=4) <= quota.most).all()
    assert count <= 16 or found.lifted > 0


def test_it_picks_the_naive_picks_over_many_blocks_of_members():
    rng = np.random.default_rng(5)
    embeddings, fixed = unit(rng, 3000, 16), rng.random(3000) / 4
    found = keep_apart(embeddings, fixed, GAINS["mmr"], 300, active=64)
    assert found.chosen.tolist() == naive(embeddings, fixed, GAINS["mmr"], 300)[0]
    assert found.compared < 0.7 * 3000 * 300


def test_it_begins_where_it_is_told():
    rng = np.random.default_rng(6)
    embeddings = unit(rng, 30, 4)
    found = keep_apart(embeddings, np.zeros(30), np.negative, 10, first=17)
    assert found.chosen.tolist() == naive(embeddings, np.zeros(30), np.negative, 10, first=17)[0]
    assert found.chosen[0] == 17 and np.isnan(found.near[0])


def test_it_decides_between_items_that_differ_by_less_than_float32_can_tell():
    """Two items beside the first pick, one farther from it by 1e-9: float32 products may put either first."""
    first = np.array([1.0, 0.0, 0.0])
    angles = [0.7, 0.7 + 1e-9, 0.7 - 1e-9]
    embeddings = np.array([first] + [[np.cos(a), np.sin(a), 0.0] for a in angles])
    found = keep_apart(embeddings, np.zeros(4), np.negative, 2, first=0)
    assert found.chosen.tolist() == [0, 2]


def test_it_finds_the_same_among_open_items_however_they_are_given():
    rng = np.random.default_rng(7)
    embeddings, fixed = unit(rng, 50, 4), rng.random(50)
    weight, groups = rng.random(50), rng.integers(0, 3, size=50)
    most = np.array([4, 4, 4])
    for open_ in (np.arange(50), np.arange(5, 50), np.arange(0, 50, 5), rng.permutation(50)[:30]):
        places, found = apart_among(
            embeddings,
            open_,
            fixed[open_],
            np.negative,
            6,
            weight=weight[open_],
            quotas=[Quota(groups[open_], most)],
            first=2,
        )
        expected = naive(
            embeddings[open_],
            fixed[open_],
            np.negative,
            6,
            weight=weight[open_],
            quotas=[Quota(groups[open_], most)],
            first=2,
        )
        assert places.tolist() == expected[0]


@pytest.mark.parametrize("d", [2, 33, 384])
def test_its_error_holds_for_products_of_float32(d):
    rng = np.random.default_rng(d)
    embeddings = unit(rng, 500, d)
    off = np.abs(
        (embeddings @ embeddings[:64].T).T - [similarity(embeddings, one) for one in embeddings[:64]]
    )
    assert off.max() < error_of(d)
