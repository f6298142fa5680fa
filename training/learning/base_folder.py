"""Whether a folder holds a model that can be trained here: plain safetensors, and nothing that runs.

No torch: only headers are read, so a model of many gigabytes is looked at in moments.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts.sentences import Sentence, SentenceError
from accounts.sentences import gettext_noop as _
from training.distributed.layout import Shared

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
_MOST_HEADER = 100 * 2**20
_INDEX = "model.safetensors.index.json"
# Encoders that fine-tunes were tried on, by `model_type`; those that count positions from their padding's number
# on reach so many tokens fewer.
ENCODERS = (
    *("bert", "camembert", "deberta-v2", "distilbert", "electra", "ernie"),
    *("modernbert", "mpnet", "roberta", "xlm-roberta"),
)
_FROM_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
_HEADS = ("num_attention_heads", "n_heads", "n_head")  # most families', DistilBERT's, GPT-2's
_SETTINGS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
)


class BadFolder(SentenceError):
    """A folder that holds no model which can be trained here."""


@dataclass(frozen=True, kw_only=True)
class BaseFolder:
    """`fingerprint`: of the configuration, the tokenizer and each weight file's header, size and ends; a folder
    that changes gets another one. `context`: the most tokens it reads; 0 if its configuration does not say.
    `is_encoder`: it is fine-tuned on labels; else it is a causal language model.
    """

    is_encoder: bool
    architecture: str
    parameters: int
    context: int
    fingerprint: str


def examine(folder: Path) -> BaseFolder:
    """Look at a folder as transformers saves it.

    Raises:
        BadFolder: it is neither an encoder nor a causal language model, asks for code of its own, or holds
            weights in a format that can run code when it is read.
    """
    if not folder.is_dir():
        raise BadFolder(_("%(path)s is no folder: give the folder of a model on this machine"), path=folder)
    config = config_of(folder)
    _refuse_code(folder, config)
    names = [str(name) for name in config.get("architectures") or ()]
    causal = [name for name in names if name.endswith(("ForCausalLM", "LMHeadModel"))]
    is_encoder = not causal and config.get("model_type") in ENCODERS
    if not causal and not is_encoder:
        raise BadFolder(
            _(
                "%(path)s names the architecture %(found)s, expected a causal language model or an encoder "
                "(%(encoders)s)"
            ),
            path=folder,
            found=", ".join(names) or Sentence(_("none")),
            encoders=", ".join(ENCODERS),
        )
    weights = _weights(folder)
    # Spans ask where a token lies in its text, and only a tokenizer.json can tell.
    able = ("tokenizer.json",) if is_encoder else ("tokenizer.json", "tokenizer.model", "vocab.json")
    if not any((folder / name).is_file() for name in able):
        raise BadFolder(
            _("%(path)s holds no tokenizer (tokenizer.json): save it beside the weights"), path=folder
        )
    digest = hashlib.sha256()
    for name in _SETTINGS:
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    parameters = 0
    for path in weights:
        header, raw = _header(path)
        try:
            shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
            parameters += sum(math.prod(shape) for shape in shapes)
        except (KeyError, TypeError) as error:
            raise BadFolder(
                _("%(path)s has a tensor without a shape: save the model again"), path=path
            ) from error
        digest.update(path.name.encode() + raw + _ends(path))
    return BaseFolder(
        is_encoder=is_encoder,
        architecture=causal[0] if causal else ", ".join(names) or str(config["model_type"]),
        parameters=parameters,
        context=context_of(config),
        fingerprint=digest.hexdigest(),
    )


def context_of(config: dict[str, Any]) -> int:
    """The most tokens that a model reads, by its config.json; 0 if that does not say.

    >>> context_of({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1})
    512
    """
    places = int(config.get("max_position_embeddings") or config.get("n_positions") or 0)
    if config.get("model_type") not in _FROM_PADDING:
        return places
    pad = config.get("pad_token_id")
    return max(0, places - int(1 if pad is None else pad) - 1)


def shared_of(config: dict[str, Any]) -> Shared:
    """What ranks that cut the model would share, by its config.json.

    Raises:
        BadFolder: it says something else than numbers.

    >>> shared_of({"n_heads": 12}).kv_heads
    12
    """
    heads = next((config[name] for name in _HEADS if config.get(name)), 0)
    kv, inner = config.get("num_key_value_heads") or heads, config.get("intermediate_size") or 0
    for value in (heads, kv, inner):
        if type(value) is not int:
            raise BadFolder(
                _("its config.json says %(found)s where a number is expected: put the model's own back"),
                found=repr(value)[:40],
            )
    return Shared(heads=heads, kv_heads=kv, inner=inner, family=str(config.get("model_type") or ""))


def config_of(folder: Path) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        BadFolder: there is none that can be read.
    """
    return _json(folder / "config.json", Sentence(_("expected a model as transformers saves it")))


