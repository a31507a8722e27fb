"""Tiny encoders made from a config, with a vocabulary written here: for tests and documentation.

They are random but for the seed, download nothing, and load like any pretrained encoder.
"""

from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase, digits, punctuation
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from mtl.bert.encoder import TextEncoder, load_encoder
from mtl.bert.sources import quiet_transformers

MAX_TOKENS = 64
WORDS = (
    "a an and are as at bad best boring but by cat could dog dull film fine for from funny good "
    "great had happy has have he her his how i in is it its just like made man more most movie "
    "never no not nothing of on one or people plot poor sad she so story than that the their "
    "there they this to too truly up very was watch well were what when which who will with woman "
    "worst would you"
)
# Special tokens in the order of their ids: padding is 0 in BERT, and 1 in RoBERTa.
BERT_TOKENS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA_TOKENS = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}


def toy_encoder(
    directory: Path | None = None,
    *,
    dimension: int = 16,
    layers: int = 2,
    seed: int = 0,
    pooler: bool = True,
) -> TextEncoder:
    """Make a tiny encoder with mean pooling.

    Args:
        directory: Where its files stay; None for nowhere.
        dimension: Width D of its vectors.
        layers: Transformer layers.
        seed: Decides the weights.
        pooler: Whether the model has a pooler; without one it is a DistilBERT.

    Returns:
        The encoder, loaded as any other one is.

    Example:
        >>> toy_encoder(dimension=8).dimension
        8
    """
    with TemporaryDirectory() as temporary:
        folder = directory or Path(temporary)
        architecture = "bert" if pooler else "distilbert"
        write_toy(folder, dimension=dimension, layers=layers, seed=seed, architecture=architecture)
        return load_encoder(str(folder))


def write_toy(
    directory: Path,
    *,
    dimension: int = 16,
    layers: int = 2,
    seed: int = 0,
    architecture: str = "bert",
) -> None:
    """Write the model and tokenizer of a tiny encoder to a folder.

    Args:
        directory: The folder; made where it does not exist.
        dimension: Width D of its vectors.
        layers: Transformer layers.
        seed: Decides the weights; the global random state stays as it was.
        architecture: ``bert``, ``roberta`` (padding id 1, no token types) or ``distilbert`` (no
            pooler, no token types).
    """
    tokenizer = _tokenizer(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _MODELS[architecture](tokenizer, dimension, layers)
    with quiet_transformers():
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)


def _tokenizer(architecture: str) -> PreTrainedTokenizerFast:
    """Build a lower-casing WordPiece tokenizer that can spell every ASCII word."""
    special = ROBERTA_TOKENS if architecture == "roberta" else BERT_TOKENS
    letters = ascii_lowercase + digits
    pieces = [*special.values(), *letters, *punctuation, *(f"##{one}" for one in letters)]
    pieces += [word for word in WORDS.split() if len(word) > 1]
    backend = Tokenizer(
        WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=special["unk"])
    )
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    start, end = special["cls"], special["sep"]
    roberta = architecture == "roberta"
    backend.post_processor = TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}" if roberta else f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(token, pieces.index(token)) for token in (start, end)],
    )
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"]
        if architecture == "bert"
        else names,
        **{f"{role}_token": token for role, token in special.items()},
    )


def _shared(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings that all three configurations know by the same name."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        # Ten times BERT's, so that vectors of different texts differ clearly without training.
        "initializer_range": 0.2,
    }


def _bert(tokenizer: PreTrainedTokenizerFast, dimension: int, layers: int) -> PreTrainedModel:
    config = BertConfig(
        **_shared(tokenizer),
        hidden_size=dimension,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * dimension,
        max_position_embeddings=MAX_TOKENS,
    )
    return BertModel(config)


def _roberta(tokenizer: PreTrainedTokenizerFast, dimension: int, layers: int) -> PreTrainedModel:
    config = RobertaConfig(
        **_shared(tokenizer),
        hidden_size=dimension,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * dimension,
        # Positions count from the padding id + 1.
        max_position_embeddings=MAX_TOKENS + 2,
        type_vocab_size=1,
    )
    return RobertaModel(config)


def _distilbert(tokenizer: PreTrainedTokenizerFast, dimension: int, layers: int) -> PreTrainedModel:
    config = DistilBertConfig(
        **_shared(tokenizer),
        dim=dimension,
        n_layers=layers,
        n_heads=2,
        hidden_dim=2 * dimension,
        max_position_embeddings=MAX_TOKENS,
    )
    return DistilBertModel(config)


_MODELS: dict[str, Callable[[PreTrainedTokenizerFast, int, int], PreTrainedModel]] = {
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
}
