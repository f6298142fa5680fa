"""A BERT encoder laid out for reading many texts: no work on padding, weights in oneDNN's own layout.

Three things make it faster than transformers' module on a CPU, and none changes a value by more than rounding:
rows of padding are left out of every product; query, key and value are one product, and GELU and the residual
sums are made while the product's result is still in the cache; the weights are reordered once into the blocks
that oneDNN multiplies fastest. Attention runs over texts of equal length together, so it needs no mask.

The operators (torch.ops.mkldnn) are the ones that torch's own compiler emits for frozen models on a CPU. Where
they are missing or give other values, and for encoders that are no BERT, `ready` gives the plain module back.

Shapes in names: b items, t tokens, r rows (the tokens of all items, one below the other), d width, h heads.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, linear
from transformers import BertModel
from transformers.modeling_outputs import BaseModelOutput

from training.learning.precision import Precision
from training.learning.text_model import TextClassifier

_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
_ROWS = 2048  # what the layout is made for; any number of rows may be multiplied
_PLAIN = (Tensor, nn.Parameter)  # no shards of several devices
_OWN = ("torch.nn.modules.", "transformers.")  # no adapters: their weights would be passed over
_AGREEMENT = {"fp32": 1e-4, "bf16": 5e-2}  # of a small product of numbers near 1 with the plain operator

Packed = tuple[Tensor, Tensor]  # weight in oneDNN's layout, bias
Group = tuple[int, int, int]  # first row, b, t: items of equal length, one after the other


def ready(encoder: Any, precision: Precision = "fp32") -> Any:
    """The encoder as a module that is called alike and only reads: packed where that can be, else the plain one.

    Later changes of the encoder's weights do not reach it. In bf16 the hidden states come back as float32.
    """
    if isinstance(encoder, PackedEncoder):
        return encoder
    if not why_not(encoder, precision):
        return PackedEncoder(encoder, precision)
    return encoder if precision == "fp32" else _InBf16(encoder)


def scorer(model: TextClassifier, precision: Precision = "fp32") -> TextClassifier:
    """The classifier with its encoder made `ready`; the head is shared with `model`."""
    twin = copy.copy(model)
    twin._modules = {**model._modules, "encoder": ready(model.encoder, precision)}
    return twin


def why_not(encoder: Any, precision: Precision = "fp32") -> str:
    """Why this encoder cannot be packed here, in words; empty if it can."""
    if type(encoder) is not BertModel or any(type(one) not in _PLAIN for one in encoder.parameters()):
        return f"it is a {type(encoder).__name__}, and only a plain BertModel on one device is known"
    if foreign := {type(one) for one in encoder.modules() if not type(one).__module__.startswith(_OWN)}:
        return f"it holds parts of another library: {', '.join(sorted(one.__name__ for one in foreign))}"
    if encoder.device.type != "cpu" or encoder.dtype != torch.float32:
        return f"it lies on a device of type {encoder.device.type} as {encoder.dtype}"
    if encoder.config.hidden_act != "gelu" or encoder.config.is_decoder:
        return f"it has {encoder.config.hidden_act} or is a decoder, and only an encoder with gelu is known"
    return _lacking(precision)


def _lacking(precision: Precision) -> str:
    """Try the operators on a small product."""
    dtype = _DTYPES[precision]
    values = torch.linspace(-1, 1, 12 * 16).reshape(12, 16).to(dtype)
    weight, bias = values[:4].flip(0).contiguous(), values[0, :4].contiguous()
    try:
        found = _product(values, _pack(weight, bias, dtype), "gelu")
        summed = _sum(values, found, _pack(weight, bias, dtype))
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        return f"torch has no such operators here ({type(error).__name__})"
    plain = linear(values, weight, bias)
    expected = nn.functional.gelu(plain)
    off = max((found - expected).abs().max().item(), (summed - (plain + expected)).abs().max().item())
    return "" if off <= _AGREEMENT[precision] else f"the operators are off by {off:.1g}"


class PackedEncoder(nn.Module):
    """See the module."""

    def __init__(self, encoder: Any, precision: Precision) -> None:
        super().__init__()
        self.config = encoder.config
        self.precision = precision
        self.device = torch.device("cpu")
        dtype = self.dtype = _DTYPES[precision]
        with torch.no_grad():
            places = encoder.embeddings
            self.words = places.word_embeddings.weight.detach()
            # All texts are of the first kind, so that its vector can be added beforehand.
            kinds = places.token_type_embeddings.weight
            self.places = (places.position_embeddings.weight + kinds[0]).detach()
            self.norm = _norm(places.LayerNorm)
            self.blocks = [_Block(layer, dtype) for layer in encoder.encoder.layer]

    @torch.inference_mode()
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BaseModelOutput:
        """`last_hidden_state` (b, t, d) float32, zero where there is padding.

        Args:
            input_ids, attention_mask: (b, t), padded on the right, one token an item at least.
        """
        b, t = input_ids.shape
        lengths = attention_mask.sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        real = torch.arange(t) < lengths[order, None]  # (b, t)
        ids = input_ids[order][real]  # (r,)
        places = torch.arange(t).expand(b, t)[real]
        hidden = embedding(ids, self.words) + embedding(places, self.places)
        hidden = layer_norm(hidden, hidden.shape[-1:], *self.norm).to(self.dtype)
        groups = _groups(lengths[order].tolist())
        for block in self.blocks:
            hidden = block(hidden, groups)
        out = torch.zeros(b * t, hidden.shape[1])
        out[(order[:, None] * t + torch.arange(t))[real]] = hidden.float()
        return BaseModelOutput(last_hidden_state=out.view(b, t, -1))


class _Block:
    """One layer: attention, then the feed-forward part, each added and normalised."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        inner, outer = layer.attention.self, layer.attention.output
        parts = (inner.query, inner.key, inner.value)
        self.heads: int = inner.num_attention_heads
        self.mixed = _pack(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]), dtype
        )
        self.attended = _pack(outer.dense.weight, outer.dense.bias, dtype)
        self.widened = _pack(layer.intermediate.dense.weight, layer.intermediate.dense.bias, dtype)
        self.narrowed = _pack(layer.output.dense.weight, layer.output.dense.bias, dtype)
        self.first, self.second = _norm(outer.LayerNorm), _norm(layer.output.LayerNorm)

    def __call__(self, hidden: Tensor, groups: list[Group]) -> Tensor:
        """(r, d) -> (r, d)."""
        width = hidden.shape[-1:]
        mixed = self._attention(_product(hidden, self.mixed), groups)
        hidden = layer_norm(_sum(mixed, hidden, self.attended), width, *self.first)
        wide = _product(hidden, self.widened, "gelu")
        return layer_norm(_sum(wide, hidden, self.narrowed), width, *self.second)

    def _attention(self, queries_keys_values: Tensor, groups: list[Group]) -> Tensor:
        """(r, 3 d) -> (r, d), every item within itself.

        Plain batched products: for texts of 8 to 128 tokens torch's fused attention takes up to twice as long.
        """
        rows, width = len(queries_keys_values), queries_keys_values.shape[1] // 3
        size = width // self.heads
        out = queries_keys_values.new_empty(rows, width)
        for first, b, t in groups:
            part = queries_keys_values[first : first + b * t].view(b, t, 3, self.heads, size)
            query, key, value = part.permute(2, 0, 3, 1, 4).reshape(3, b * self.heads, t, size)
            scores = torch.baddbmm(out.new_empty(1), query, key.mT, beta=0, alpha=size**-0.5)  # (b h, t, t)
            found = torch.bmm(scores.softmax(dim=-1), value).view(b, self.heads, t, size)
            out[first : first + b * t].view(b, t, self.heads, size).copy_(found.transpose(1, 2))
        return out