def _refuse_code(folder: Path, config: dict[str, Any]) -> None:
    told = [config]
    if (folder / "tokenizer_config.json").is_file():
        told.append(_json(folder / "tokenizer_config.json", Sentence(_("expected JSON"))))
    if any("auto_map" in one for one in told):
        raise BadFolder(
            _("%(path)s asks for code of its own (auto_map): only models that transformers knows are taken"),
            path=folder,
        )
    for path in sorted(folder.rglob("*")):
        if path.suffix in _PICKLED:
            raise BadFolder(
                _(
                    "%(path)s holds %(file)s, a format that can run code when it is read: keep safetensors only"
                ),
                path=folder,
                file=path.name,
            )
        if path.suffix == ".py":
            raise BadFolder(
                _("%(path)s holds the program %(file)s: keep weights and settings only"),
                path=folder,
                file=path.name,
            )


def _weights(folder: Path) -> list[Path]:
    """The weight files; one, or those that an index names."""
    if (folder / _INDEX).is_file():
        told = _json(folder / _INDEX, Sentence(_("expected an index of weight files"))).get("weight_map")
        names = sorted({str(name) for name in told.values()}) if isinstance(told, dict) else []
        lacking = [name for name in names if not (folder / str(name)).is_file()]
        if not names or lacking:
            raise BadFolder(
                _("%(path)s lacks %(files)s, which %(index)s names"),
                path=folder,
                files=", ".join(lacking[:3]) or Sentence(_("weights")),
                index=_INDEX,
            )
        return [folder / str(name) for name in names]
    if not (folder / "model.safetensors").is_file():
        raise BadFolder(_("%(path)s holds no model.safetensors: save the model as safetensors"), path=folder)
    return [folder / "model.safetensors"]


def _header(path: Path) -> tuple[dict[str, Any], bytes]:
    """What a safetensors file says it holds, after its length was compared."""
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        raw = stream.read(length) if 0 < length <= _MOST_HEADER else b""
    try:
        header = json.loads(raw)
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        whole = 8 + length + max(ends) == path.stat().st_size
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFolder(_("%(path)s is no safetensors file: save the model again"), path=path) from error
    if not whole:
        raise BadFolder(_("%(path)s is cut off or damaged: copy it again"), path=path)
    return header, raw


def _ends(path: Path, size: int = 2**20) -> bytes:
    with path.open("rb") as stream:
        first = stream.read(size)
        stream.seek(max(0, path.stat().st_size - size))
        return first + stream.read(size) + str(path.stat().st_size).encode()


def _json(path: Path, expected: Sentence) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFolder(
            _("%(path)s cannot be read (%(why)s): %(expected)s"),
            path=path,
            why=type(error).__name__,
            expected=expected,
        ) from error
    if not isinstance(found, dict):
        raise BadFolder(
            _("%(path)s holds %(found)s: %(expected)s"),
            path=path,
            found=type(found).__name__,
            expected=expected,
        )
    return found
