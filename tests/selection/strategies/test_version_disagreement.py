"""Picking what a model and its earlier versions disagree on."""

from __future__ import annotations

import numpy as np
import pytest

from selection.strategies import errors
from selection.strategies.disagreement import bald
from selection.strategies.pool import Picks, Pool
from selection.strategies.version_disagreement import MEASURES, VersionSettings, pick_version_disagreement

SURE, TURNED, TORN = [0.9, 0.1], [0.1, 0.9], [0.5, 0.5]
# settled; a changed mind; always unclear; settled late
NOW = np.array([SURE, TURNED, TORN, SURE])
EARLIER = np.array([[SURE, SURE], [SURE, SURE], [TORN, TORN], [TORN, SURE]])


def pick(count: int = 4, *, versions: np.ndarray = EARLIER, disagreement: str = "bald") -> Picks:
    pool = Pool(rows=np.arange(len(NOW)), probs=NOW, versions=versions)
    settings = VersionSettings(disagreement=disagreement)
    return pick_version_disagreement(pool, count, settings=settings, rng=np.random.default_rng(0))


def test_it_takes_what_minds_have_changed_about_and_leaves_what_was_always_unclear() -> None:
    picks = pick()
    assert picks.indices.tolist() == [1, 3, 0, 2]
    committee = np.concatenate([EARLIER, NOW[:, None]], axis=1)
    assert picks.parts["score"] == pytest.approx(bald(committee)[picks.indices])
    assert picks.parts["score"][2:] == pytest.approx([0, 0])


@pytest.mark.parametrize("name", list(MEASURES))
def test_every_measure_puts_the_changed_mind_first(name: str) -> None:
    assert pick(1, disagreement=name).indices.tolist() == [1]


def test_it_says_what_it_lacks() -> None:
    pool = Pool(rows=np.arange(len(NOW)), probs=NOW)
    with pytest.raises(errors.MissingColumn, match="needs versions, and the pool has none: train a"):
        pick_version_disagreement(pool, 1, settings=VersionSettings(), rng=np.random.default_rng(0))
    with pytest.raises(errors.BadProbabilities, match=r"expected \(items, versions, 2\): leave out versions"):
        pick(versions=np.ones((4, 1, 3)) / 3)
    with pytest.raises(errors.BadProbabilities, match="are not distributions"):
        pick(versions=EARLIER * 2)
    with pytest.raises(ValueError, match="found 'votes', expected one of bald, consensus_kl"):
        VersionSettings(disagreement="votes")
    with pytest.raises(ValueError, match="found 'people', expected versions or dropout"):
        VersionSettings(committee="people")
