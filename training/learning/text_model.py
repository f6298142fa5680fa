"""The torch side of text models: tokens, padding, pooling, the classifier, and running a model over many
texts.

Shapes in names: b items of a batch, t tokens, d width, k labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.learning.batching import token_batches
from training.learning.encoder import layers_up_to

Tokens = list[list[int]]
Forward = Callable[[Tensor, Tensor], tuple[Tensor, ...]]

HEAD_FILE = "head.safetensors"
# A text is cut to this many characters a token before it is tokenised: 100,000 characters cost 50 ms
# otherwise, of which all but the first thousand are thrown away.
_MOST_CHARACTERS_A_TOKEN = 64


def be_quiet() -> None:
    """Keep transformers' bars and loading reports out of the job's log."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def set_threads(threads: int | None) -> None:
    """Let torch use so many threads in this process; None leaves it as it is."""
    if threads is not None:
        torch.set_num_threads(threads)


def device() -> torch.device:
    """Where models run: the first GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Tokeniser:
    """Texts to token ids, cut to `max_length` tokens with the special ones among them."""

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.inner = tokenizer
        self.max_length = max_length
        self.pad = int(tokenizer.pad_token_id or 0)

    @classmethod
    def load(cls, path: Path, max_length: int) -> Tokeniser:
        """Load from a model's folder.

        Raises:
            ValueError: no tokenizer lies there.
        """
        try:
            inner = transformers.AutoTokenizer.from_pretrained(str(path), local_files_only=True)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path} holds no tokenizer that can be loaded ({_first_line(error)})"
            ) from error
        return cls(inner, max_length)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Token ids of each text; at least the special tokens, also for an empty one."""
        if not texts:
            return []
        most = self.max_length * _MOST_CHARACTERS_A_TOKEN
        cut = [text[:most] for text in texts]
        ids: Tokens = self.inner(
            cut, truncation=True, max_length=self.max_length, return_attention_mask=False
        )["input_ids"]
        return [row or [self.pad] for row in ids]

    def with_offsets(self, texts: Sequence[str]) -> tuple[Tokens, list[list[tuple[int, int]]]]:
        """As a call, and where each token lies in its text: start and end in Unicode code points, end exclusive;
        start equal to end for a special token.

        Raises:
            ValueError: the tokenizer cannot tell (it is not a fast one).
        """
        if not texts:
            return [], []
        if not self.inner.is_fast:
            raise ValueError(
                "the base model's tokenizer does not say where its tokens lie: use one with a tokenizer.json"
            )
        most = self.max_length * _MOST_CHARACTERS_A_TOKEN
        found = self.inner(
            [text[:most] for text in texts],
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=False,
            return_offsets_mapping=True,
        )
        tokens = [row or [self.pad] for row in found["input_ids"]]
        return tokens, [row or [(0, 0)] for row in found["offset_mapping"]]

    def save(self, folder: Path) -> None:
        self.inner.save_pretrained(str(folder))


