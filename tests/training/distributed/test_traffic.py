from __future__ import annotations

from training.distributed.footprint import FP32
from training.distributed.layout import Layout
from training.distributed.shape import GB, Machine, Shape
from training.distributed.traffic import bucket_bytes, persistence_threshold, traffic

SHAPE = Shape(parameters=10**6, layers=4, hidden=64, heads=4, vocabulary=1000, sequence=32)
FULL = 4 * 10**6  # bytes of all gradients


def test_copies_send_twice_their_gradients_as_ranks_grow() -> None:
    assert traffic(SHAPE, Layout(replicate=2)).total == FULL
    assert traffic(SHAPE, Layout(replicate=4)).total == 1.5 * FULL
    assert traffic(SHAPE, Layout()).total == 0


def test_dividing_weights_sends_half_as_much_again() -> None:
    """Rajbhandari et al. 2020, section 7: stages 1 and 2 as much as plain copies, stage 3 half more."""
    assert traffic(SHAPE, Layout(shard=2, zero=2)).total == FULL
    assert traffic(SHAPE, Layout(shard=2, zero=3)).total == 1.5 * FULL
    # torch's own ZeRO-1 sums gradients everywhere, then sends the weights: half more as well.
    assert traffic(SHAPE, Layout(replicate=2, zero=1)).total == 1.5 * FULL


def test_accumulation_gathers_weights_again_but_sends_gradients_once() -> None:
    once, twice = (traffic(SHAPE, Layout(shard=2, zero=3, accumulation=n)).data for n in (1, 2))
    assert twice - once == FULL
    assert traffic(SHAPE, Layout(replicate=2, accumulation=8)).total == FULL


def test_cut_matrices_send_activations_four_times_a_layer() -> None:
    found = traffic(SHAPE, Layout(tensor=2, micro_batch=8))
    edge = 8 * 32 * 64 * FP32.activation
    assert found.tensor == 4 * 4 * edge  # four sums in each of four layers, a ring of two sends each once
    assert found.data == found.pipeline == 0
    again = traffic(SHAPE, Layout(tensor=2, micro_batch=8, checkpointing="full"))
    assert again.tensor == 6 * 4 * edge


def test_stages_send_the_edge_both_ways_for_each_micro_batch() -> None:
    found = traffic(SHAPE, Layout(pipeline=2, accumulation=4, micro_batch=2))
    assert found.total == found.pipeline == 2 * 4 * (2 * 32 * 64 * 4)


def test_a_bucket_suits_the_link_and_leaves_room_to_overlap() -> None:
    large = Shape(parameters=7 * GB, layers=32, hidden=4096, heads=32, vocabulary=32_000, sequence=512)
    near = Machine(kind="cuda", devices=8, memory=80 * GB)
    far = Machine(kind="cuda", devices=32, memory=80 * GB)
    assert bucket_bytes(near, Layout(replicate=8), large) == 200 * 2**20
    assert bucket_bytes(far, Layout(replicate=32), large) == 40_000_000
    assert bucket_bytes(near, Layout(replicate=8), SHAPE) == 2**20
    assert persistence_threshold(large) == 40_960
