"""A tiny random Llama with a tokenizer and chat format of its own, and small datasets of replies, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = (
    *("the", "a", "card", "refund", "is", "was", "my", "your", "please", "thanks", "yes", "no"),
    *("lost", "sent", "back", "soon", "money", "again", "good", "bad"),
)


def tiny_llama(folder: Path, seed: int = 0, *, kv_heads: int = 1) -> Path:
    """Two layers, 32 wide, random weights."""
    import tokenizers
    import torch
    import transformers

    inner = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=None))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=TEMPLATE
    )
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=kv_heads,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    folder.mkdir(parents=True, exist_ok=True)
    transformers.LlamaForCausalLM(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def responses(count: int, first: int = 0) -> list[list[dict[str, Any]]]:
    """Examples as the task type "response" gives them: the reply names what was asked about."""
    return [
        [
            {
                "messages": [
                    {"role": "user", "content": f"where is my {WORDS[n % 7]} {n}"},
                    {"role": "assistant", "content": f"your {WORDS[n % 7]} was sent back soon"},
                ]
            }
        ]
        for n in range(first, first + count)
    ]


def pairs(count: int, first: int = 0) -> list[list[dict[str, Any]]]:
    """Examples as the task type "preference" gives them: thanks are liked better."""
    return [
        [
            {
                "prompt": f"where is my {WORDS[n % 7]} {n}",
                "chosen": f"thanks your {WORDS[n % 7]} is good",
                "rejected": f"no {WORDS[(n + 3) % 7]} was bad",
            }
        ]
        for n in range(first, first + count)
    ]


def write_dataset(
    folder: Path, weights: Sequence[float | None] = (), **splits: Sequence[list[dict[str, Any]]]
) -> Path:
    """A frozen dataset's folder: train (of these weights, or 1), validation, test; rows numbered through."""
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for split in ("train", "validation", "test"):
        rows = list(splits.get(split, []))
        table = pa.table(
            {
                "row": pa.array(range(first, first + len(rows)), pa.int64()),
                "text": pa.array(["text"] * len(rows), pa.string()),
                "label": pa.array([f"l{n}" for n in range(len(rows))], pa.string()),
                "weight": pa.array(
                    weights if split == "train" and weights else [1.0] * len(rows), pa.float32()
                ),
                "examples": pa.array([json.dumps(one) for one in rows], pa.string()),
            }
        )
        pq.write_table(table, folder / f"{split}.parquet")
        first += len(rows)
    return folder
