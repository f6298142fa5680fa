"""What a forward pass keeps for the backward pass, by the shape of the model alone. Counted in torch's own saved
tensors, family by family; the tests count them again.

h, f, kv: widths of the residual stream, inside the feed-forward part, of keys and of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.distributed.shape import Shape

Kind = Literal["cuda", "cpu"]

_FLOAT = 4
_HEAD_ROWS = 4096  # positions that TRL's head for log probabilities is at, at most
# Of each logit it has at hand, beside the logit: its own kernel on a GPU works in place; elsewhere seven tensors
# in fp32 stand side by side in its backward pass, and a mask.
_HEAD_BYTES = {"cuda": 0, "cpu": 29}


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Bytes of a figure: of products and what they are made of, and of the residual stream between them.

    Under autocast they differ, and each matrix keeps a copy of its own of what goes in, in the products' type.
    """

    product: int
    stream: int

    @property
    def copies(self) -> bool:
        return self.product != self.stream


def of_layer(shape: Shape, widths: Widths, kind: Kind, tensor: int = 1) -> float:
    """Bytes that one layer keeps of each token. `tensor`: ranks that share its matrices.

    Llama: input, two norms (before and after the scale), the middle of the residual stream, q, k, v, what
    attention gives, and four in the gated feed-forward. BERT: input, q, k, v, what attention gives, two sums
    before the norms, the middle, and two in the feed-forward.
    """
    if shape.adapted:
        return _adapted(shape, widths, kind)
    h, f, kv = shape.hidden, shape.inner, shape.kv_width
    a, s = widths.product, widths.stream
    if shape.gated:
        whole = 4 * h * s + (5 if widths.copies else 2) * h * a
        return whole + ((2 * h + 2 * kv + 4 * f) * a) / tensor + _probabilities(shape, a) / tensor
    whole = 2 * h * s + (4 if widths.copies else 2) * h * a
    if (
        shape.dropout and kind == "cpu"
    ):  # attention that drops is plain there: its products in fp32, thrice each
        cut = 3 * h * _FLOAT + (h + 2 * f) * a + 3 * shape.heads * shape.sequence * _FLOAT
        return whole + 2 * h * a + cut / tensor
    masks = 2 * h if shape.dropout else 0
    return whole + masks + ((4 * h + 2 * f) * a + _probabilities(shape, a)) / tensor


def _adapted(shape: Shape, widths: Widths, kind: Kind) -> float:
    """LoRA (Hu et al. 2021) on each matrix of a layer whose own weights are frozen: they keep nothing, so what
    is kept of the layer itself is the input of its two norms, q, k, v, what attention gives and the middle of
    the feed-forward part; and each adapter keeps its input, with a mask where that was dropped from."""
    h, f, kv = shape.hidden, shape.inner, shape.kv_width
    a, s = widths.product, widths.stream
    matrices = 7 if shape.gated else 6
    inputs = (matrices - 1) * h + f
    itself = 2 * h * s + (2 * h + 2 * kv + (3 if shape.gated else 1) * f) * a
    shared = (2 * h + f) * a  # what norms and feed-forward give, one for all adapters that read it
    own = inputs * a if widths.copies or shape.dropout else shared
    masks = inputs * (1 if kind == "cuda" else _FLOAT) if shape.dropout else 0
    return itself + own + masks + matrices * shape.adapted * a + _probabilities(shape, a)


def _probabilities(shape: Shape, product: int) -> int:
    """Of attention that keeps them, before and after the softmax."""
    return 0 if shape.flash else 2 * shape.heads * shape.sequence * product


def of_head(shape: Shape, tokens: int, widths: Widths, kind: Kind) -> int:
    """Bytes of logits at once. A head that has them all keeps log-softmax and gradient of each too, in fp32."""
    if not shape.per_token:
        return 0
    words = shape.outputs or shape.vocabulary
    if shape.tile is None:
        return 3 * _FLOAT * tokens * words
    at_hand = min(tokens, _HEAD_ROWS) * min(shape.tile, words) * (widths.product + _HEAD_BYTES[kind])
    return at_hand + 2 * tokens * shape.hidden * _FLOAT  # the gradient of what goes in, in both types
