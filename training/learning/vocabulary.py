"""A word table cut to the words that a run's texts use, while it trains.

Half of a small encoder's parameters are rows of its word table, and a run on a few thousand texts meets a tenth
of them. The other rows get no gradient; yet with the whole table every step makes, clips and applies a gradient
of all rows. A run on the cut table does the same to the rows it has, and the others are put back untouched: they
do not even decay. Optimiser state and checkpoints become as much smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

Tokens = list[list[int]]


class CutVocabulary:
    """Cuts an encoder's word table in place; `restore` brings the whole one back with what was learnt.

    Deterministic in the texts: every rank, and an attempt that takes up a checkpoint, makes the same cut.

    Args:
        encoder: of transformers, with an nn.Embedding of its input words.
        used: the token ids of all texts that the run will read.
        pad: the id that batches are filled up with.

    Attributes:
        pad: its number in the cut table.
    """

    def __init__(self, encoder: Any, used: Sequence[Tokens], pad: int) -> None:
        self.encoder = encoder
        self.whole: nn.Embedding = encoder.get_input_embeddings()
        own = self.whole.padding_idx  # a row that never gets a gradient
        # RoBERTa's kin finds padding in a text by this number, and counts positions from it on: it has to keep
        # it, and so have those before it.
        least = range((own or 0) + 1)
        words = np.fromiter(
            chain(least, [pad], chain.from_iterable(chain.from_iterable(used))), dtype=np.int64
        )
        self.kept = np.unique(words)
        self.number = np.full(self.whole.num_embeddings, -1, dtype=np.int64)
        self.number[self.kept] = np.arange(len(self.kept))
        self.pad = int(self.number[pad])
        weight = self.whole.weight.detach()[torch.from_numpy(self.kept).to(self.whole.weight.device)]
        table = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=own)
        encoder.set_input_embeddings(table)

    def renumbered(self, tokens: Tokens) -> Tokens:
        """The texts in the cut table's numbers; they are among `used`."""
        found: Tokens = [self.number[row].tolist() for row in tokens]
        return found

    @torch.no_grad()
    def restore(self, encoder: Any = None) -> None:
        """Put the learnt rows into the whole table, and the table back into the encoder.

        Args:
            encoder: a copy of the encoder that holds what was learnt; None: the encoder itself.
        """
        target = self.encoder if encoder is None else encoder
        learnt = target.get_input_embeddings().weight.detach()
        self.whole.weight[torch.from_numpy(self.kept).to(learnt.device)] = learnt
        target.set_input_embeddings(self.whole)
