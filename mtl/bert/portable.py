"""An encoder within a saved model: rebuilt from that folder, without the one that it came from.

Its weights are the model's; here are architecture, tokenizer, pooling and length. Nothing is
downloaded and no code from a folder runs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from mtl.bert.encoder import CONFIG_NOISE, TextEncoder
from mtl.bert.sources import quiet_transformers
from mtl.saved import WEIGHTS, SavedModel


def write_encoder(encoder: TextEncoder, directory: Path) -> dict[str, Any]:
    """Write the tokenizer's files.

    Returns:
        Everything else but the weights, as JSON values. Its fingerprint is that of the weights as
        they are now: embeddings that this encoder makes are known by it.
    """
    with quiet_transformers():
        encoder.tokenizer.save_pretrained(directory)
    config = encoder.config.to_dict()
    path = Path(encoder.name)
    return {
        # Of a folder the last part only: whose disk it lay on is nobody's business.
        "name": path.name if path.is_absolute() else encoder.name,
        "fingerprint": encoder.fingerprint(),
        "pooling": encoder.pooling,
        "max_length": encoder.max_length,
        "unit": encoder.unit,
        "config": {key: value for key, value in config.items() if key not in CONFIG_NOISE},
    }


def read_encoder(
    directory: Path, described: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> TextEncoder:
    """Rebuild an encoder with weights at random.

    Args:
        directory: Holds the tokenizer's files.
        described: What :func:`write_encoder` returned.
        weights: What the model will load; an encoder that was saved without pooler gets none.
    """
    config = AutoConfig.for_model(**described["config"])
    # A file may name an implementation that transformers would fetch and run.
    config._attn_implementation = None
    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=False, local_files_only=True
        )
        model = AutoModel.from_config(config, trust_remote_code=False, dtype=torch.float32)
    if hasattr(model, "pooler") and not any(".pooler." in name for name in weights):
        model.pooler = None
    return TextEncoder(
        model,
        tokenizer,
        name=described["name"],
        pooling=described["pooling"],
        max_length=described["max_length"],
        unit=described.get("unit", False),  # models that were saved before there was one have none
    ).eval()


class MovedEncoder(SavedModel):
    """An encoder that training has moved, as a saved model of its own.

    Args:
        encoder: The encoder.
    """

    FORMAT: ClassVar[int] = 1

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder

    def _save_pretrained(self, save_directory: Path) -> None:
        described = write_encoder(self.encoder, save_directory)
        self._write(save_directory, {"encoder": described}, self.encoder.state_dict())

    @classmethod
    def _load(cls, directory: Path, config: dict[str, Any]) -> Self:
        weights = load_file(directory / WEIGHTS)
        encoder = read_encoder(directory, config["encoder"], weights)
        encoder.load_state_dict(weights)
        return cls(encoder)
