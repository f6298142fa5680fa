from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest

from jobs import program
from selection.programs import embed
from tests import training_kit as kit
from training.learning.encoder import Encoder, encoder_key


@pytest.mark.slow
def test_it_writes_what_the_encoder_gives_in_several_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "READ_ROWS", 7)
    tiny = kit.tiny_encoder(tmp_path / "tiny")
    texts = [text for text, _label in kit.messages(30)]
    path = kit.write_texts(tmp_path / "texts.parquet", texts, list(range(100, 130)))
    embed.work({"result": str(tmp_path / "out"), "texts": str(path), "encoder": str(tiny)})
    program.verify_manifest(tmp_path / "out")
    found = np.load(tmp_path / "out" / "embeddings.npy", mmap_mode="r")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, Encoder.load(tiny).encode(texts), atol=1e-5)
    assert (np.load(tmp_path / "out" / "rows.npy") == np.arange(100, 130)).all()
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["encoder"], result["width"], result["n"]) == (encoder_key(tiny), 32, 30)


@pytest.mark.slow
def test_it_embeds_by_the_layer_asked_for(tmp_path: Path) -> None:
    tiny = kit.tiny_encoder(tmp_path / "tiny")
    path = kit.write_texts(tmp_path / "texts.parquet", ["where is my card", "refund"])
    order = {"result": str(tmp_path / "out"), "texts": str(path), "encoder": str(tiny), "layer": "middle"}
    embed.work(order)
    expected = Encoder.load(tiny, layer="middle").encode(["where is my card", "refund"])
    np.testing.assert_allclose(np.load(tmp_path / "out" / "embeddings.npy"), expected, atol=1e-5)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["encoder"], result["layer"]) == (f"{encoder_key(tiny)}-middle", "middle")


@pytest.mark.slow
def test_it_runs_as_a_program_and_says_when_the_disk_is_full(tmp_path: Path) -> None:
    tiny = kit.tiny_encoder(tmp_path / "tiny")
    path = kit.write_texts(tmp_path / "texts.parquet", [text for text, _label in kit.messages(300)])
    spec = {"spec_version": 1, "result": str(tmp_path / "out"), "texts": str(path), "encoder": str(tiny)}

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    module = "selection.programs.embed"
    outcome = kit.finish(kit.start(module, spec, tmp_path / "spec.json", preexec_fn=no_large_files))
    assert outcome.code == program.EXIT_REFUSED and "the disk is full" in outcome.error
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*tmp*"))
    outcome = kit.run(module, spec, tmp_path / "spec.json")
    assert outcome.code == 0 and outcome.lines == []
    assert outcome.of("progress")[-1]["text"] == "embedding 300 of 300"


def test_it_refuses_what_it_cannot_embed(tmp_path: Path) -> None:
    path = kit.write_texts(tmp_path / "texts.parquet", ["x"])
    spec = {"result": str(tmp_path / "out"), "texts": str(path), "encoder": str(tmp_path)}
    with pytest.raises(program.Refused, match="expected the folder of an encoder"):
        embed.work(spec)
    with pytest.raises(program.Refused, match="there is no layer 'first'"):
        embed.work({**spec, "layer": "first"})
    with pytest.raises(program.Refused, match="batch_tokens: found 0"):
        embed.work({**spec, "batch_tokens": 0})
    with pytest.raises(program.Refused, match="nowhere"):
        embed.work({**spec, "texts": str(tmp_path / "nowhere.parquet")})
