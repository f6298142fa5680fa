import os
import sys

import numpy as np
import pytest

from bench import _label_peers
from bench._label_peers import PEERS, PeerFailed, at_hand, reason_to_skip
from bench._selection_peers import VARIABLE
from selection.evidence import simulation
from selection.evidence.simulation import Examples, Plan
from selection.strategies.registry import STRATEGIES

# A process that speaks the protocol with NumPy alone: answers with what `pick` makes of (free, count).
SPEAKER = """
import io, json, sys
import numpy as np
def read():
    size = int(sys.stdin.buffer.readline())
    return np.load(io.BytesIO(sys.stdin.buffer.read(size)), allow_pickle=False)
embeddings = read()
while sys.stdin.buffer.peek(1):
    (count, labels), probs, taken, free = read().tolist(), read(), read(), read()
    assert embeddings.dtype == np.float32 and probs.shape == (len(embeddings), labels)
    assert not set(taken) & set(free)
    print(json.dumps({answer}), flush=True)
"""


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters = np.arange(40)
    clusters[39] = 0  # a duplicate of the first
    return Examples(vectors, (vectors[:, 0] > 0).astype(np.int64), clusters)


def _speaker(monkeypatch, tmp_path, answer):
    monkeypatch.setenv(VARIABLE, sys.executable)
    side = tmp_path / "side.py"
    side.write_text(SPEAKER.replace("{answer}", answer))
    monkeypatch.setattr(_label_peers, "SIDE", side)


def _run(examples, name="small-text.breaking_ties"):
    with at_hand(name, examples.embeddings, 0):
        return simulation.run(examples, examples, Plan(strategy=name, batch=5, batches=3, seed=0))


def test_without_an_interpreter_of_the_peers_each_is_skipped_and_says_why(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    reasons = {reason_to_skip(name, 100, 7) for name in PEERS}
    assert reasons == {"GYRE_BENCH_PYTHON names no interpreter with requirements-bench.txt installed"}


def test_an_interpreter_without_the_peer_is_told(monkeypatch):
    _label_peers.versions.cache_clear()
    monkeypatch.setenv(VARIABLE, sys.executable)  # has neither
    assert reason_to_skip("small-text.contrastive", 100, 7) == (
        f"{sys.executable} has no small-text: install requirements-bench.txt there"
    )
    monkeypatch.setenv(VARIABLE, "/no/python")
    assert reason_to_skip("small-text.contrastive", 100, 7) == (
        "/no/python of GYRE_BENCH_PYTHON could not be asked: FileNotFoundError"
    )


def test_a_pool_that_a_peer_cannot_hold_is_told(monkeypatch):
    monkeypatch.setenv(VARIABLE, "python")
    monkeypatch.setattr(_label_peers, "versions", lambda python: {"scikit-activeml": "1.0.1"})
    assert reason_to_skip("scikit-activeml.prob_cover", 5_000, 7) == ""
    assert reason_to_skip("scikit-activeml.prob_cover", 5_001, 7) == (
        "5,001 items, at most 5,000 here: it holds the distances of all pairs of items"
    )
    assert reason_to_skip("scikit-activeml.badge", 10_000, 20) == ""
    assert reason_to_skip("scikit-activeml.badge", 10_000, 21) == (
        "10,000 items of 21 labels, at most 200,000 pairs here: it holds the gradients of all items for all "
        "labels, and goes over them once a pick"
    )


def test_a_peer_picks_after_the_same_first_batch_and_is_gone_afterwards(monkeypatch, tmp_path, examples):
    _speaker(monkeypatch, tmp_path, "free[:count].tolist()")
    course = _run(examples)
    ours = simulation.run(examples, examples, Plan(strategy="margin", batch=5, batches=3, seed=0))
    assert course.picked[:5].tolist() == ours.picked[:5].tolist()
    left = [at for at in range(40) if at not in course.picked[:5]]
    if 0 in course.picked[:5] or 39 in course.picked[:5]:
        left = [at for at in left if at not in (0, 39)]
    assert course.picked[5:].tolist() == left[:10]
    assert "small-text.breaking_ties" not in STRATEGIES


@pytest.mark.parametrize("answer", ["free[:1].tolist() * count", "taken[:count].tolist()", "[0]"])
def test_an_answer_that_cannot_be_is_refused(monkeypatch, tmp_path, examples, answer):
    _speaker(monkeypatch, tmp_path, answer)
    with pytest.raises(PeerFailed, match="did not answer with 5 different free items"):
        _run(examples)


def test_a_process_that_ends_gives_its_last_words_as_the_reason(monkeypatch, tmp_path, examples):
    _speaker(monkeypatch, tmp_path, "1 / 0")
    with pytest.raises(PeerFailed, match="small-text.breaking_ties: ZeroDivisionError"):
        _run(examples)


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no interpreter with the peers")
@pytest.mark.parametrize("name", PEERS)
def test_every_peer_answers(examples, name):
    _label_peers.versions.cache_clear()
    assert reason_to_skip(name, len(examples.labels), int(examples.labels.max()) + 1) == ""
    course = _run(examples, name)
    assert len(np.unique(course.picked)) == 15
    if name in ("scikit-activeml.margin", "small-text.breaking_ties"):  # the same rule as ours
        ours = simulation.run(examples, examples, Plan(strategy="margin", batch=5, batches=2, seed=0))
        assert set(course.picked[:10].tolist()) == set(ours.picked.tolist())
