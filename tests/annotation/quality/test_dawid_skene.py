"""Dawid and Skene's model: against its paper, against a slow twin, and on real answers with known truth."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.quality.consensus import dawid_skene, posterior_of, said_given_true
from annotation.quality.ratings import Ratings
from tests.annotation.quality.test_agreement import DATA

# Table 1 of Dawid and Skene (1979): 45 patients, what five anaesthetists said of each; the first was asked three
# times.
ANAESTHETISTS = """
111 1 1 1 1  333 4 3 3 4  112 2 1 2 2  222 3 1 2 1  222 3 2 2 2  222 3 3 2 2  122 2 1 1 1  333 3 4 3 3
222 2 2 2 3  232 2 2 2 3  444 4 4 4 4  222 3 3 4 3  111 1 1 1 1  222 3 2 1 2  121 1 1 1 1  111 2 1 1 1
111 1 1 1 1  111 1 1 1 1  222 2 2 2 1  222 1 3 2 2  222 2 2 2 2  222 2 2 2 1  222 3 2 2 2  221 2 2 2 2
111 1 1 1 1  111 1 1 1 1  232 2 2 2 2  111 1 1 1 1  111 1 1 1 1  112 1 1 2 1  111 1 1 1 1  333 3 2 3 3
111 1 1 1 1  222 2 2 2 2  222 3 2 3 2  433 4 3 4 3  221 2 2 3 2  232 3 2 3 3  333 3 4 3 2  111 1 1 1 1
111 1 1 1 1  121 2 1 1 1  232 2 2 2 2  121 1 1 1 1  222 2 2 2 2
"""

answer_lists = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40
)


def fit(answers, n_items, n_raters, n_labels, **options):
    items, raters, labels = np.array(answers, dtype=np.int64).reshape(-1, 3).T
    sizes = {"n_items": n_items, "n_raters": n_raters, "n_labels": n_labels}
    return dawid_skene(items, raters, labels, **sizes, **options)


def anaesthetists():
    said = ANAESTHETISTS.split()
    return [
        (position // 5, position % 5, int(digit) - 1)
        for position, digits in enumerate(said)
        for digit in digits
    ]


def test_it_gives_the_estimates_of_the_paper():
    found = fit(anaesthetists(), 45, 5, 4, smoothing=0, tolerance=1e-9, max_iterations=1000)
    assert found.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.confusion(0).round(2).tolist() == [
        [0.89, 0.11, 0.0, 0.0],
        [0.07, 0.88, 0.05, 0.0],
        [0.0, 0.34, 0.66, 0.0],
        [0.0, 0.0, 0.56, 0.44],
    ]
    assert found.converged
    assert (found.posterior.max(axis=1) > 0.94).all(), "every patient is settled"
    assert found.posterior.argmax(axis=1).tolist()[:8] == [0, 3, 1, 1, 1, 1, 0, 2]


# --- a slow twin --------------------------------------------------------------------------------------------


def twin(answers, n_items, n_raters, n_labels, *, smoothing, known=None, iterations):
    """The same model, one number at a time, for a fixed number of iterations."""
    said_of = {i: [(r, s) for item, r, s in answers if item == i] for i in range(n_items)}
    known = [-1] * n_items if known is None else list(known)

    def start(i):
        if known[i] >= 0:
            return [float(j == known[i]) for j in range(n_labels)]
        said = [s for _, s in said_of[i]]
        return [said.count(j) / len(said) if said else 0.0 for j in range(n_labels)]

    belief = [start(i) for i in range(n_items)]
    rated = [i for i in range(n_items) if said_of[i]]
    for turn in range(iterations + 1):
        total = len(rated) + smoothing
        prior = [(sum(belief[i][j] for i in rated) + smoothing / n_labels) / total for j in range(n_labels)]
        count = {
            (r, s, j): sum(belief[i][j] for i, rr, ss in answers if (rr, ss) == (r, s))
            for r in range(n_raters)
            for s in range(n_labels)
            for j in range(n_labels)
        }
        weight = 10.0 if smoothing else 0.0
        everybody = sum(count.values())
        hits_of_all = sum(count[r, j, j] for r in range(n_raters) for j in range(n_labels))
        pooled = (hits_of_all + weight * 0.7) / (everybody + weight)
        matrix = {}
        for r in range(n_raters):
            mine = sum(count[r, s, j] for s in range(n_labels) for j in range(n_labels))
            hits = sum(count[r, j, j] for j in range(n_labels))
            right = (hits + weight * pooled) / (mine + weight) if mine + weight else pooled
            for j in range(n_labels):
                row = sum(count[r, s, j] for s in range(n_labels))
                for s in range(n_labels):
                    base = 1.0 if n_labels == 1 else right if s == j else (1 - right) / (n_labels - 1)
                    given = row + smoothing
                    matrix[r, j, s] = (count[r, s, j] + smoothing * base) / given if given else 1 / n_labels
        if turn == iterations:
            return belief, prior, matrix
        for i in rated:
            if known[i] >= 0:
                continue
            joint = [prior[j] * math.prod(matrix[r, j, s] for r, s in said_of[i]) for j in range(n_labels)]
            belief[i] = [one / sum(joint) for one in joint]


@settings(deadline=None)
@given(answer_lists, st.sampled_from([0.0, 1.0, 4.0]), st.lists(st.integers(-1, 2), min_size=6, max_size=6))
def test_it_equals_its_slow_twin(answers, smoothing, known):
    found = fit(answers, 6, 4, 3, smoothing=smoothing, known=np.array(known), max_iterations=5, tolerance=0.0)
    if found.converged:  # nothing moved any more: the twin would not move either
        assert found.iterations <= 5
    belief, prior, matrix = twin(
        answers, 6, 4, 3, smoothing=smoothing, known=known, iterations=found.iterations
    )
    assert found.prior == pytest.approx(prior)
    for r in range(4):
        expected = [[matrix[r, j, s] for s in range(3)] for j in range(3)]
        assert found.confusion(r) == pytest.approx(np.array(expected))
    for i in range(6):
        if any(item == i for item, *_ in answers) or known[i] >= 0:
            assert found.posterior[i] == pytest.approx(np.array(belief[i]), abs=1e-9)
        else:
            assert np.isnan(found.posterior[i]).all()


@settings(deadline=None)
@given(answer_lists)
def test_the_likelihood_never_falls_without_smoothing(answers):
    steps = [
        fit(answers, 6, 4, 3, smoothing=0.0, max_iterations=n, tolerance=0.0).log_likelihood
        for n in range(1, 8)
    ]
    assert all(b >= a - 1e-9 for a, b in zip(steps, steps[1:], strict=False))


@settings(deadline=None)
@given(answer_lists, st.permutations(range(6)), st.permutations(range(4)), st.permutations(range(3)))
def test_it_does_not_care_how_things_are_numbered(answers, items, raters, labels):
    found = fit(answers, 6, 4, 3, max_iterations=8)
    other = fit([(items[i], raters[r], labels[s]) for i, r, s in answers], 6, 4, 3, max_iterations=8)
    assert other.prior[labels] == pytest.approx(found.prior)
    assert other.posterior[np.ix_(items, labels)] == pytest.approx(found.posterior, nan_ok=True)
    for rater in range(4):
        moved = other.confusion(raters[rater])[np.ix_(labels, labels)]
        assert moved == pytest.approx(found.confusion(rater))


# --- edges --------------------------------------------------------------------------------------------------


def test_it_says_nothing_of_items_without_answers():
    found = fit([(0, 0, 1), (0, 1, 1)], 3, 2, 2, known=np.array([-1, -1, 0]))
    assert np.isnan(found.posterior[1]).all()
    assert found.posterior[2].tolist() == [1.0, 0.0]
    assert found.posterior[0].argmax() == 1


def test_it_takes_no_answers_at_all():
    found = fit([], 2, 0, 3)
    assert np.isnan(found.posterior).all()
    assert found.converged
    assert found.prior.tolist() == pytest.approx([1 / 3] * 3)


def test_one_class_is_certain():
    found = fit([(0, 0, 0), (1, 1, 0)], 2, 2, 1)
    assert found.posterior.tolist() == [[1.0], [1.0]]
    assert found.confusion(0).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("answers", "known", "sentence"),
    [
        ([(0, 0, 2)], None, "labels has codes 2 to 2: expected 0 to 1"),
        ([(3, 0, 0)], None, "items has codes 3 to 3: expected 0 to 1"),
        ([(0, 0, 0)], [0], "known has shape"),
        ([(0, 0, 0)], [0, 2], "class beyond 1"),
    ],
)
def test_it_refuses_codes_out_of_range(answers, known, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(answers, 2, 1, 2, known=None if known is None else np.array(known))


def test_it_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="equal lengths"):
        dawid_skene(np.zeros(2, int), np.zeros(1, int), np.zeros(2, int), n_items=1, n_raters=1, n_labels=1)


# --- one item at a time -------------------------------------------------------------------------------------


def test_one_item_comes_out_as_in_the_whole_fit():
    found = fit(anaesthetists(), 45, 5, 4, tolerance=1e-12, max_iterations=2000)
    matrices = [found.confusion(rater) for rater in range(5)]
    for item in (2, 6, 29, 41):
        likelihoods = [matrices[r][:, s] for i, r, s in anaesthetists() if i == item]
        assert posterior_of(found.prior, np.array(likelihoods)) == pytest.approx(
            found.posterior[item], abs=1e-6
        )


def test_contradicting_certainties_leave_no_belief():
    assert np.isnan(posterior_of(np.array([0.5, 0.5]), np.array([[1.0, 0.0], [0.0, 1.0]]))).all()


@given(st.lists(st.floats(0, 50), min_size=9, max_size=9), st.floats(0.05, 0.99), st.floats(0.01, 20))
def test_each_row_of_what_somebody_may_say_sums_to_one(counts, accuracy, smoothing):
    said_of_true = np.array(counts).reshape(3, 3)  # row: what was said
    totals = np.broadcast_to(said_of_true.sum(axis=0), (3, 3))
    given_true = said_given_true(said_of_true, totals, np.arange(3), np.full(3, accuracy), smoothing)
    assert given_true.sum(axis=0) == pytest.approx(np.ones(3))


def test_somebody_new_is_as_right_on_every_class():
    nothing = np.zeros((1, 4))
    likely = said_given_true(nothing, nothing, np.array([2]), np.array([0.7]))
    assert likely[0].tolist() == pytest.approx([0.1, 0.1, 0.7, 0.1])


# --- how well it does ---------------------------------------------------------------------------------------


def test_it_finds_who_is_right_where_the_majority_is_wrong():
    """Two careful people and three who guess: the careful ones are found out and win."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 400)
    answers = []
    for rater, right in enumerate((0.95, 0.95, 0.45, 0.45, 0.45)):
        said = np.where(rng.random(400) < right, truth, (truth + rng.integers(1, 3, 400)) % 3)
        answers += [(item, rater, int(label)) for item, label in enumerate(said)]
    found = fit(answers, 400, 5, 3)
    votes = np.zeros((400, 3))
    for item, _, label in answers:
        votes[item, label] += 1
    by_votes = (votes.argmax(axis=1) == truth).mean()
    by_model = (found.posterior.argmax(axis=1) == truth).mean()
    assert by_model > 0.95 > by_votes
    assert found.accuracy == pytest.approx([0.95, 0.95, 0.45, 0.45, 0.45], abs=0.06)


