from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selection.programs import value_methods as methods
from selection.programs.value_state import Part
from selection.strategies.value import head as heads
from selection.strategies.value.head import with_one


def part(count: int, seed: int, first_row: int = 0) -> Part:
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % 2
    vectors = (np.eye(4)[codes] + 0.3 * rng.normal(size=(count, 4))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Part(np.arange(first_row, first_row + count), vectors, codes.astype(np.int64), ["web"] * count)


def test_gradients_put_a_wrong_label_last() -> None:
    train, validation = part(30, 0), part(40, 1, 1000)
    codes = train.codes.copy()
    codes[7] = 1 - codes[7]
    x, val_x = with_one(train.vectors), with_one(validation.vectors)
    head = heads.fit(x, codes, 2, ridge=0.1)
    found = methods.by_gradients(head, x, codes, val_x, validation.codes)
    assert {name: int(values.argmin()) for name, values in found.items()} == {
        "gradient_similarity": 7,
        "tracin": 7,
    }
    assert found["gradient_similarity"][7] < 0 and found["tracin"][7] < 0


def test_retraining_goes_on_from_the_orders_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "MOST_ORDERS", 60)
    train, validation = part(12, 0), part(40, 1, 1000)
    train.codes[5] = 1 - train.codes[5]
    values, walks, players = methods.by_retraining(train, validation, 2, "", seed=1)
    assert values.argmin() == 5 and values[5] < 0
    everything = methods._utility(train, validation, 2, players)(np.arange(12))
    assert values.sum() == pytest.approx(everything - 0.5, abs=1e-9), (
        "shares of what all labels add to a guess"
    )
    methods.write(tmp_path, walks, train, players, validation)
    again, same, _players = methods.by_retraining(train, validation, 2, str(tmp_path), seed=1)
    np.testing.assert_array_equal(again, values)
    assert same.evaluations <= walks.evaluations + 2
    more = part(13, 0)
    more.vectors[:12], more.codes[:12] = train.vectors, train.codes
    joined, longer, _players = methods.by_retraining(more, validation, 2, str(tmp_path), seed=1)
    assert longer.orders.shape == (60, 13) and joined.argmin() == 5
    fewer = part(12, 0)  # the wrong label is corrected: nothing of the orders holds any more
    fresh, anew, _players = methods.by_retraining(fewer, validation, 2, str(tmp_path), seed=1)
    assert fresh[5] > 0 and anew.orders.shape == (60, 12)
    assert methods._read(tmp_path / methods.FILE, part(39, 1, 1000)) is None
