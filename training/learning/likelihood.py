"""What a language model finds likely: the log likelihood of each of several continuations after a prompt.

k continuations, t tokens, v vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

MOST_TOKENS = 8192  # held at once for the continuations of one prompt, all that precedes them among them


def mean_log_likelihoods(
    model: Any,
    tokenizer: Any,
    *,
    beginning: str,
    prompts: Sequence[str],
    continuations: Sequence[str],
    on_progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Mean over its tokens of log p(token | all before it), for each continuation after each prompt: (n, k)
    float32, natural log, 0 or less.

    The mean, and not the sum, since a label of four words would lose to one of a single word for its length
    alone. What all prompts begin with is read once, a prompt once for all its continuations.

    Args:
        beginning: what every prompt begins with; may be empty.
        prompts: what follows it, not empty (its tokens are made apart from those of the beginning).
        continuations: k >= 1, not empty.

    Cost: O(tokens of the beginning + n (tokens of a prompt + tokens of all continuations)) forward, of which
    each attends to what lies before it.
    """
    device = model.device
    tails = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in continuations]
    lengths = np.array([len(tail) for tail in tails])
    out = np.empty((len(prompts), len(tails)), dtype=np.float32)
    with torch.inference_mode():
        start = None
        if beginning:
            ids = torch.tensor([tokenizer(beginning, add_special_tokens=False)["input_ids"]], device=device)
            start = model(input_ids=ids, use_cache=True, logits_to_keep=1).cache
        for at, prompt in enumerate(prompts):
            ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]], device=device)
            read = model(input_ids=ids, cache=copy.deepcopy(start), use_cache=True, logits_to_keep=1)
            first = torch.log_softmax(read.logits[0, -1].float(), dim=-1)  # (v,)
            sums = first[torch.tensor([tail[0] for tail in tails], device=device)].cpu().numpy()
            out[at] = (sums + _rest(model, read.cache, tails)) / lengths
            if on_progress is not None:
                on_progress(at + 1, len(prompts))
    return out


def _rest(model: Any, cache: Any, tails: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
    """(k,) summed log likelihood of each continuation's tokens after its first."""
    sums = np.zeros(len(tails), dtype=np.float32)
    longer = [at for at, tail in enumerate(tails) if len(tail) > 1]
    if not longer:
        return sums
    held = cache.get_seq_length() + max(len(tails[at]) for at in longer)
    step = max(1, MOST_TOKENS // held)
    for start in range(0, len(longer), step):
        some = longer[start : start + step]
        ids, mask = _padded([tails[at] for at in some], model.device)
        mine = copy.deepcopy(cache)
        mine.batch_repeat_interleave(len(some))
        # Padding lies on the right: nothing that counts attends to it.
        logits = model(input_ids=ids[:, :-1], cache=mine, use_cache=True).logits
        each = torch.log_softmax(logits.float(), dim=-1)  # (k, t - 1, v)
        told = each.gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2)
        sums[some] = (told * mask[:, 1:]).sum(dim=1).cpu().numpy()
    return sums


def _padded(tails: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """(k, t) ids, zeros on the right, and which of them count."""
    longest = max(len(tail) for tail in tails)
    ids = torch.zeros((len(tails), longest), dtype=torch.int64, device=device)
    mask = torch.zeros((len(tails), longest), device=device)
    for row, tail in enumerate(tails):
        ids[row, : len(tail)] = torch.tensor(tail, dtype=torch.int64, device=device)
        mask[row, : len(tail)] = 1
    return ids, mask
