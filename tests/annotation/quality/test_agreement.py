from __future__ import annotations

import gzip
import json
import math
from itertools import permutations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.quality.agreement import (
    ONE_LABEL,
    Ratings,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise,
    percent_agreement,
)
from bench._sets import data_folder

DATA = data_folder()

# Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses
FLEISS_1971 = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# The worked example of Wikipedia's page on Fleiss' kappa: 10 subjects, 14 raters, 5 categories
FLEISS_WIKIPEDIA = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
# Krippendorff 2011, section C: 4 observers, 12 units, missing data
KRIPPENDORFF_C = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
# The worked example of Wikipedia's page on Krippendorff's alpha: 3 coders, 15 units
KRIPPENDORFF_WIKIPEDIA = [".....34121133.3", "1.213343.......", "..21344.21133.4"]


def matrix(rows: list[str]) -> np.ndarray:
    return np.array([[np.nan if one == "." else float(one) for one in row] for row in rows])


def from_codes(*raters: str) -> Ratings:
    """Two or more people's labels as strings of letters, "." where one gave none."""
    triples = [
        (i, who, one) for who, labels in enumerate(raters) for i, one in enumerate(labels) if one != "."
    ]
    return Ratings.from_triples(triples)[0]


def interval_distance(a: int, b: int) -> float:
    return float((a - b) ** 2)


tables = st.lists(st.lists(st.integers(-1, 3), min_size=6, max_size=6), min_size=2, max_size=5).map(np.array)


# Published figures


def test_it_gives_the_kappa_of_fleiss_1971():
    counts = [[int(digit) for digit in row] for row in FLEISS_1971.split()]
    assert np.sum(counts, axis=0).tolist() == [26, 26, 30, 55, 43]
    assert fleiss_kappa(counts).value == pytest.approx(0.430, abs=5e-4)


def test_it_gives_the_fleiss_kappa_of_wikipedia():
    assert fleiss_kappa(FLEISS_WIKIPEDIA).value == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Cohen 1960, table 1: 200 subjects, proportions times 200
        ([[50, 26, 24], [24, 4, 32], [6, 30, 4]], -0.09),
        # Wikipedia: grants, and two tables with equal agreement and unlike kappa
        ([[20, 5], [10, 15]], 0.40),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
    ],
)
def test_it_gives_published_values_of_cohens_kappa(table, expected):
    cells = np.array(table)
    a, b = np.nonzero(cells)
    found = cohen_kappa(np.repeat(a, cells[a, b]), np.repeat(b, cells[a, b]))
    assert found.value == pytest.approx(expected, abs=5e-3 if expected == -0.09 else 5e-5)
    assert found.n == cells.sum()


def test_it_gives_the_alphas_of_krippendorff_2011():
    binary = from_codes("0100000010", "1110010000")
    assert krippendorff_alpha(binary).value == pytest.approx(0.095, abs=5e-4)
    nominal = from_codes("aabbdcccedda", "babbbccceddd")
    assert krippendorff_alpha(nominal).value == pytest.approx(0.692, abs=5e-4)
    missing = Ratings.from_matrix(matrix(KRIPPENDORFF_C))
    found = krippendorff_alpha(missing)
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.n == 11  # one of the twelve units has one value only
    assert krippendorff_alpha(missing, interval_distance).value == pytest.approx(0.849, abs=5e-4)


def test_it_gives_the_alphas_of_wikipedia():
    ratings = Ratings.from_matrix(matrix(KRIPPENDORFF_WIKIPEDIA))
    assert krippendorff_alpha(ratings).value == pytest.approx(0.691, abs=5e-4)
    assert krippendorff_alpha(ratings, interval_distance).value == pytest.approx(0.811, abs=5e-4)


def load(name: str) -> Ratings:
    path = DATA / name / "annotations.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the data set {name} is not here")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    triples = [(row["item"], row["annotator"], row["label"]) for row in rows if row.get("occasion", 1) == 1]
    return Ratings.from_triples(triples, labels=sorted({row["label"] for row in rows}), repeats="first")[0]