def padded(tokens: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, both (b, t) int64, padded on the right to the longest."""
    lengths = np.array([len(row) for row in tokens])
    real = np.arange(lengths.max()) < lengths[:, None]  # (b, t)
    ids = np.full(real.shape, pad, dtype=np.int64)
    ids[real] = np.concatenate(tokens)
    return torch.from_numpy(ids), torch.from_numpy(real.astype(np.int64))


def load_encoder(path: Path, dropout: float | None = None) -> Any:
    """A transformer without a head, from safetensors in a local folder.

    Args:
        dropout: replaces the model's own rates, everywhere; None keeps them.

    Raises:
        ValueError: no such model there, or its weights are damaged.
    """
    if not any((path / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        raise ValueError(f"{path} holds no model.safetensors: expected the folder of an encoder")
    be_quiet()
    try:
        config = transformers.AutoConfig.from_pretrained(str(path), local_files_only=True)
        if dropout is not None:
            for name in [name for name in config.to_dict() if "dropout" in name]:
                setattr(config, name, dropout)
        model = transformers.AutoModel.from_pretrained(
            str(path), config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except Exception as error:  # transformers raises its libraries' own kinds for a damaged folder
        raise ValueError(f"{path} cannot be loaded as an encoder ({_first_line(error)})") from error
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # mean pooling is used; under DDP a parameter without gradient is an error
    return model


def up_to(encoder: Any, layer: str) -> Any:
    """The encoder without the layers above `layer` ("last" or "middle"), so that its last state is that layer's.

    Raises:
        ValueError: it has no one list of layers, or no such layer.
    """
    count = int(encoder.config.num_hidden_layers)
    kept = layers_up_to(layer, count)
    if kept == count:
        return encoder
    lists = [one for one in encoder.modules() if isinstance(one, nn.ModuleList) and len(one) == count]
    if len(lists) != 1:
        raise ValueError(
            f"the {count} layers of this {type(encoder).__name__} cannot be told apart: take its last layer"
        )
    del lists[0][kept:]
    return encoder


def pooled(encoder: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """(b, d) unit vectors: the mean over tokens that are not padding of the last layer, L2-normalised."""
    return mean_pooled(encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def mean_pooled(states: Tensor, mask: Tensor) -> Tensor:
    """(b, d) unit vectors of the last layer (b, t, d)."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return normalize((states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0), dim=1)


class TextClassifier(nn.Module):
    """Encoder and linear head: on the mean over tokens, the very vectors that probes and the index see, or with
    `per_token` on every token of the last layer.
    """

    def __init__(self, encoder: Any, k: int, *, per_token: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.per_token = per_token
        self.head = nn.Linear(int(encoder.config.hidden_size), k)
        nn.init.zeros_(self.head.weight)  # all labels alike at the start, whatever the seed
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(b, k) logits, or (b, t, k) per token."""
        return self.logits_and_vectors(ids, mask)[0]

    def logits_and_vectors(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k) logits and the (b, d) unit vectors they come from; per token (b, t, k) and the same vectors."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (b, t, d)
        vectors = mean_pooled(states, mask)
        return self.head(states if self.per_token else vectors), vectors

    def start_head(self, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> None:
        """Begin from a linear probe's weight (k, d) and bias (k,)."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors (the encoder, for transformers) and head.safetensors."""
        self.encoder.save_pretrained(str(folder))
        head = {name: value.detach().cpu().contiguous() for name, value in self.head.state_dict().items()}
        save_file(head, folder / HEAD_FILE)

    @classmethod
    def load(
        cls, folder: Path, labels: int, *, per_token: bool = False, dropout: float | None = None
    ) -> TextClassifier:
        """Read what `save` wrote.

        Raises:
            ValueError: damaged, or its head has another number of outputs.
        """
        encoder = load_encoder(folder, dropout)
        try:
            head = load_file(folder / HEAD_FILE)
            model = cls(encoder, labels, per_token=per_token)
            model.head.load_state_dict(head)
        except Exception as error:  # safetensors raises a kind of its own for a damaged file
            raise ValueError(
                f"{folder / HEAD_FILE} cannot be loaded as a head of {labels} outputs ({_first_line(error)})"
            ) from error
        return model


def infer(
    forward: Forward,
    tokens: Tokens,
    *,
    pad: int,
    device: torch.device,
    batch_tokens: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[npt.NDArray[np.int64], tuple[npt.NDArray[np.float32], ...]]]:
    """Run `forward(ids, mask)` over all texts without gradients, longest batches first.

    Yields:
        The indices of a batch and its outputs as float32 arrays whose first axis are those items.
    """
    done = 0
    for at in token_batches([len(row) for row in tokens], batch_tokens):
        ids, mask = padded([tokens[i] for i in at], pad)
        with torch.inference_mode():
            outputs = forward(ids.to(device), mask.to(device))
        yield at, tuple(output.float().cpu().numpy() for output in outputs)
        done += len(at)
        if on_progress is not None:
            on_progress(done, len(tokens))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
