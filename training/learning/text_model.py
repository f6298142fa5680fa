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

    def save(self, folder: Path) -> None:
        self.inner.save_pretrained(str(folder))


def padded(tokens: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, both (b, t) int64, padded on the right to the longest."""
    longest = max(len(row) for row in tokens)
    ids = torch.full((len(tokens), longest), pad, dtype=torch.int64)
    mask = torch.zeros((len(tokens), longest), dtype=torch.int64)
    for i, row in enumerate(tokens):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[i, : len(row)] = 1
    return ids, mask


def load_encoder(path: Path, dropout: float | None = None) -> Any:
    """A transformer without a head, from safetensors in a local folder.

    Args:
        dropout: replaces the model's own rates, everywhere; None keeps them.

    Raises:
        ValueError: no such model there, or its weights are damaged.
    """
    if not (path / "model.safetensors").is_file():
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


def pooled(encoder: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """(b, d) unit vectors: the mean over tokens that are not padding of the last layer, L2-normalised."""
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (b, t, d)
    weight = mask.unsqueeze(-1).to(states.dtype)
    return normalize((states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0), dim=1)


class TextClassifier(nn.Module):
    """Encoder, mean pooling, linear head. The head sees the very vectors that probes and the index see."""

    def __init__(self, encoder: Any, k: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.config.hidden_size), k)
        nn.init.zeros_(self.head.weight)  # all labels alike at the start, whatever the seed
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(b, k) logits."""
        return self.logits_and_vectors(ids, mask)[0]

    def logits_and_vectors(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k) logits and the (b, d) unit vectors they come from."""
        vectors = pooled(self.encoder, ids, mask)
        return self.head(vectors), vectors

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
    def load(cls, folder: Path, labels: int) -> TextClassifier:
        """Read what `save` wrote.

        Raises:
            ValueError: damaged, or its head has another number of labels.
        """
        encoder = load_encoder(folder)
        try:
            head = load_file(folder / HEAD_FILE)
            model = cls(encoder, labels)
            model.head.load_state_dict(head)
        except Exception as error:  # safetensors raises a kind of its own for a damaged file
            raise ValueError(
                f"{folder / HEAD_FILE} cannot be loaded as a head of {labels} labels ({_first_line(error)})"
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