def test_it_gives_the_published_figures_of_real_ratings():
    ratings = load("snow_rte")
    assert krippendorff_alpha(ratings).value == pytest.approx(0.241479, abs=1e-6)
    assert fleiss_kappa(ratings).value == pytest.approx(0.241384, abs=1e-6)
    assert percent_agreement(ratings).value == pytest.approx(0.628694, abs=1e-6)


def test_it_gives_the_published_figures_of_real_ratings_with_gaps():
    ratings = load("convabuse")
    assert krippendorff_alpha(ratings).value == pytest.approx(0.435862, abs=1e-6)
    assert percent_agreement(ratings).value == pytest.approx(0.789213, abs=1e-6)
    scale = [-3, -2, -1, 0, 1]
    apart = krippendorff_alpha(ratings, lambda a, b: float((scale[a] - scale[b]) ** 2))
    assert apart.value == pytest.approx(0.732007, abs=1e-6)


# Twins


def nominal_distance(a: int, b: int) -> float:
    return float(a != b)


def naive_alpha(table: np.ndarray, distance=nominal_distance) -> float:
    """Alpha from ordered pairs of values, one by one."""
    observed = 0.0
    values: list[int] = []
    for column in table.T:
        own = [int(one) for one in column if one >= 0]
        if len(own) >= 2:
            values += own
            observed += sum(distance(a, b) for a, b in permutations(own, 2)) / (len(own) - 1)
    if len(values) < 2:
        return math.nan
    expected = sum(distance(a, b) for a, b in permutations(values, 2)) / (len(values) - 1)
    return 1 - observed / expected if expected else math.nan


@given(tables)
def test_it_gives_the_alpha_of_pairs_counted_one_by_one(table):
    ratings = Ratings.from_matrix(table, n_labels=4)
    for distance in (nominal_distance, interval_distance):
        found = krippendorff_alpha(ratings, distance, resamples=0).value
        assert found == pytest.approx(naive_alpha(table, distance), nan_ok=True)
    nominal = krippendorff_alpha(ratings, resamples=0).value
    assert nominal == pytest.approx(naive_alpha(table), nan_ok=True)


@given(tables)
def test_it_gives_the_alpha_of_the_krippendorff_package(table):
    found = krippendorff_alpha(Ratings.from_matrix(table), resamples=0).value
    assume(not math.isnan(found))
    data = np.where(table >= 0, table, np.nan).astype(float)
    expected = krippendorff.alpha(data, value_domain=[0.0, 1.0, 2.0, 3.0], level_of_measurement="nominal")
    assert found == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_it_gives_the_kappa_of_scikit_learn(pairs):
    a, b = np.array(pairs).T
    found = cohen_kappa(a, b, resamples=0)
    assume(not math.isnan(found.value))
    assert found.value == pytest.approx(cohen_kappa_score(a, b))


def naive_fleiss(counts: np.ndarray) -> float:
    kept = [row for row in counts.tolist() if sum(row) >= 2]
    if not kept:
        return math.nan
    observed = sum(sum(n * (n - 1) for n in row) / (sum(row) * (sum(row) - 1)) for row in kept) / len(kept)
    total = sum(map(sum, kept))
    chance = sum((sum(row[j] for row in kept) / total) ** 2 for j in range(counts.shape[1]))
    return (observed - chance) / (1 - chance) if chance < 1 - 1e-12 else math.nan


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=10).map(np.array))
def test_it_gives_the_fleiss_kappa_of_the_formula(counts):
    assert fleiss_kappa(counts, resamples=0).value == pytest.approx(naive_fleiss(counts), nan_ok=True)


@given(tables)
def test_it_gives_the_percent_agreement_of_pairs_counted_one_by_one(table):
    shares = []
    for column in table.T:
        own = [int(one) for one in column if one >= 0]
        pairs = list(permutations(own, 2))
        if pairs:
            shares.append(sum(a == b for a, b in pairs) / len(pairs))
    found = percent_agreement(Ratings.from_matrix(table), resamples=0)
    assert found.n == len(shares)
    assert found.value == pytest.approx(np.mean(shares) if shares else math.nan, nan_ok=True)


# Properties


