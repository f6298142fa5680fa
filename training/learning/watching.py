"""What a training run cost: where its time and memory went, what its ranks sent, and the plan it ran under.

Added to a trainer as a callback. It also puts the hook on that sends gradients compressed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs import program
from training.distributed import compress, plan, profile, settling
from training.distributed.footprint import FP32, Precision
from training.distributed.memory import Peak, give_back, held_bytes
from training.distributed.reasons import Reason
from training.distributed.shape import NOTHING_BESIDE, Beside, Machine, Shape
from training.distributed.spread import Spread
from training.distributed.wire import Meter
from training.learning.surviving import SurvivingTrainer

FIRST_PROFILED = 5  # steps before it warm caches and allocators up


@dataclass
class Drawn:
    """What a trainer that draws what it learns from has drawn: seconds it took, tokens and rows learnt from."""

    seconds: float = 0.0
    tokens: int = 0
    rows: int = 0


class Watch(TrainerCallback):
    """Watches one trainer. `figures()` tells, once training is over.

    What PowerSGD has left over is not part of a checkpoint: torch keeps it by bucket, and a run that is taken up
    again cuts its buckets anew.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        compression: str = "none",
        compression_share: float = compress.SHARE,
        profile_steps: int,
        folder: Path,
        longest: int,
        spread: Spread,
        asked: str = "auto",
        takes: Precision = FP32,
        tile: int | None = None,
        beside: Beside = NOTHING_BESIDE,
        drawn: Drawn | None = None,
    ) -> None:
        """Args:
        compression: of gradients between ranks, see `compress.METHODS`. compression_share: of top-k.
        profile_steps: steps for torch's profiler, 0 for none; its trace goes to `folder`, of rank 0.
        longest: tokens of the longest item. spread: the layout over ranks, as it was applied. asked: its name.
        takes: bytes a parameter, for the plan. tile: of a language model, and beside: see `Shape`.
        drawn: of a trainer that draws replies; it counts there.
        """
        self.drawn = drawn or Drawn()
        self.trainer, self.takes, self.tile, self.beside = trainer, takes, tile, beside
        self.compression, self.compression_share = compression, compression_share
        self.longest, self.spread, self.layout, self.asked = longest, spread, spread.layout, asked
        self.meter: Meter | None = None  # of one step
        self._metering = False
        self.wire: compress.Wire | None = None
        self.peak, self.before = Peak(), 0
        self.waited = self.stepping = self.total = 0.0
        self.tokens, self.rows, self._mark, self._first = 0, 0, 0.0, 0
        self.profiler: profile.StepProfiler | None = None
        if profile_steps and trainer.args.process_index == 0:
            self.profiler = profile.StepProfiler(folder, first=FIRST_PROFILED, count=profile_steps)
        self._fetch = trainer.get_batch_samples
        # The trainer fetches its batches by this method and tells no callback of it.
        trainer.get_batch_samples = self._timed_fetch  # type: ignore[method-assign]

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        model = self.trainer.model_wrapped
        # One rank under torchrun is wrapped too, and has nobody to send to.
        if isinstance(model, DistributedDataParallel) and args.world_size > 1:
            self.wire = compress.attach(model, self.compression, share=self.compression_share)
            if self.wire.sparse is not None and isinstance(self.trainer, SurvivingTrainer):
                self.trainer.send_sparsely(self.wire.sparse)
        give_back()
        self.before, self._first = held_bytes(), state.global_step
        self.peak.begin()
        self.total = -time.perf_counter()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.profiler is not None:
            self.profiler.step(state.global_step - self._first)
        if args.world_size > 1 and state.global_step == self._first + 1:  # the second: all state is there
            self.meter, self._metering = Meter(), True
            self.meter.__enter__()
        self._mark = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._end_metering()
        self.stepping += time.perf_counter() - self._mark

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.total += time.perf_counter()
        if self.profiler is not None:
            self.profiler.end()
        self.peak.end()
        if self.wire is not None and args.process_index == 0:
            report = self.wire.report(max(self.total, 1e-9))
            if "warning" in report:
                program.log(report["warning"])

    def close(self) -> None:
        """The attempt is over, however it ended."""
        self._end_metering()
        if self.profiler is not None:
            self.profiler.abandon()

    def figures(self, model: Any, outputs: int | None) -> dict[str, Any]:
        """For result.json: `plan`, `resources`, and what the profiler saw as `profile`.

        Args:
            model: a transformers model; of an encoder without its head.
            outputs: figures it gives an item; None: one for each word of its vocabulary at each token.
        """
        shape = Shape.of(model, self.longest, outputs=outputs, tile=self.tile, beside=self.beside)
        ranks = self.trainer.args.world_size
        explained = plan.explain(self.layout, shape, Machine.here(ranks), self.takes)
        told = [*settling.regrouped(self.asked, ranks, shape), *explained.reasons]
        found: dict[str, Any] = {
            "plan": replace(explained, reasons=told).to_json(),
            "layout_ran": self._ran(),
            "resources": self._resources(replace(shape, sequence=max(1, self._mean_length()))),
        }
        if self.profiler is not None and self.profiler.steps:
            found["profile"] = profile.read(self.profiler)
        return found

    def trace(self) -> Path | None:
        """Where the profiler left its trace."""
        if self.profiler is None:
            return None
        path = self.profiler.folder / profile.TRACE
        return path if path.is_file() else None

    def _ran(self) -> dict[str, Any]:
        """What was claimed, and what was seen: how weights lay, and what rank 0 handed over in one step."""
        seen = self.meter
        return {
            "name": self.layout.name,
            "placements": self.spread.ran,
            "calls_a_step": dict(seen.calls) if seen else {},
            "bytes_a_step": dict(seen.bytes) if seen else {},
        }

    def _end_metering(self) -> None:
        if self._metering and self.meter is not None:
            self._metering = False
            self.meter.__exit__(None, None, None)

    def _timed_fetch(self, *args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        if self.profiler is not None:
            with self.profiler.waiting():
                found = self._fetch(*args, **kwargs)
        else:
            found = self._fetch(*args, **kwargs)
        self.waited += time.perf_counter() - begun
        for batch in found[0]:
            if isinstance(batch, Mapping):  # else prompts, whose replies are still to be drawn
                ids = batch["ids" if "ids" in batch else "input_ids"]
                self.tokens += ids.numel()
                self.rows += len(ids)
        return found

    def _taken(self) -> int:
        """Steps since the run was begun or taken up."""
        return self.trainer.state.global_step - self._first

    def _mean_length(self) -> int:
        return round((self.tokens + self.drawn.tokens) / max(1, self.rows + self.drawn.rows))

    def _counts_sending(self) -> bool:
        """Whether all that this rank sent went by DDP's hooks, which alone are timed: under ZeRO-1 the updated
        weights do not, under FSDP2 and TP nothing does, and gradient surgery sends for itself.
        """
        if self.trainer.args.world_size == 1:
            return True
        return self.wire is not None and self.wire.steps > 0 and self.layout.zero == 0

    def _resources(self, shape: Shape) -> dict[str, Any]:
        sending = self.wire.waited + self.wire.working if self.wire else 0.0
        drawing, tokens = self.drawn.seconds, self.tokens + self.drawn.tokens
        whole = max(self.total, self.stepping + self.waited, 1e-9)
        half = getattr(self.trainer, "precision", "fp32") == "bf16"
        dtype = torch.bfloat16 if half else torch.float32
        rate = profile.matrix_rate(self.trainer.args.device, dtype)
        told = {"together": self.stepping - drawing}  # what is not measured is not told
        if self._counts_sending():
            told = {"compute": max(0.0, self.stepping - sending - drawing), "communication": sending}
        found: dict[str, Any] = {
            "shares": {
                **{name: round(seconds / whole, 4) for name, seconds in told.items()},
                "waiting": round(self.waited / whole, 4),
                "beside": round(max(0.0, whole - self.stepping - self.waited) / whole, 4),
            },
            "utilisation": round(profile.flops(shape, tokens) / max(self.stepping - drawing, 1e-9) / rate, 4),
            "matrix_rate": round(rate),
            "peak_bytes": self.peak.bytes,
            "before_bytes": self.before,
            "threads": torch.get_num_threads(),
        }
        if drawing:
            found["shares"]["drawing"] = round(drawing / whole, 4)
        found["advice"] = [reason.to_json() for reason in self._advice(found["shares"], self._taken())]
        if self.wire is not None:
            found["communication"] = self.wire.report(whole)
        return found

    @staticmethod
    def _advice(shares: dict[str, float], steps: int) -> list[Reason]:
        if steps <= FIRST_PROFILED:
            return [Reason("too_few", steps=steps)]
        told = []
        if "communication" not in shares:
            told.append(Reason("sending_unmeasured"))
        elif shares["communication"] > compress.MUCH:
            told.append(Reason("much_communication", share=f"{100 * shares['communication']:.0f} %"))
        if shares["waiting"] > profile.MUCH_WAIT:
            told.append(Reason("much_waiting", share=f"{100 * shares['waiting']:.0f} %"))
        return told
