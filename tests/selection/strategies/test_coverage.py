import numpy as np
import pytest

from selection.strategies.coverage import CutSettings, GraphSettings, SaturatedSettings
from selection.strategies.pool import Pool
from selection.strategies.registry import STRATEGIES

NAMES = ["facility_location", "saturated_coverage", "graph_cut", "feature_coverage"]


def _blobs(each=20):
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(4), each, axis=0) + rng.normal(scale=0.05, size=(4 * each, 4))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def _pick(name, pool, count):
    strategy = STRATEGIES[name]
    return strategy.function(pool, count, settings=strategy.settings(), rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ["facility_location", "feature_coverage"])
def test_it_takes_one_of_every_blob(name):
    picks = _pick(name, Pool(rows=np.arange(80), embeddings=_blobs()), 4)
    assert sorted((picks.indices // 20).tolist()) == [0, 1, 2, 3]
    assert (np.diff(picks.parts["score"]) <= 0).all()


def test_saturated_coverage_goes_on_to_the_next_blob_once_one_has_enough():
    picks = _pick("saturated_coverage", Pool(rows=np.arange(80), embeddings=_blobs()), 24)
    assert np.bincount(picks.indices // 20).min() >= 5  # a quarter of the 20 neighbours of each item


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_away_from_what_is_labelled(name):
    points = _blobs()
    known = np.repeat(np.eye(4, dtype=np.float32)[:3], 8, axis=0)
    picks = _pick(name, Pool(rows=np.arange(80), embeddings=points, labelled_embeddings=known), 1)
    assert picks.indices[0] // 20 == 3


@pytest.mark.parametrize(
    ("settings_class", "wrong", "words"),
    [
        (GraphSettings, {"neighbours": 1}, "neighbours: found 1, expected 2 or more"),
        (SaturatedSettings, {"enough_share": 2}, "enough_share: found 2"),
        (CutSettings, {"redundancy": -1}, "redundancy: found -1, expected a number of at least 0"),
    ],
)
def test_it_refuses_settings_that_make_no_sense(settings_class, wrong, words):
    with pytest.raises(ValueError, match=words):
        settings_class(**wrong)