@settings(deadline=None)
@given(tables, st.permutations(range(4)), st.randoms(use_true_random=False))
def test_it_does_not_care_for_names_or_order(table, names, random):
    ratings = Ratings.from_matrix(table, n_labels=4)
    order = list(range(len(ratings.items)))
    random.shuffle(order)
    items = random.sample(range(table.shape[1]), table.shape[1])
    raters = random.sample(range(table.shape[0]), table.shape[0])
    other = Ratings(
        np.array(items, dtype=int)[ratings.items[order]],
        np.array(raters, dtype=int)[ratings.raters[order]],
        np.array(names, dtype=int)[ratings.labels[order]],
        ratings.n_items,
        ratings.n_raters,
        4,
    )
    for figure in (percent_agreement, fleiss_kappa, krippendorff_alpha):
        found, again = figure(ratings, resamples=0), figure(other, resamples=0)
        assert again.value == pytest.approx(found.value, nan_ok=True)
        assert again.n == found.n


@given(tables)
def test_it_is_not_moved_by_items_with_one_label(table):
    single = np.full((table.shape[0], 3), -1)
    single[0] = [0, 1, 2]
    wider = np.concatenate([table, single], axis=1)
    for figure in (percent_agreement, fleiss_kappa, krippendorff_alpha):
        found = figure(Ratings.from_matrix(table, 4), resamples=0)
        again = figure(Ratings.from_matrix(wider, 4), resamples=0)
        assert again.value == pytest.approx(found.value, nan_ok=True)


@given(tables)
def test_it_never_gives_more_than_one(table):
    ratings = Ratings.from_matrix(table)
    for figure in (percent_agreement, fleiss_kappa, krippendorff_alpha):
        value = figure(ratings, resamples=0).value
        assert math.isnan(value) or -1 <= value <= 1 + 1e-12


def test_it_is_one_for_full_agreement_and_near_zero_for_chance():
    same = from_codes("abcabcabca", "abcabcabca")
    rng = np.random.default_rng(0)
    chance = Ratings.from_matrix(rng.integers(0, 3, (3, 4_000)))
    for figure in (fleiss_kappa, krippendorff_alpha):
        assert figure(same).value == pytest.approx(1.0)
        found = figure(chance)
        assert abs(found.value) < 0.03
        assert found.low < 0 < found.high
    assert percent_agreement(same).value == 1.0


def test_it_falls_below_zero_for_systematic_disagreement():
    opposed = from_codes("ababab", "bababa")
    assert krippendorff_alpha(opposed).value < -0.8
    assert fleiss_kappa(opposed).value == pytest.approx(-1.0)


# Degenerate data


@pytest.mark.parametrize("figure", [percent_agreement, fleiss_kappa, krippendorff_alpha])
def test_it_is_undefined_without_an_item_by_two_people(figure):
    for ratings in (from_codes("ab..", "..ab"), Ratings.from_triples([])[0]):
        found = figure(ratings)
        assert math.isnan(found.value) and math.isnan(found.low) and math.isnan(found.high)
        assert (found.n, found.note) == (0, "no item has labels by two people")


@pytest.mark.parametrize("figure", [fleiss_kappa, krippendorff_alpha])
def test_it_is_undefined_with_one_label_in_use(figure):
    found = figure(Ratings.from_matrix([[1, 1, 1], [1, 1, 1]], n_labels=3))
    assert math.isnan(found.value) and math.isnan(found.low)
    assert (found.n, found.note) == (3, ONE_LABEL)


def test_percent_agreement_is_defined_with_one_label_in_use():
    found = percent_agreement(Ratings.from_matrix([[1, 1, 1], [1, 1, 1]]))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_cohens_kappa_is_undefined_without_items_or_with_one_label():
    assert cohen_kappa([], []).note == "no item has labels by two people"
    found = cohen_kappa([2, 2], [2, 2])
    assert math.isnan(found.value) and found.note == ONE_LABEL
    assert cohen_kappa([0, 0], [1, 1]).value == 0.0  # each used one label, but not the same


def test_it_says_how_many_resamples_could_not_be_used():
    ratings = Ratings.from_matrix([[0, 0, 0, 1], [0, 0, 0, 0]])
    found = krippendorff_alpha(ratings)
    assert "of 1000 resamples do not define it" in found.note
    assert 250 < int(found.note.split()[0]) < 380  # (3 / 4) ** 4 of them lack the only other label


