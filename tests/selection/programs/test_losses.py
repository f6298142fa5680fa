"""Losses that are kept: read where they are, worked out where they are lacking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from selection.programs import losses
from selection.strategies import hardness
from tests.selection.programs.test_pick import ITEMS, order, picks

__all__ = ["order"]


def kept(folder: Path, order: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """What a first pick worked out, of some of its rows, as columns are given to the next."""
    every, target = np.load(order["rows"]), folder / "kept"
    target.mkdir()
    np.save(target / "rows.npy", rows)
    np.save(target / "pool.npy", np.load(folder / "hardness.npy")[np.isin(every, rows)])
    labelled = pq.read_table(order["labelled"])["row"].to_numpy()
    np.save(target / "labelled.npy", np.sort(labelled))
    np.save(target / "losses.npy", np.load(folder / "losses.npy"))
    return {
        "hardness": [{"values": str(target / "pool.npy"), "rows": str(target / "rows.npy")}],
        "losses": [{"values": str(target / "losses.npy"), "rows": str(target / "labelled.npy")}],
    }


def test_what_is_kept_gives_the_same_picks_and_nothing_is_worked_out(
    order: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, folder = picks(order, strategy="blend")
    assert f"hardness: {ITEMS} of {ITEMS} items to work out" in capsys.readouterr().out
    found = np.load(folder / "hardness.npy")
    assert found.shape == (ITEMS, 2) and found.dtype == np.float64
    columns = kept(folder, order, np.load(order["rows"]))
    monkeypatch.setattr(hardness, "cross_validated_losses", None)
    monkeypatch.setattr(hardness, "carry_with_nearness", None)
    again, second = picks(order, strategy="blend", result=str(tmp_path / "again"), **columns)
    assert again == first
    assert f"hardness: 0 of {ITEMS} items to work out" in capsys.readouterr().out
    assert np.array_equal(np.load(second / "hardness.npy"), found)
    assert not (second / "losses.npy").exists()
    tags, others = (json.loads((one / "result.json").read_text()) for one in (folder, second))
    assert tags == others


def test_only_rows_that_came_later_are_worked_out(
    order: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = picks(order, strategy="hardness")
    columns = kept(folder, order, np.load(order["rows"])[:-7])
    asked = []
    plain = hardness.carry_with_nearness

    def counted(labelled: Any, own: Any, pool: Any, **options: Any) -> Any:
        asked.append((len(pool), options["of"]))
        return plain(labelled, own, pool, **options)

    monkeypatch.setattr(hardness, "carry_with_nearness", counted)
    monkeypatch.setattr(hardness, "cross_validated_losses", None)  # the labelled ones are all kept
    again, second = picks(order, strategy="hardness", result=str(tmp_path / "again"), **columns)
    assert asked == [(7, ITEMS)]
    assert [one["row"] for one in again] == [one["row"] for one in first]
    np.testing.assert_allclose(np.load(second / "hardness.npy"), np.load(folder / "hardness.npy"), atol=1e-6)


def test_labelled_losses_that_lack_an_item_are_measured_anew(order: dict[str, Any], tmp_path: Path) -> None:
    first, folder = picks(order, strategy="hardness")
    columns = kept(folder, order, np.load(order["rows"])[:0])
    shard = columns["losses"][0]
    for name in shard.values():
        np.save(name, np.load(name)[:-1])
    again, second = picks(
        order, strategy="hardness", result=str(tmp_path / "again"), losses=columns["losses"]
    )
    assert again == first
    assert np.array_equal(np.load(second / "losses.npy"), np.load(folder / "losses.npy"))


def test_a_strategy_without_hardness_keeps_no_losses(order: dict[str, Any]) -> None:
    _picks, folder = picks(order, strategy="margin")
    assert not (folder / "hardness.npy").exists() and not (folder / "losses.npy").exists()


def test_other_labels_vectors_or_seeds_have_another_name() -> None:
    rows, labels = np.arange(3), np.array(["a", "b", "a"])
    names = {
        losses.key(rows, labels, embedding_key="e", seed=1),
        losses.key(rows + 1, labels, embedding_key="e", seed=1),
        losses.key(rows, np.array(["a", "b", "b"]), embedding_key="e", seed=1),
        losses.key(rows, labels, embedding_key="e", seed=2),
        losses.key(rows, labels, embedding_key="e-middle", seed=1),
    }
    assert len(names) == 5
    assert losses.key(rows.copy(), labels.astype("U20"), embedding_key="e", seed=1) in names
    assert {losses.is_by(name, "e") for name in names} == {True, False}
    assert sum(losses.is_by(name + losses.POOL, "e") for name in names) == 4
