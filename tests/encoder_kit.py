"""Encoders other than the packaged one, made from configurations: another width, another tokenizer."""

from __future__ import annotations

from pathlib import Path

from tests import training_kit

WIDTH = 48


def tiny_bert(folder: Path) -> Path:
    """48 wide, three heads, with the packaged model's tokenizer; reads 96 tokens."""
    import torch
    import transformers

    from training.learning.encoder import default_encoder_path

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(default_encoder_path()), local_files_only=True)
    torch.manual_seed(1)
    config = transformers.BertConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=96, **_shape())
    transformers.BertModel(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def tiny_roberta(folder: Path) -> Path:
    """48 wide, with bytes in pairs as RoBERTa has them; padding is number 1, and it reads 96 tokens."""
    import tokenizers
    import torch
    import transformers

    inner = tokenizers.ByteLevelBPETokenizer()
    inner.train_from_iterator(
        [text for text, _label in training_kit.messages(200)],
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    inner.save_model(str(_made(folder)))
    tokenizer = transformers.RobertaTokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    torch.manual_seed(2)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=98, type_vocab_size=1, **_shape()
    )
    transformers.RobertaModel(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _shape() -> dict[str, int]:
    return {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 64,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


MAKE = {"bert": tiny_bert, "roberta": tiny_roberta}
