"""An encoder so small that processes can be killed and restarted with it all day; tests use it too."""

from __future__ import annotations

from pathlib import Path


def tiny_encoder(folder: Path) -> Path:
    """Two layers, 32 wide, random weights, with the real tokenizer: a step takes milliseconds."""
    import torch
    import transformers

    from training.learning.encoder import default_encoder_path

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(default_encoder_path()), local_files_only=True)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    transformers.BertModel(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder
