"""The default encoder for a sentence or two, in NumPy: for pages, which load no torch.

A page that is asked for texts like a given one cannot wait for torch to load nor for a worker to be free. This
is the same forward pass (a BERT encoder, mean-pooled, normalised) over the same weights, which are memory-mapped
and so shared by all processes of a server; 10 to 80 ms a sentence. Its vectors differ from `encoder.Encoder`'s
by rounding alone (about 1e-6).

Shapes: t tokens, d width, h heads.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from training.learning.encoder import LAST, MAX_LENGTH, layers_up_to
from training.learning.threads import one_blas_thread

Floats = npt.NDArray[np.float32]

_KINDS: dict[str, Any] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_MOST_CHARACTERS = 64 * MAX_LENGTH  # as text_model cuts before tokenising


def encode(text: str, path: Path, layer: str = LAST) -> Floats:
    """The unit vector (d,) of a text by a layer of the encoder in the folder `path`.

    Raises:
        ValueError: the folder holds no BERT encoder with float32 weights.
    """
    return _loaded(str(path), (path / "model.safetensors").stat().st_mtime_ns).encode(text, layer)


@lru_cache(maxsize=1)
def _loaded(path: str, _modified: int) -> LightEncoder:
    return LightEncoder(Path(path))


class LightEncoder:
    """The weights, mapped, and the tokenizer of one encoder."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer  # a compiled library without torch; 20 ms, only where it is used

        config = json.loads((path / "config.json").read_text())
        if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
            raise ValueError(
                f"{path} is a {config.get('model_type')!r} encoder, expected 'bert' with gelu: "
                "search by text knows the default encoder only"
            )
        self.layers = int(config["num_hidden_layers"])
        self.heads = int(config["num_attention_heads"])
        self.epsilon = float(config["layer_norm_eps"])
        self.weights = mapped(path / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_LENGTH)

    def encode(self, text: str, layer: str = LAST) -> Floats:
        """(d,) of length one. Cost O(t d (t + d)) a layer; tokens after the 256th are left out."""
        ids = self.tokenizer.encode(text[:_MOST_CHARACTERS]).ids
        with (
            one_blas_thread()
        ):  # short texts: handing products of 20 rows to more threads costs more than it gives
            hidden = self._embedded(ids)
            for number in range(layers_up_to(layer, self.layers)):
                hidden = self._layer(hidden, f"encoder.layer.{number}.")
        pooled = hidden.mean(axis=0)
        return np.asarray(pooled / max(float(np.linalg.norm(pooled)), 1e-12), dtype=np.float32)

    def _embedded(self, ids: list[int]) -> Floats:
        w = self.weights
        words = w["embeddings.word_embeddings.weight"][ids]
        places = w["embeddings.position_embeddings.weight"][: len(ids)]
        kind = w["embeddings.token_type_embeddings.weight"][0]
        return self._normed(words + places + kind, "embeddings.LayerNorm")

    def _layer(self, hidden: Floats, prefix: str) -> Floats:
        """Attention, then the feed-forward part, each added and normalised: (t, d) -> (t, d)."""
        tokens, width = hidden.shape
        size = width // self.heads

        def by_head(name: str) -> Floats:
            found = self._linear(hidden, f"{prefix}attention.self.{name}")
            return found.reshape(tokens, self.heads, size).transpose(1, 0, 2)  # (h, t, d / h)

        scores = by_head("query") @ by_head("key").transpose(0, 2, 1) / math.sqrt(size)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = (shares @ by_head("value")).transpose(1, 0, 2).reshape(tokens, width)
        attended = self._normed(
            hidden + self._linear(mixed, f"{prefix}attention.output.dense"),
            f"{prefix}attention.output.LayerNorm",
        )
        inner = self._linear(attended, f"{prefix}intermediate.dense")
        inner = (inner * 0.5 * (1.0 + erf(inner / np.float32(math.sqrt(2.0))))).astype(np.float32)
        out = self._linear(inner, f"{prefix}output.dense")
        return self._normed(attended + out, f"{prefix}output.LayerNorm")

    def _linear(self, values: Floats, name: str) -> Floats:
        return values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _normed(self, values: Floats, name: str) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def mapped(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors file, memory-mapped: nothing is copied, and processes share the pages.

    Raises:
        ValueError: the file is none, or holds numbers of another kind than float32 and int64.
    """
    try:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        begin = 8 + int.from_bytes(raw[:8].tobytes(), "little")
        header: dict[str, Any] = json.loads(raw[8:begin].tobytes())
        header.pop("__metadata__", None)
        return {
            name.removeprefix("bert."): _array(raw[begin:], entry["data_offsets"], entry)
            for name, entry in header.items()
        }
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read as float32 safetensors ({error}): install it again"
        ) from error


def _array(raw: npt.NDArray[np.uint8], offsets: list[int], entry: dict[str, Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = raw[offsets[0] : offsets[1]].view(_KINDS[entry["dtype"]])
    return found.reshape(entry["shape"])
