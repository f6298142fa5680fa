"""Let a language model learn from its own replies what one's reward model likes (GRPO). Meant for GPU machines.

Prompts come from a frozen dataset of responses or preferences, rewards from a reward model that was tuned on
one's own preferences.

Result folder:
    model/       config.json, model.safetensors and tokenizer: whole weights, an adapter merged into them; it can
                 be opened as a tuned model, and registered as a base model
    result.json  mean reward of the likeliest replies to held-out prompts before and after, history
    spec.json    what was asked for
    trace.json.gz  what the profiler saw, if it was asked to look
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs import program
from training.distributed import checkpoint, communicate, memory
from training.distributed.recovery import positions
from training.distributed.survival import Survival
from training.learning import precision, text_model
from training.learning.watching import Watch
from training.objectives import language
from training.objectives.language import DPO, REWARD, SFT, Turns
from training.programs import language_watch, specs
from training.programs.reinforce_spec import ReinforceSpec
from training.programs.surviving_run import curve, leaving_with_the_others
from training.programs.trainer_arguments import on_one_device, saves, shared

WATCHED_PROMPTS = 32  # of the validation items
READ_BETA = 0.1  # of implied rewards, where leaving the base cost nothing
LEAST_LENGTH = 512  # tokens that the result reads, as a tune does
CURVE = {name: name for name in ("loss", "learning_rate", "reward", "kl")}


def work(data: dict[str, Any]) -> None:
    """The program, on every rank."""
    started = time.monotonic()
    with specs.clear_errors(data):
        run = _Run(ReinforceSpec.from_json(data))
        with leaving_with_the_others(run):
            run.perform(started)


class _Run:
    """One rank's part of a run."""

    def __init__(self, spec: ReinforceSpec) -> None:
        from training.learning import language_base
        from training.learning.tuned_model import TunedModel

        text_model.be_quiet()
        text_model.set_threads(spec.threads)
        memory.prepare()
        settled = precision.settled(spec.precision, text_model.device(), Path(spec.work))
        self.spec = spec = replace(spec, precision=settled.precision)
        self.survival: Survival | None = None
        self.costs: Watch | None = None  # of the last attempt
        self.base = language_base.folder_of(spec.base_model, spec.models)
        self.tokenizer = language_base.load_tokenizer(self.base)
        reward_base = language_base.folder_of(spec.reward_base, spec.models)
        self.judge = TunedModel(Path(spec.reward_model), reward_base, precision=spec.precision)
        if self.judge.objective != REWARD:
            raise ValueError(
                f"{spec.reward_model} is a model of {self.judge.objective}, expected a reward model: tune one "
                "on preferences first"
            )
        self.prompts, self.watched = self._prompts("train"), self._prompts("validation")[:WATCHED_PROMPTS]
        if not self.prompts:
            raise ValueError(f"{spec.data} holds no prompts to train on: label more items")

    def _prompts(self, split: str) -> list[Turns]:
        """Each different prompt once, in the order of the rows."""
        objective = SFT if self.spec.kind == language.RESPONSE else DPO
        found = language.read(Path(self.spec.data), split, objective)
        return list({json.dumps(one.prompt): one.prompt for one in found}.values())

    def perform(self, started: float) -> None:
        from training.learning import language_base

        spec = self.spec
        if text_model.device().type == "cpu":
            program.log(
                "this machine has no GPU: drawing replies takes hours here with a model of useful size"
            )
        self.own = Path(spec.work) / f"attempt-{communicate.attempt()}"
        self.args = self._arguments(self.own)  # joins the process group
        self.survival = Survival(Path(spec.work), self.own, spec.key(), self.args.device, spec.limits())
        trainer, before, resume = self.survival.attempt(self._train_from)
        assert self.costs is not None
        if communicate.rank() == 0:
            model = trainer.model
            costs = self.costs.figures(model, None)  # before an adapter is merged
            total, learning = language_base.parameters(model)
            whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
            figures = {
                **self._as_tuned(),
                "train_prompts": len(self.prompts),
                "parameters": total,
                "parameters_learning": learning,
                "tokens_per_s": round(trainer.drawn.tokens / max(trainer.drawn.seconds, 1e-9), 1),
                "steps": trainer.state.global_step,
                "resumed_from_step": checkpoint.step_of(resume) if resume else None,
                "recovered": self.survival.recovery.events,
                "reward_before": before,
                "reward": self._mean_reward(whole),
                "history": curve(trainer.state.log_history, CURVE),
                "world_size": communicate.world_size(),
                "device": str(self.args.device),
                **costs,
            }
            self._write(whole, figures, started)
            self.survival.clear()
            (Path(spec.work) / precision.FILE).unlink(missing_ok=True)
        communicate.barrier()
        self.survival.heart.stop("done")

    def _as_tuned(self) -> dict[str, Any]:
        """What makes the result a tuned model to whoever opens it: with a penalty on leaving the base, how much
        likelier a reply has become is its implied reward, as of DPO.
        """
        spec = self.spec
        return {
            "objective": SFT if spec.kind == language.RESPONSE else DPO,
            "adapter": spec.adapter,
            "base": spec.base or {"name": Path(spec.base_model).name},
            "beta": spec.beta or READ_BETA,
            "max_length": max(LEAST_LENGTH, self._longest()),
            "labels": [],
            "precision": "bf16" if self._is_half() else "fp32",
        }

    def _arguments(self, folder: Path) -> Any:
        from training.learning.reinforcing import GRPOConfig

        spec, ranks = self.spec, int(os.environ.get("WORLD_SIZE", "1"))
        if spec.batch_size % ranks:  # each rank draws whole groups or halves of them, all as many replies
            raise ValueError(
                f"batch_size: found {spec.batch_size}, which {ranks} processes cannot share evenly: use a "
                f"multiple of every number of processes that may come together"
            )
        told = shared(spec, folder, spec.steps, has_validation=False)
        told |= {
            "max_steps": spec.steps,
            "num_generations": spec.replies,
            "max_completion_length": spec.most_new_tokens,
            "temperature": spec.temperature,
            "beta": spec.beta,
            "bf16": self._is_half(),
            "gradient_checkpointing": False,
            "shuffle_dataset": False,
        }
        return on_one_device(GRPOConfig(**told))

    def _train_from(self, resume: Path | None) -> tuple[Any, float | None, Path | None]:
        import transformers

        from training.learning import language_base, reinforcing

        assert self.survival is not None
        spec, skipped = self.spec, self.survival.recovery.skipped
        transformers.set_seed(spec.seed)
        self.args.learning_rate = spec.learning_rate * self.survival.recovery.rate
        frozen = language_base.dtype_of(spec.precision if spec.adapter == "lora" else "fp32")
        model = language_base.load_base(self.base, SFT, frozen, self.tokenizer).to(self.args.device)
        before = self._mean_reward(model) if communicate.rank() == 0 else None
        a_step = spec.batch_size // spec.replies
        schedule = reinforcing.order(
            len(self.prompts), a_step=a_step, steps=spec.steps + len(skipped), seed=spec.seed
        )
        taken = positions(spec.steps, skipped)
        adapter = (
            language_base.adapter(SFT, spec.rank, 2 * spec.rank, 0.0) if spec.adapter == "lora" else None
        )
        self.args.ddp_bucket_cap_mb = language_watch.bucket(model, self._longest())
        trainer = reinforcing.Grpo(
            model,
            self.args,
            self.tokenizer,
            prompts=[self.prompts[at] for at in schedule[taken].reshape(-1)],
            positions=taken,
            reward=self._rewards,
            survival=self.survival,
            adapter=adapter,
        )
        if self.costs is not None:
            self.costs.close()
        self.costs = language_watch.watch(
            trainer,
            items=spec.batch_size,
            longest=self._longest(),
            adapter=spec.adapter,
            dtype=language_base.dtype_of(spec.precision),
            saved=saves(self.args, spec.steps),
            profile_steps=spec.profile_steps,
            folder=self.own / "profile",
            drawn=trainer.drawn,
        )
        if resume and communicate.rank() == 0:
            program.log(f"going on from step {checkpoint.step_of(resume)}")
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        return trainer, before, resume

    def _is_half(self) -> bool:
        from training.learning import language_base

        return "bfloat16" in str(language_base.dtype_of(self.spec.precision))

    def _longest(self) -> int:
        """Tokens of the longest prompt with as long a reply as may be."""
        told = self.tokenizer.apply_chat_template(self.prompts, add_generation_prompt=True, return_dict=True)
        return max(len(ids) for ids in told["input_ids"]) + self.spec.most_new_tokens

    def _rewards(self, prompts: Sequence[Turns], replies: Sequence[str]) -> Any:
        spoken = [self.judge.spoken(p, reply or " ") for p, reply in zip(prompts, replies, strict=True)]
        return self.judge.scores(spoken)

    def _mean_reward(self, model: Any) -> float | None:
        """Of the likeliest replies to the validation prompts; None where there are none."""
        from training.learning import drafting

        if not self.watched:
            return None
        model.eval()
        self.tokenizer.padding_side = "left"
        told = drafting.drafts(model, self.tokenizer, self.watched, most_new_tokens=self.spec.most_new_tokens)
        replies = [draft.text for draft in told]
        model.train()
        return round(float(np.mean(self._rewards(self.watched, replies))), 6)

    def _write(self, model: Any, figures: dict[str, Any], started: float) -> None:
        spec = self.spec
        with program.result_folder(spec.result) as folder:
            target = folder / "model"
            target.mkdir()
            self.tokenizer.padding_side = "right"
            model.save_pretrained(str(target))
            self.tokenizer.save_pretrained(str(target))
            if self.costs is not None and (trace := self.costs.trace()):
                shutil.copyfile(trace, folder / trace.name)
            (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
            result = {
                "spec_version": specs.SPEC_VERSION,
                "learner": "reinforce",
                **figures,
                "seconds": round(time.monotonic() - started, 2),
            }
            (folder / "result.json").write_text(
                json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
            )


if __name__ == "__main__":
    program.main(work)
