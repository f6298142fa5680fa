"""What a forward pass keeps for the backward pass, by the shape of the model alone.

Of layers of Llama, BERT, and Llama with LoRA on a CPU, whole or with their matrices cut, it was counted in
torch's own saved tensors, and the tests count again; of GPUs and of other families with LoRA it is read from the
code.

h, f, kv: widths of the residual stream, inside the feed-forward part, of keys and of values.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.distributed.shape import Kind, Shape

_FLOAT = 4
_HEAD_ROWS = 4096  # positions that TRL's head for log probabilities is at, at most
# Of each logit it has at hand, beside the logit: its own kernel on a GPU works in place; elsewhere seven tensors
# in fp32 stand side by side in its backward pass, and a mask.
_HEAD_BYTES = {"cuda": 0, "cpu": 29}


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Bytes of a figure: of products and what they are made of, and of what norms take in.

    Under autocast they differ, and each matrix keeps a copy of its own of what goes in, in the products' type.
    """

    product: int
    norm: int

    @property
    def copies(self) -> bool:
        return self.product != self.norm


def of_layer(shape: Shape, widths: Widths, kind: Kind, tensor: int = 1) -> float:
    """Bytes that one layer keeps of each token. `tensor`: ranks that share its matrices.

    Llama: input, two norms (before and after the scale), the middle of the residual stream, q, k, v, what
    attention gives, and four in the gated feed-forward. BERT: input, q, k, v, what attention gives, two sums
    before the norms, the middle, and two in the feed-forward.
    """
    if shape.adapted:
        return _adapted(shape, widths, kind, tensor)
    h, f, kv = shape.hidden, shape.inner, shape.kv_width
    a, n = widths.product, widths.norm
    if shape.gated:
        whole = 4 * h * n + (5 if widths.copies else 2) * h * a
        return whole + ((2 * h + 2 * kv + 4 * f) * a + _probabilities(shape, a)) / tensor
    masks = 2 * h * (a if kind == "cpu" else 1) if shape.dropout else 0
    whole = 2 * h * n + (4 if widths.copies else 2) * h * a + masks
    if shape.attention_dropout and kind == "cpu":  # it is worked out plainly there, in fp32
        plain = 3 * (h + shape.heads * shape.sequence) * _FLOAT
        return whole + (plain + (h + 2 * f) * a) / tensor
    return whole + ((4 * h + 2 * f) * a + _probabilities(shape, a)) / tensor


def _adapted(shape: Shape, widths: Widths, kind: Kind, tensor: int) -> float:
    """LoRA (Hu et al. 2021) on each matrix of a layer whose own weights are frozen: they keep nothing, so what
    is kept of the layer itself is the input of its two norms, q, k, v, what attention gives and the middle of
    the feed-forward part; and each adapter keeps its input, with a mask where that was dropped from."""
    h, f, kv = shape.hidden, shape.inner, shape.kv_width
    a = widths.product
    matrices = 7 if shape.gated else 6
    # Of those cut by columns and by rows: one behind attention, one in the end.
    inputs = (matrices - 2) * h + (h + f) / tensor
    middle = (2 * h + 2 * kv + (3 if shape.gated else 1) * f) * a + _probabilities(shape, a)
    shared = (2 * h + f / tensor) * a  # what norms and feed-forward give, one for all adapters that read it
    own = inputs * a if widths.copies or shape.dropout else shared
    masks = inputs * (1 if kind == "cuda" else _FLOAT) if shape.dropout else 0
    return 2 * h * widths.norm + middle / tensor + own + masks + matrices * shape.adapted * a


def _probabilities(shape: Shape, product: int) -> int:
    """Of attention that keeps them, before and after the softmax."""
    return 0 if shape.flash else 2 * shape.heads * shape.sequence * product


def of_head(shape: Shape, tokens: int, widths: Widths, kind: Kind) -> int:
    """Bytes of logits at once, and of what else TRL's head makes in its backward pass: the gradient of what goes
    in, and of its weights where they learn. A head that has all logits keeps log-softmax and gradient of each
    too, in fp32."""
    if not shape.per_token:
        return 0
    words = shape.outputs or shape.vocabulary
    if shape.tile is None:
        return 3 * _FLOAT * tokens * words
    rows = min(tokens, _HEAD_ROWS)
    tiles = rows * (shape.tile * widths.product + min(shape.tile, words) * _HEAD_BYTES[kind])
    frozen = bool(shape.adapted)
    inputs = tokens * shape.hidden * (_FLOAT + (widths.product if frozen and widths.copies else 0))
    return tiles + inputs + (0 if frozen else _FLOAT * words * shape.hidden)
