"""Language models to start from and what was made of them: folders in, models out. Never code, never a hub.

A tuned model's folder holds either a LoRA adapter (adapter_config.json, adapter_model.safetensors), which needs
its base beside it, or whole weights (config.json, model.safetensors).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from torch import Tensor, nn

from jobs import program
from training.learning import dialogues, language_model, precision, text_model
from training.learning.precision import Asked
from training.objectives.language import REWARD

ADAPTER_CONFIG = "adapter_config.json"
LORA_DROPOUT = 0.05
_HEAD = "score.weight"


class RewardHead(nn.Linear):
    """Float32 whatever its body is multiplied in: it learns even under an adapter, and rewards count by their
    differences, which bfloat16's three digits would lose.
    """

    @classmethod
    def of(cls, head: nn.Linear) -> RewardHead:
        """As `head`, whose weights it takes."""
        found = cls(head.in_features, head.out_features, bias=head.bias is not None, device="meta")
        found.load_state_dict(head.float().state_dict(), assign=True)
        return found.requires_grad_()

    def forward(self, states: Tensor) -> Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return super().forward(states.to(self.weight.dtype))


def dtype_of(asked: Asked) -> torch.dtype:
    """The type that the frozen weights are held and multiplied in."""
    chosen = precision.choose(asked, text_model.device()).precision
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[chosen]


def folder_of(base: str, models: str) -> Path:
    """The folder of a base model; a GGUF file is unpacked to `models` the first time (see language_model)."""
    path = Path(base)
    if path.suffix != ".gguf":
        return path
    if not language_model.converted_path(path, Path(models)).is_dir():
        program.progress(0, 1, "unpacking the language model, once")
    return language_model.convert(path, Path(models))


def load_tokenizer(folder: Path) -> Any:
    """With a chat template and a padding token; pads on the right.

    Raises:
        ValueError: there is none.
    """
    text_model.be_quiet()
    try:
        found = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, padding_side="right", trust_remote_code=False
        )
    except Exception as error:  # transformers raises its libraries' own kinds for a damaged file
        raise ValueError(f"{folder} holds no tokenizer that can be loaded ({_first_line(error)})") from error
    return dialogues.ready(found)


def load_base(folder: Path, objective: str, dtype: torch.dtype, tokenizer: Any) -> Any:
    """A causal language model, or for a reward model the same body with one output; its head then begins at
    random by torch's seed (see `RewardHead`).

    Raises:
        ValueError: no such model there, or its weights are damaged.
    """
    text_model.be_quiet()
    options: dict[str, Any] = {
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": False,
        "dtype": dtype,
        "output_loading_info": True,
    }
    kind: Any = transformers.AutoModelForCausalLM
    if objective == REWARD:
        kind = transformers.AutoModelForSequenceClassification
        options["num_labels"] = 1
    try:
        model, found = kind.from_pretrained(str(folder), **options)
    except Exception as error:
        raise ValueError(f"{folder} cannot be loaded as a language model ({_first_line(error)})") from error
    lacking = [name for name in found["missing_keys"] if not name.startswith("score.")]
    if lacking:  # transformers would fill them with random numbers and go on
        raise ValueError(
            f"{folder} cannot be loaded: {len(lacking)} of its tensors are missing ({lacking[0]})"
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.use_cache = False
    if objective == REWARD:
        model.score = RewardHead.of(model.score)
        _read_head(folder, model.score)
    return model


def _read_head(folder: Path, head: RewardHead) -> None:
    """As it was saved, where it was tuned with all weights: transformers rounds it to the body's type."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as held:
            if _HEAD in held.keys():  # noqa: SIM118 - no dict
                head.load_state_dict({"weight": held.get_tensor(_HEAD).float()})


def with_adapter(model: Any, objective: str, rank: int, alpha: int, dropout: float) -> Any:
    """The model with a LoRA adapter (Hu et al. 2021) on every linear layer of its body; a reward head learns
    whole. What learns is float32 whatever the model is.
    """
    import peft

    return peft.get_peft_model(model, adapter(objective, rank, alpha, dropout))


def adapter(objective: str, rank: int, alpha: int, dropout: float) -> Any:
    """The settings of `with_adapter`'s adapter."""
    import peft

    return peft.LoraConfig(
        task_type=peft.TaskType.SEQ_CLS if objective == REWARD else peft.TaskType.CAUSAL_LM,
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear",
        modules_to_save=["score"] if objective == REWARD else None,
    )


def load_tuned(folder: Path, base: Path, objective: str, dtype: torch.dtype, tokenizer: Any) -> Any:
    """What a run left in its folder `model`, in evaluation mode.

    Raises:
        ValueError: it is damaged.
    """
    if not (folder / ADAPTER_CONFIG).is_file():
        return load_base(folder, objective, dtype, tokenizer).eval()
    import peft

    body = load_base(base, objective, dtype, tokenizer)
    try:
        return peft.PeftModel.from_pretrained(body, str(folder), is_trainable=False).eval()
    except Exception as error:
        raise ValueError(
            f"{folder} cannot be loaded as an adapter of {base.name} ({_first_line(error)}): train it again"
        ) from error


def has_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file()


def parameters(model: Any) -> tuple[int, int]:
    """How many it has, and how many of them learn."""
    counts = [(value.numel(), value.requires_grad) for value in model.parameters()]
    return sum(n for n, _learns in counts), sum(n for n, learns in counts if learns)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