def test_it_refuses_unequal_lengths_and_negative_counts():
    with pytest.raises(ValueError, match="must have labelled the same items"):
        cohen_kappa([0, 1], [0])
    with pytest.raises(ValueError, match="no negative count"):
        fleiss_kappa([[1, -1]])


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        ([[0.0]], "expected \\(2, 2\\)"),
        ([[0, 1], [2, 0]], "symmetric"),
        ([[1, 1], [1, 1]], "0 between equal labels"),
        ([[0, -1], [-1, 0]], "never negative"),
        ([[0, math.inf], [math.inf, 0]], "infinite"),
    ],
)
def test_it_refuses_a_distance_that_is_none(distance, words):
    with pytest.raises(ValueError, match=words):
        krippendorff_alpha(Ratings.from_matrix([[0, 1], [0, 1]]), distance)


# Intervals


def test_its_interval_is_that_of_resampling_items_one_by_one():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 300)
    table = np.where(rng.random((3, 300)) < 0.7, truth, rng.integers(0, 3, (3, 300)))
    found = krippendorff_alpha(Ratings.from_matrix(table), resamples=2_000)
    naive = [
        krippendorff_alpha(Ratings.from_matrix(table[:, rng.integers(0, 300, 300)]), resamples=0).value
        for _ in range(600)
    ]
    spread = float(np.std(naive))
    low, high = np.quantile(naive, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.3 * spread)
    assert found.high == pytest.approx(high, abs=0.3 * spread)
    assert found.low < found.value < found.high


def test_its_interval_narrows_with_more_items():
    rng = np.random.default_rng(2)

    def width(n: int) -> float:
        truth = rng.integers(0, 3, n)
        table = np.where(rng.random((2, n)) < 0.7, truth, rng.integers(0, 3, (2, n)))
        found = krippendorff_alpha(Ratings.from_matrix(table))
        return found.high - found.low

    assert width(100) / width(1_600) == pytest.approx(4, rel=0.35)


# Pairs of people


def test_it_compares_every_two_people():
    ratings = from_codes("aabb.", "aabbb", "..bab")
    table = {(pair.rater_a, pair.rater_b): pair for pair in pairwise(ratings)}
    assert list(table) == [(0, 1), (0, 2), (1, 2)]
    assert [pair.n for pair in table.values()] == [4, 2, 3]
    assert table[0, 1].kappa.value == pytest.approx(1.0)
    assert table[1, 2].percent.value == pytest.approx(2 / 3)
    assert table[1, 2].kappa.value == pytest.approx(cohen_kappa([1, 1, 1], [1, 0, 1]).value)
    assert [pair.n for pair in pairwise(ratings, minimum=4)] == [4]
    assert pairwise(Ratings.from_triples([])[0]) == []


@settings(deadline=None, max_examples=30)
@given(tables)
def test_its_pairs_are_those_of_the_columns(table):
    for pair in pairwise(Ratings.from_matrix(table), resamples=0):
        both = (table[pair.rater_a] >= 0) & (table[pair.rater_b] >= 0)
        expected = cohen_kappa(table[pair.rater_a][both], table[pair.rater_b][both], resamples=0)
        assert pair.n == both.sum()
        assert pair.kappa.value == pytest.approx(expected.value, nan_ok=True)


@pytest.mark.slow
def test_it_measures_a_million_ratings_in_seconds():
    rng = np.random.default_rng(3)
    n = 500_000
    truth = np.repeat(rng.integers(0, 20, n), 2)
    labels = np.where(rng.random(2 * n) < 0.8, truth, rng.integers(0, 20, 2 * n))
    raters = np.stack([rng.integers(0, 10, n), rng.integers(10, 20, n)], axis=1).ravel()
    ratings = Ratings(np.repeat(np.arange(n), 2), raters, labels, n, 20, 20)
    found = krippendorff_alpha(ratings)
    # both right, or equal by chance: 0.64 + 0.36 / 20 agree, 0.05 would by chance
    assert found.value == pytest.approx((0.64 + 0.36 / 20 - 0.05) / 0.95, abs=0.005)
    assert found.high - found.low < 0.004