class _InBf16(nn.Module):
    """An encoder that cannot be packed, under autocast."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.config, self.device = encoder.config, encoder.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BaseModelOutput:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            found = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return BaseModelOutput(last_hidden_state=found.last_hidden_state.float())


def _groups(lengths: list[int]) -> list[Group]:
    """Runs of equal numbers: their first row, how many they are, and the number.

    >>> _groups([4, 2, 2])
    [(0, 1, 4), (4, 2, 2)]
    """
    found: list[Group] = []
    first = 0
    for at, length in enumerate(lengths):
        if at and length == lengths[at - 1]:
            begun, count, _ = found[-1]
            found[-1] = (begun, count + 1, length)
        else:
            found.append((first, 1, length))
        first += length
    return found


def _pack(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Packed:
    given = weight.detach().to(dtype).contiguous()
    return torch.ops.mkldnn._reorder_linear_weight(given, _ROWS), bias.detach().to(dtype)


def _product(values: Tensor, packed: Packed, then: str = "none") -> Tensor:
    """values W' + b, with the exact GELU of it where asked for."""
    return torch.ops.mkldnn._linear_pointwise(values, *packed, then, [], "none")


def _sum(values: Tensor, other: Tensor, packed: Packed) -> Tensor:
    """values W' + b + other."""
    return torch.ops.mkldnn._linear_pointwise.binary(values, other, *packed, "add")


def _norm(module: Any) -> tuple[Tensor, Tensor, float]:
    return module.weight.detach(), module.bias.detach(), module.eps
