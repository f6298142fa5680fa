"""What a language model makes of replies: how likely it finds each, and how it rewards each.

b: replies of a batch, t: tokens, d: width, v: vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.distributed import fsdp
from training.learning.batching import token_batches
from training.learning.dialogues import Spoken
from training.learning.text_model import padded

BATCH_TOKENS = 2048
HEAD_ROWS = 2048  # positions whose v logits are in memory at once: 400 MB at 49,152 words

Tell = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """Of each reply: the sum of its tokens' log probabilities (nats), how many they are, and for how many of
    them the model's first choice was the token itself.
    """

    sums: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]


def likelihoods(
    model: Any, replies: Sequence[Spoken], pad: int, *, base: bool = False, on_progress: Tell | None = None
) -> Likelihoods:
    """Log probabilities of the replies given their prompts. `base`: by the model under the adapter.

    The head is applied to the replies' own positions alone, a part at a time: (positions, v) logits of whole
    batches would be gigabytes. Where ranks divide the weights all of them must call it, with the same replies.
    """
    causal = _causal(model)
    body, head = causal.get_decoder(), causal.get_output_embeddings()
    sums = np.zeros(len(replies), dtype=np.float64)
    right = np.zeros(len(replies), dtype=np.int64)

    def read(at: npt.NDArray[np.int64], ids: Tensor, mask: Tensor) -> None:
        states = body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # (b, t, d)
        spoken = torch.zeros_like(mask)
        for place, index in enumerate(at.tolist()):
            spoken[place, replies[index].prompt : len(replies[index])] = 1
        where = spoken[:, 1:].bool()  # what position i predicts stands at i + 1
        rows, wanted = states[:, :-1][where], ids[:, 1:][where]
        told, first = _told(head, rows, wanted)
        owner = where.nonzero()[:, 0].cpu().numpy()
        sums[at] = np.bincount(owner, weights=told, minlength=len(at))
        right[at] = np.bincount(owner, weights=first, minlength=len(at)).astype(np.int64)

    with _inference(model, base), fsdp.as_forward(model, read) as read_all:
        for at, ids, mask in _batches(replies, pad, model.device, on_progress):
            read_all(at, ids, mask)
    tokens = np.array([len(one) - one.prompt for one in replies], dtype=np.int64)
    return Likelihoods(sums=sums, tokens=tokens, right=right)


def rewards(
    model: Any, replies: Sequence[Spoken], pad: int, *, on_progress: Tell | None = None
) -> npt.NDArray[np.float64]:
    """(n,) rewards of a reward model; only their differences for one prompt mean anything."""
    out = np.zeros(len(replies), dtype=np.float64)
    with _inference(model, base=False):
        for at, ids, mask in _batches(replies, pad, model.device, on_progress):
            found = model(input_ids=ids, attention_mask=mask, use_cache=False).logits  # (b, 1)
            out[at] = found[:, 0].float().cpu().numpy()
    return out


def _told(
    head: Any, states: Tensor, wanted: Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Log probability of each wanted token, and whether it is the likeliest."""
    told, first = [], []
    for start in range(0, len(states), HEAD_ROWS):
        logits = head(states[start : start + HEAD_ROWS]).float()
        ids = wanted[start : start + HEAD_ROWS]
        picked = logits.gather(1, ids[:, None])[:, 0]
        told.append((picked - logits.logsumexp(dim=1)).double().cpu().numpy())
        first.append((logits.argmax(dim=1) == ids).double().cpu().numpy())
    if not told:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(told), np.concatenate(first)


def _batches(
    replies: Sequence[Spoken], pad: int, device: Any, on_progress: Tell | None
) -> Iterator[tuple[npt.NDArray[np.int64], Tensor, Tensor]]:
    done = 0
    for at in token_batches([len(one) for one in replies], BATCH_TOKENS):
        ids, mask = padded([replies[i].ids for i in at], pad)
        yield at, ids.to(device), mask.to(device)
        done += len(at)
        if on_progress is not None:
            on_progress(done, len(replies))


@contextmanager
def _inference(model: Any, base: bool) -> Iterator[None]:
    """Without gradients and dropout; the model learns on afterwards if it did before."""
    was_training = model.training
    model.eval()
    without = model.disable_adapter() if base and hasattr(model, "disable_adapter") else nullcontext()
    try:
        with torch.no_grad(), without:
            try:
                yield
            finally:  # PEFT lets the adapter's weights learn again as it finds them: in parts, not gathered
                fsdp.in_parts(model)
    finally:
        model.train(was_training)


def _causal(model: Any) -> Any:
    """The causal model itself, with the adapter's layers in it if there is one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