def test_it_gives_what_crowd_kit_gives_on_real_answers():
    """Against crowd-kit 1.4.2's DawidSkene(n_iter=1000, tol=1e-9) on the RTE answers of Snow et al. (2008)."""
    folder = DATA / "snow_rte"
    if not folder.is_dir():
        pytest.skip("the data set snow_rte is not here")
    with gzip.open(folder / "annotations.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with gzip.open(folder / "items.jsonl.gz", "rt", encoding="utf-8") as file:
        gold = {row["id"]: row["gold"] for row in map(json.loads, file)}
    ratings, codes = Ratings.from_triples([(row["item"], row["annotator"], row["label"]) for row in rows])
    triples = list(zip(ratings.items, ratings.raters, ratings.labels, strict=True))
    sizes = (ratings.n_items, ratings.n_raters, ratings.n_labels)
    found = fit(triples, *sizes, smoothing=0, tolerance=1e-9, max_iterations=1000)
    answers = [codes.labels[label] for label in found.posterior.argmax(axis=1)]
    right = sum(answer == gold[item] for answer, item in zip(answers, codes.items, strict=True))
    assert right / len(gold) == 0.9275
    assert found.prior == pytest.approx([0.4821991887, 0.5178008113], abs=1e-8)
    smoothed = fit(triples, *sizes)
    answers = [codes.labels[label] for label in smoothed.posterior.argmax(axis=1)]
    right = sum(answer == gold[item] for answer, item in zip(answers, codes.items, strict=True))
    assert right / len(gold) >= 0.9275
