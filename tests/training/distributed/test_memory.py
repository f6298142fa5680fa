from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest
import torch

from tests.forked import Ranks
from tests.training.distributed import ranks
from training.distributed import activations, memory
from training.distributed.blocks import blocks, checkpoint_blocks
from training.distributed.engine import Engine
from training.distributed.layout import Layout
from training.distributed.memory import LayerCost
from training.distributed.shape import Shape, pool_share
from training.distributed.tasks import CAUSAL, CLASSIFY


@pytest.mark.parametrize(
    ("make", "task", "batches"),
    [(ranks.decoder, CAUSAL, ranks.token_batches), (ranks.encoder, CLASSIFY, ranks.text_batches)],
)
def test_measured_layers_keep_what_the_estimate_says(make, task, batches) -> None:  # type: ignore[no-untyped-def]
    model, batch = make(), batches()[0]
    costs = memory.measure_layers(model, task, batch)
    assert len(costs) == 2 and all(cost.seconds > 0 for cost in costs)
    shape = Shape.of(model, ranks.LENGTH)
    # The estimate counts a layer's input, which the layer before has made.
    widths = activations.Widths(product=4, norm=4)
    figures = activations.of_layer(shape, widths, "cpu") - 4 * shape.hidden
    estimate = ranks.ITEMS * ranks.LENGTH * figures
    assert [cost.bytes for cost in costs] == pytest.approx([estimate] * 2, rel=0.1)


def test_it_takes_the_layers_that_save_most_for_their_time() -> None:
    costs = [LayerCost(100, 1.0), LayerCost(300, 1.0), LayerCost(100, 0.1), LayerCost(50, 0.01)]
    assert memory.choose_layers(costs, 0) == []
    assert memory.choose_layers(costs, 50) == [3]
    assert memory.choose_layers(costs, 350) == [1, 3]
    assert memory.choose_layers(costs, 10_000) == [0, 1, 2, 3]


def test_it_gives_back_layers_that_turn_out_not_to_be_needed() -> None:
    costs = [LayerCost(10, 0.01), LayerCost(500, 1.0)]
    assert memory.choose_layers(costs, 500) == [1]


def test_layers_computed_again_keep_less_and_give_the_same_gradient() -> None:
    batch = ranks.token_batches()[0]

    def gradient(which: list[int]) -> tuple[torch.Tensor, list[int]]:
        model = ranks.decoder()
        checkpoint_blocks(model, which)
        costs = memory.measure_layers(model, CAUSAL, batch)
        CAUSAL.loss(CAUSAL.outputs(model, batch), batch["targets"]).backward()
        return next(blocks(model)[0].parameters()).grad, [cost.bytes for cost in costs]  # type: ignore[return-value]

    plain, kept = gradient([])
    again, less = gradient([0])
    assert torch.equal(plain, again)
    assert less[0] < 0.2 * kept[0] and less[1] == kept[1]


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="found no list of layers in Linear"):
        blocks(torch.nn.Linear(2, 2))


def test_what_a_person_has_set_for_the_allocator_stays() -> None:
    assert memory.allocator_settings({})["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    own = {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}
    assert memory.allocator_settings(own) == own


def test_a_program_gets_its_gpu_ready_as_the_environment_says() -> None:
    environment = {"TRAINING_GPU_POOL": "0.5"}
    assert memory.prepare(environment) == (memory.reserve(0.5) if torch.cuda.is_available() else 0)
    assert environment["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    assert [pool_share(text) for text in ("", "0", "0.8", "1")] == [0, 0, 0.8, 1]
    for wrong in ("much", "1.5", "-1", "nan"):
        with pytest.raises(ValueError, match=f"TRAINING_GPU_POOL: found '{wrong}', expected a share from 0"):
            memory.prepare({"TRAINING_GPU_POOL": wrong})
    with pytest.raises(ValueError, match="share: found 0"):
        memory.reserve(0)


def of_a_peak(out: str) -> None:
    size = 64 * 2**20
    with memory.peak() as measured:
        before = memory.private_bytes()
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
            held.write(b"\1" * size)  # straight from the system: an allocator may have that much lying about
    told = {"size": size, "before": before, "peak": measured.bytes, "after": memory.private_bytes()}
    Path(out).write_text(json.dumps(told))


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="where there is a GPU its memory is measured")
@pytest.mark.xdist_group("ranks")
def test_the_peak_is_seen_after_it_has_passed(ranks: Ranks, tmp_path: Path) -> None:
    ranks.run(0, f"{__name__}:of_a_peak", str(tmp_path / "told"))  # here other threads take memory meanwhile
    told = json.loads((tmp_path / "told").read_text())
    if not told["before"]:
        pytest.skip("this system does not tell the private memory of a process")
    assert told["peak"] - told["before"] >= 0.9 * told["size"]
    assert told["after"] - told["before"] < 0.5 * told["size"]


def test_an_engine_computes_the_chosen_layers_again() -> None:
    batches = ranks.token_batches()[:3]
    engines = [
        Engine(ranks.decoder(), Layout(), CAUSAL, learning_rate=ranks.RATE, again=again)
        for again in (None, [1])
    ]
    plain, again = ([engine.step(batch) for batch in batches] for engine in engines)
    assert plain == again
    costs = memory.measure_layers(engines[1].model, CAUSAL, batches[0])
    assert costs[1].bytes < 0.2 * costs[0].bytes
