from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.evaluation import answers, scores

LABELS = [{"id": name, "name": name} for name in ("a", "b", "c")]
SEVERAL = {"name": "topics", "type": "multilabel", "labels": LABELS}
SPANS = {"name": "entities", "type": "spans", "labels": LABELS}
RATING = {
    "name": "quality",
    "type": "rating",
    "points": 4,
    "dimensions": [{"id": "x", "name": "X"}, {"id": "y", "name": "Y"}],
}


def values(found: dict[str, scores.Score]) -> dict[str, float]:
    return {name: score.value for name, score in found.items()}


def test_several_labels_have_the_figures_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    tables = [rng.random((40, 3)) < share for share in (0.4, 0.5)]
    gold, given = ([[n for n, is_on in zip("abc", row, strict=True) if is_on] for row in t] for t in tables)
    found = values(answers.several(SEVERAL, gold, given).scores)
    assert found["micro_f1"] == pytest.approx(f1_score(*tables, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(*tables, average="macro"))
    assert found["accuracy"] == pytest.approx(np.mean((tables[0] == tables[1]).all(axis=1)))


def test_a_label_that_the_schema_has_lost_counts_as_any_other() -> None:
    sheet = answers.several(SEVERAL, [["a"], ["old"]], [["a"], ["a"]])
    assert sheet.labels == ["a", "b", "c", "old"]
    assert sheet.counts.tolist() == [[1, 1, 2], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert sheet.scores["micro_f1"].value == pytest.approx(0.5)


def test_spans_are_right_only_where_start_end_and_label_are() -> None:
    def spans(*given: tuple[int, int, str]) -> dict[str, Any]:
        return {"spans": [{"start": s, "end": e, "label": label} for s, e, label in given]}

    gold = [spans((0, 3, "a"), (5, 8, "b")), spans(), spans((0, 2, "a"))]
    given = [spans((0, 3, "a"), (5, 9, "b")), spans(), spans((0, 2, "b"))]
    found = answers.entities(SPANS, gold, given)
    assert values(found.scores) == {
        "accuracy": pytest.approx(1 / 3),
        "f1": pytest.approx(2 / 6),
        "macro_f1": pytest.approx((2 / 3 + 0) / 2),
    }
    assert found.counts.tolist() == [[1, 2, 1], [0, 1, 2], [0, 0, 0]]


def test_ratings_have_the_kappa_of_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(1)
    gold, given = ([{"x": int(a), "y": int(b)} for a, b in rng.integers(1, 5, (50, 2))] for _ in range(2))
    found = answers.ratings(RATING, gold, given)
    kappas = [
        cohen_kappa_score(
            [g[d] for g in gold], [s[d] for s in given], weights="quadratic", labels=[1, 2, 3, 4]
        )
        for d in "xy"
    ]
    assert found.scores["kappa"].value == pytest.approx(np.mean(kappas))
    off = np.mean([abs(g[d] - s[d]) for g, s in zip(gold, given, strict=True) for d in "xy"])
    assert found.scores["mae"].value == pytest.approx(off)
    assert {name: table.sum() for name, table in found.tables.items()} == {"x": 50, "y": 50}


def test_labels_of_a_tree_are_compared_level_by_level() -> None:
    tree = {
        "labels": [
            {"id": "money", "name": "M"},
            {"id": "refund", "name": "R", "parent": "money"},
            {"id": "fee", "name": "F", "parent": "money"},
            {"id": "other", "name": "O"},
        ]
    }
    found = values(answers.levels(tree, ["refund", "refund", "other"], ["refund", "fee", "fee"]))
    assert found == {
        "level_1": pytest.approx(2 / 3),
        "level_2": pytest.approx(1 / 3),
        "path_f1": pytest.approx(2 * 3 / (5 + 6)),
    }
    assert answers.levels({"labels": LABELS}, ["a"], ["a"]) == {}


def test_two_models_are_compared_on_the_same_resamples() -> None:
    rng = np.random.default_rng(0)
    gold = [["a"] if n % 2 else ["b"] for n in range(200)]
    good = [one if rng.random() < 0.9 else ["c"] for one in gold]
    poor = [one if rng.random() < 0.6 else ["c"] for one in gold]
    new, old = (answers.several(SEVERAL, gold, given).scores["micro_f1"] for given in (good, poor))
    found = scores.difference(new, old, rng=np.random.default_rng(1))
    assert found.value == pytest.approx(new.value - old.value) and found.low > 0.15 and found.n == 200
    same = scores.difference(new, new, rng=np.random.default_rng(1))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="found 200 and 100 items"):
        scores.difference(new, answers.several(SEVERAL, gold[:100], good[:100]).scores["micro_f1"], rng=rng)


def test_the_interval_is_that_of_resampling_items_one_by_one() -> None:
    rng = np.random.default_rng(0)
    gold = [[name for name in "abc" if rng.random() < 0.4] for _ in range(60)]
    given = [[name for name in "abc" if rng.random() < 0.4] for _ in range(60)]
    score = answers.several(SEVERAL, gold, given).scores["macro_f1"]
    found = scores.estimate(score, rng=np.random.default_rng(2), resamples=8000)
    samples = []
    for number in range(4000):
        at = rng.integers(60, size=60)
        samples.append(score.of(score.rows[at].sum(axis=0, keepdims=True))[0])
        if not number:
            sheet = answers.several(SEVERAL, [gold[i] for i in at], [given[i] for i in at])
            assert samples[0] == pytest.approx(sheet.scores["macro_f1"].value)
    low, high = np.quantile(samples, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
