"""Pretrained text encoder: tokens to one vector per text.

Shapes: ``B`` batch, ``L`` tokens, ``D`` embedding. The attention mask and the token types are the
tokenizer's own, so padding is recognized whatever its id is (1 in RoBERTa, not 0).
"""

import hashlib
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import PreTrainedTokenizerBase

from mtl.bert.sources import Pretrained, load_pretrained
from mtl.errors import InputError
from mtl.text.collate import TokenBatch, blocks_of_like_length

POOLINGS = ("cls", "mean", "pooler")
# Room for the special tokens of a pair and at least two tokens of each text.
SHORTEST_MAX_LENGTH = 8
# What differs between two copies of the same encoder without changing a vector.
CONFIG_NOISE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")


def mean_pool(h_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Average the states of the tokens that are not padding.

    Args:
        h_BLD: Token states.
        mask_BL: 1 for a token, 0 for padding.

    Returns:
        The mean over tokens, with shape (B, D).
    """
    weight_BL1 = mask_BL.unsqueeze(-1).to(h_BLD.dtype)
    return (h_BLD * weight_BL1).sum(dim=1) / weight_BL1.sum(dim=1).clamp(min=1.0)


def first_pool(h_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Take the state of the first token that is not padding (some tokenizers pad on the left).

    Args:
        h_BLD: Token states.
        mask_BL: 1 for a token, 0 for padding.

    Returns:
        The state of the classification token, with shape (B, D).
    """
    first_B = mask_BL.long().argmax(dim=1)
    return h_BLD[torch.arange(len(h_BLD), device=h_BLD.device), first_B]


class TextEncoder(nn.Module):
    """A transformer encoder with a pooling: the trained part of every text model here.

    Args:
        model: Transformer that takes ``input_ids`` and ``attention_mask``.
        tokenizer: The tokenizer that belongs to it.
        name: What the user called it: where it can be opened again, and for messages.
        pooling: ``cls`` (first token), ``mean`` (over tokens) or ``pooler`` (the model's own head).
        max_length: Tokens kept of a text, clipped to what the model and tokenizer can take.
        unit: Whether vectors are divided by their norm.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        pooling: str,
        max_length: int,
        unit: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.pooling = pooling
        self.unit = unit
        self.max_length = min(max_length, tokenizer.model_max_length, _positions(model))
        self.dimension: int = self.config.hidden_size
        accepted = inspect.signature(model.forward).parameters
        self._takes_token_types = "token_type_ids" in accepted

    @property
    def config(self) -> Any:  # noqa: ANN401 (every architecture has its own class)
        """Return the configuration of the transformer."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Return the device that the weights are on."""
        return next(self.model.parameters()).device

    def embed(self, batch: TokenBatch) -> Tensor:
        """Return the embeddings (B, L, D) of a batch's tokens, where :meth:`forward` starts."""
        embeddings_BLD: Tensor = self._token_table(batch.input_ids_BL.to(self.device))
        return embeddings_BLD

    def forward(self, batch: TokenBatch, embeddings_BLD: Tensor | None = None) -> Tensor:
        """Encode a batch, wherever it lies, on the encoder's device.

        Args:
            batch: Token ids, mask and token types, each with shape (B, L).
            embeddings_BLD: Taken for the embeddings of the tokens; None for :meth:`embed`'s.

        Returns:
            The vectors h_BD in float32, with shape (B, D).
        """
        # Threads of a CPU gain from less padding; a GPU would wait for more and smaller kernels.
        here = self.device.type == batch.input_ids_BL.device.type == "cpu"
        if (
            not here
            or embeddings_BLD is not None
            or len(blocks := blocks_of_like_length(batch)) == 1
        ):
            return self._encoded(batch, embeddings_BLD)
        h_BD = torch.cat([self._encoded(block, None) for _, block in blocks])
        return h_BD[torch.cat([places for places, _ in blocks]).argsort()]

    def _encoded(self, batch: TokenBatch, embeddings_BLD: Tensor | None) -> Tensor:
        mask_BL = batch.attention_mask_BL.to(self.device)
        inputs = {"input_ids": batch.input_ids_BL.to(self.device), "attention_mask": mask_BL}
        if self._takes_token_types and batch.token_type_ids_BL is not None:
            inputs["token_type_ids"] = batch.token_type_ids_BL.to(self.device)
        with self._embedded(embeddings_BLD):
            output = self.model(**inputs)
        h_BD = self._pooled(output, mask_BL)
        return normalize(h_BD, dim=-1) if self.unit else h_BD

    def _pooled(self, output: Any, mask_BL: Tensor) -> Tensor:  # noqa: ANN401 - transformers' own
        if self.pooling == "pooler":
            return output.pooler_output.float()
        pool = mean_pool if self.pooling == "mean" else first_pool
        return pool(output.last_hidden_state.float(), mask_BL)

    @property
    def _token_table(self) -> nn.Module:
        table: nn.Module = self.model.get_input_embeddings()  # type: ignore[operator]
        return table

    @contextmanager
    def _embedded(self, embeddings_BLD: Tensor | None) -> Iterator[None]:
        """Put embeddings in the place of the looked-up ones.

        The ids are still given, and ``inputs_embeds`` is not: RoBERTa counts positions from ids.
        """
        if embeddings_BLD is None:
            yield
            return
        hook = self._token_table.register_forward_hook(lambda *_: embeddings_BLD)
        try:
            yield
        finally:
            hook.remove()

    def fingerprint(self) -> str:
        """Return a SHA-256 over everything that decides the vectors of a text.

        That is the weights, the configuration, the tokenizer, the pooling, the length limit and
        the unit norm; not where the files lie or which release wrote them.
        """
        digest = hashlib.sha256()
        config = self.config.to_dict()
        settings = {
            "config": {key: config[key] for key in config.keys() - set(CONFIG_NOISE)},
            "tokenizer": _describe_tokenizer(self.tokenizer),
            "pooling": self.pooling,
            "max_length": self.max_length,
        } | ({"unit": True} if self.unit else {})
        digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
        for key, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def extra_repr(self) -> str:
        """Name the encoder and its settings when it is printed."""
        return f"{self.name!r}, pooling={self.pooling!r}, max_length={self.max_length}"


def load_encoder(name: str, *, pooling: str = "mean", max_length: int = 256) -> TextEncoder:
    """Load a pretrained encoder in evaluation mode, in float32, on the CPU.

    Args:
        name: ``offline`` (the packaged MiniLM), a local folder, or a hub name.
        pooling: ``cls``, ``mean`` or ``pooler``.
        max_length: Tokens kept of a text; clipped to what the model can take.

    Raises:
        InputError: If there is no such encoder, or it cannot be used in this way.
    """
    if pooling not in POOLINGS:
        raise InputError(f"encoder.pooling: {pooling!r} is unknown; use cls, mean or pooler")
    if max_length < SHORTEST_MAX_LENGTH:
        raise InputError(
            f"encoder.max_length: {max_length} is too short; use at least {SHORTEST_MAX_LENGTH}"
        )
    pretrained = load_pretrained(name)
    _check_usable(name, pretrained)
    model = pretrained.model
    if pooling == "pooler":
        _check_pooler(name, pretrained)
    elif "add_pooling_layer" in inspect.signature(type(model).__init__).parameters:
        # The head is unused, and random where the checkpoint has none: it would make the
        # fingerprint of an unchanged encoder differ at every start.
        model.pooler = None  # type: ignore[assignment]
    encoder = TextEncoder(
        model, pretrained.tokenizer, name=name, pooling=pooling, max_length=max_length
    )
    return encoder.eval()


def _check_usable(name: str, pretrained: Pretrained) -> None:
    """Refuse what loads but cannot encode text: decoders, other models, foreign tokenizers."""
    model, tokenizer, missing = pretrained
    problem = ""
    absent = sorted(key for key in missing if "pooler" not in key)
    vocabulary = model.get_input_embeddings().num_embeddings  # type: ignore[operator]
    if model.config.is_encoder_decoder:  # type: ignore[union-attr]
        problem = "is an encoder with a decoder"
    elif absent:
        problem = f"lacks {len(absent)} of its weights, {absent[0]} among them"
    elif tokenizer.pad_token is None:
        problem = "has a tokenizer without a padding token"
    elif not len(tokenizer.all_special_ids) < len(tokenizer) <= vocabulary:
        problem = f"has {len(tokenizer)} tokens in its tokenizer and {vocabulary} in its model"
    if problem:
        raise InputError(f"encoder.name: {name!r} {problem}; use a BERT-like encoder")


def _check_pooler(name: str, pretrained: Pretrained) -> None:
    """Refuse the pooling ``pooler`` where the model has no such head, or an untrained one."""
    exists = getattr(pretrained.model, "pooler", None) is not None
    if not exists or any("pooler" in key for key in pretrained.missing):
        raise InputError(
            f"encoder.pooling: {name!r} has no trained pooler; use --encoder.pooling mean or cls"
        )


def _positions(model: nn.Module) -> int:
    """Count the tokens that a model has positions for.

    RoBERTa numbers positions from its padding id + 1, so that many of its table are never used.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - reserved
    limit: int | None = getattr(model.config, "max_position_embeddings", None)
    return limit if limit and limit > 0 else torch.iinfo(torch.int64).max


def _describe_tokenizer(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what decides the tokens of a text, as JSON values."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    pipeline = json.loads(backend.to_str()) if backend is not None else tokenizer.get_vocab()
    # The last call leaves its own padding and truncation behind in the backend.
    settings = {key: pipeline[key] for key in pipeline.keys() - {"padding", "truncation"}}
    return {
        "pipeline": settings if backend is not None else pipeline,
        "special": {key: str(value) for key, value in tokenizer.special_tokens_map.items()},
        "sides": [tokenizer.padding_side, tokenizer.truncation_side],
    }
