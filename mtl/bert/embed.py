"""A corpus to its embedding matrix: batched by length, in bfloat16 where that pays, cached.

Shapes: ``N`` rows, ``B`` batch, ``D`` embedding. Rows go through in windows; what is too large to
be held (:mod:`mtl.rows`) is never all in memory. Pooling and output are float32 whatever the
encoder computes in.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mtl.bert.encoder import TextEncoder
from mtl.bert.store import Matrix, read_matrix, unnamed_matrix, write_matrix
from mtl.errors import InputError
from mtl.text.collate import token_batches
from mtl.text.data import Corpus

WINDOW_ROWS = 16_384

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The vectors of a corpus.

    Args:
        vectors: (N, D) float32, row i for row i of the corpus; (N, 2 D) for joined pairs.
        fingerprint: SHA-256 over the encoder, its settings and the texts.
        path: Where they are cached, or None.
        cached: Whether they were read instead of computed.
    """

    vectors: Matrix
    fingerprint: str
    path: Path | None
    cached: bool


def cache_root() -> Path:
    """Return the folder of the embedding cache: ``$ACGAN_BERT_CACHE`` or the user's own."""
    chosen = os.environ.get("ACGAN_BERT_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "acgan-bert"


def embed_corpus(
    corpus: Corpus,
    encoder: TextEncoder,
    *,
    pair: str = "joined",
    precision: str = "auto",
    token_budget: int = 8192,
    cache: Path | None,
    progress: Progress | None = None,
) -> Embeddings:
    """Encode every row of a corpus, or read the vectors that an earlier run left.

    What an interrupted run left in the cache is gone on with, window by window.

    Args:
        corpus: N rows of one or two texts.
        encoder: Where its weights are is where the work is done.
        pair: For rows of two texts: ``joined``, (|u - v|, u * v) of their two vectors, or
            ``cross``, one vector of both texts in one sequence.
        precision: ``float32``, ``bfloat16`` (autocast), or ``auto``: bfloat16 where the processor
            has instructions for it.
        token_budget: Tokens in one batch, padding included.
        cache: Folder that holds cached matrices, such as :func:`cache_root`; None for no cache:
            then what is too large for memory goes to a file there that has no name.
        progress: Called with the rows done and N, whenever a batch is done.

    Returns:
        The vectors, their fingerprint and where they are.

    Raises:
        InputError: A setting is unknown, or the encoder gives vectors that are not finite.
        OSError: The cache cannot be written; nothing is left behind.
    """
    mode = _check_pair(pair) if corpus.pairs is not None else "single"
    effective = resolve_precision(precision, encoder.device)
    shape = (len(corpus), encoder.dimension * (2 if mode == "joined" else 1))
    fingerprint = _fingerprint(corpus, encoder, mode=mode, precision=effective)
    folder = None if cache is None else cache / fingerprint
    stored = None if folder is None else read_matrix(folder)
    if stored is not None and stored.shape == shape:
        if progress is not None:
            progress(len(corpus), len(corpus))
        return Embeddings(stored, fingerprint, folder, cached=True)
    encode = partial(_encode, encoder=encoder, precision=effective, token_budget=token_budget)
    parts = partial(_windows, corpus, encode, mode=mode, progress=progress)
    if folder is None:
        vectors = unnamed_matrix(cache_root(), parts, shape=shape)
    else:
        vectors = write_matrix(folder, parts, shape=shape)
    return Embeddings(vectors, fingerprint, folder, cached=False)


def joined_pair(u_BD: Tensor, v_BD: Tensor) -> Tensor:
    """Join the vectors of two texts into the one of their pair, (|u - v|, u * v): (B, 2 D).

    Neither part tells which text was first, as in the similarity model of Tai et al. 2015, section
    4.2.
    """
    return torch.cat([(u_BD - v_BD).abs(), u_BD * v_BD], dim=1)


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn ``auto`` into the precision that is faster on a device without costing accuracy.

    Args:
        precision: ``auto``, ``float32`` or ``bfloat16``.
        device: Where the encoder is.

    Raises:
        InputError: If the precision is none of these.
    """
    if precision in ("float32", "bfloat16"):
        return precision
    if precision != "auto":
        raise InputError(
            f"encoder.precision: {precision!r} is unknown; use auto, float32 or bfloat16"
        )
    return "bfloat16" if _has_bfloat16(device) else "float32"


def _has_bfloat16(device: torch.device) -> bool:
    """Ask torch whether a device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    # oneDNN also emulates it from AVX-512 up, slower than float32; hence the second question.
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return bool(supported) and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def _check_pair(pair: str) -> str:
    if pair not in ("joined", "cross"):
        raise InputError(f"encoder.pair: {pair!r} is unknown; use joined or cross")
    return pair


def _fingerprint(corpus: Corpus, encoder: TextEncoder, *, mode: str, precision: str) -> str:
    """Hash everything that decides the matrix."""
    digest = hashlib.sha256()
    settings = [encoder.fingerprint(), mode, precision, len(corpus)]
    digest.update(json.dumps(settings).encode())
    for texts in (corpus.texts, corpus.pairs or ()):
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _windows(
    corpus: Corpus,
    encode: Callable[..., Tensor],
    first: int,
    *,
    mode: str,
    progress: Progress | None,
) -> Iterator[Matrix]:
    """Yield the vectors of one window of rows after another, from the first row wanted on."""
    total = len(corpus)
    for start in range(first, total, WINDOW_ROWS):
        texts = corpus.texts[start : start + WINDOW_ROWS]
        pairs = corpus.pairs[start : start + WINDOW_ROWS] if corpus.pairs is not None else None

        def report(share: float, start: int = start, rows: int = len(texts)) -> None:
            if progress is not None:
                progress(start + int(share * rows), total)

        if mode == "joined" and pairs is not None:
            h_BD = encode(texts + pairs, None, report=report)
            h_BD = joined_pair(h_BD[: len(texts)], h_BD[len(texts) :])
        else:
            h_BD = encode(texts, pairs, report=report)
        yield h_BD.cpu().numpy()


def _encode(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    encoder: TextEncoder,
    precision: str,
    token_budget: int,
    report: Callable[[float], None],
) -> Tensor:
    """Encode texts, or pairs as one sequence each; what is repeated is encoded once.

    Returns:
        The vectors in the order of the texts, with shape (B, D), on the encoder's device.
    """
    rows = list(zip(texts, texts if pairs is None else pairs, strict=True))
    position = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    firsts = [first for first, _ in position]
    seconds = None if pairs is None else [second for _, second in position]
    limits = {"max_length": encoder.max_length, "token_budget": token_budget}
    device = encoder.device
    h_BD = torch.empty(len(position), encoder.dimension, device=device)
    done = 0
    was_training = encoder.training
    encoder.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
        ):
            for batch in token_batches(firsts, seconds, encoder.tokenizer, **limits):
                h_BD[torch.as_tensor(batch.rows, device=device)] = encoder(batch)
                done += len(batch.rows)
                report(done / len(position))
    finally:
        encoder.train(was_training)
    if not h_BD.isfinite().all():
        raise InputError(
            f"encoder.name: {encoder.name!r} gives vectors that are not finite in {precision}; "
            "its weights are damaged, or it needs --encoder.precision float32"
        )
    return h_BD[torch.tensor([position[row] for row in rows], device=device)]
