"""Communication hooks on two real processes, and what transformers makes of two processes and of FSDP."""

from __future__ import annotations

from typing import Any

import pytest

from training.distributed import compress

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]

ENTRIES = 64 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4
TENTHS = 410 + 6 + 410 + 6 + 26 + 1  # of each of these
STEPS = 28  # counted: the first two are for building buckets
Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def two(two_ranks: list[dict[str, Any]]) -> Found:
    return [rank["hooks"] for rank in two_ranks]


@pytest.mark.parametrize("method", ["none", "topk", "topk_all", "fp16"])
def test_it_counts_exactly_what_collectives_were_given(two: Found, method: str) -> None:
    for rank in two:
        assert rank[method]["counted"] == rank[method]["met"] > 0
        assert rank[method]["steps"] == STEPS + 2


@pytest.mark.parametrize(
    ("method", "an_entry"), [("none", 4), ("topk", 8 * TENTHS / ENTRIES), ("topk_all", 8), ("fp16", 2)]
)
def test_it_really_sends_so_many_bytes(two: Found, method: str, an_entry: float) -> None:
    assert two[0][method]["met"] == pytest.approx(STEPS * ENTRIES * an_entry, rel=0.001)


def test_power_sgd_sends_factors_once_it_has_begun(two: Found) -> None:
    """Two matrices of 64 x 64 at rank 2, and 388 entries that are not worth it, after ten plain steps. Its
    second sum starts in another thread, where the meter does not see it.
    """
    factors = 2 * (64 + 64) * 2 + 64 * 4 + 64 + 64 + 4
    assert two[0]["powersgd"]["counted"] == 4 * (8 * ENTRIES + 20 * factors)


def test_power_sgd_goes_through_with_several_buckets(two: Found) -> None:
    """Its second sums start in threads: with several buckets on the way ranks would mix them up, and crash."""
    one, several = two[0]["powersgd"], two[0]["powersgd_buckets"]
    assert several["counted"] == one["counted"]
    assert several["losses"][:11] == pytest.approx(one["losses"][:11], abs=1e-5)  # plain until then
    assert several["losses"][-5:] == pytest.approx(one["losses"][-5:], abs=0.1)


@pytest.mark.parametrize("method", ["topk", "topk_all", "powersgd", "powersgd_buckets", "fp16"])
def test_ranks_stay_equal_to_the_last_bit(two: Found, method: str) -> None:
    assert two[0][method]["weights"] == two[1][method]["weights"]


def test_sending_everything_is_plain_ddp(two: Found) -> None:
    assert two[0]["topk_all"]["weights"] == pytest.approx(two[0]["none"]["weights"], abs=1e-5)
    assert two[0]["fp16"]["losses"] == pytest.approx(two[0]["none"]["losses"], abs=1e-2)


def test_a_tenth_of_the_entries_with_what_was_left_over_learns_as_well(two: Found) -> None:
    plain, sparse = two[0]["none"]["losses"], two[0]["topk"]["losses"]
    assert sum(plain[-5:]) < 0.8 * sum(plain[:5])
    assert sum(sparse[-5:]) < 0.9 * sum(sparse[:5])
    assert set(two[0]["topk"]["calls"]) >= {"all_gather"}


def test_it_says_what_does_not_go(two: Found) -> None:
    assert (
        two[0]["bf16"] == "compression: gloo (CPU) cannot add bf16 gradients up: use fp16, or GPUs with NCCL"
    )
    assert two[0]["zip"] == "compression: found 'zip', expected one of none, topk, powersgd, fp16, bf16"
    assert two[0]["batched"] == (
        "compression: batched PowerSGD was seen failing on gloo (CPU) and is not offered: use powersgd, which "
        "works bucket by bucket"
    )


def test_the_plain_trainer_doubles_an_encoders_loss_and_gradient_at_two_ranks(two: Found) -> None:
    """Why our own trainer sets average_tokens_across_devices to false; goes once transformers mends it."""
    doubled, mended = two[0]["trainer"], two[0]["trainer_mended"]
    assert doubled["wrapper"] == mended["wrapper"] == "DistributedDataParallel"
    assert doubled["gradient"] == pytest.approx(2 * mended["gradient"], rel=1e-4)
    assert doubled["loss"] == pytest.approx(2 * mended["loss"], rel=1e-4)


def test_the_trainer_takes_fsdp_on_cpu_and_runs_ddp(two: Found) -> None:
    """Why `fsdp` calls fully_shard itself."""
    assert two[0]["trainer_fsdp"]["wrapper"] == "DistributedDataParallel"
    assert not two[0]["trainer_fsdp"]["sharded"]


def test_the_trainer_refuses_a_model_whose_matrices_are_cut_on_cpu(two: Found) -> None:
    """Why `spread` cuts matrices itself, and tells accelerate that nothing is left to wrap."""
    for rank in two:
        assert rank["trainer_cut"].startswith(
            "ValueError: ParallelismConfig is only compatible DistributedType.FSDP"
        )
        assert rank["trainer_cut"].endswith("but got DistributedType.MULTI_CPU.")


def test_a_slow_wire_is_warned_of() -> None:
    wire = compress.Wire(method="none", sent=400, plain=400, steps=1, waited=0.35, working=0.05)
    report = wire.report(1.0)
    assert report["share_of_time"] == 0.4
    assert report["warning"] == (
        "40 % of the time goes into sending gradients: use larger micro-batches, compression (topk or fp16), "
        "or fewer processes"
    )
    assert "warning" not in wire.report(2.0)


def test_a_share_of_nothing_is_refused() -> None:
    for share in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"compression_share: found {share}, expected a number above 0"):
            compress.TopK(None, share)  # type: ignore[arg-type]


def test_bf16_is_refused_where_it_was_seen_failing_alone() -> None:
    for backend in ("", "nccl"):
        compress.check("bf16", backend=backend)
    with pytest.raises(ValueError, match="gloo .CPU. cannot add bf16 gradients up: use fp16"):
        compress.check("bf16", backend="gloo")
