import errno
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mtl import rows as of_rows
from mtl.bert import embed
from mtl.bert.embed import cache_root, embed_corpus, resolve_precision
from mtl.bert.encoder import load_encoder
from mtl.bert.toy import toy_encoder, write_toy
from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task

TEXTS = (
    "a truly boring film , but never dull",
    "",
    "good",
    "she was happy and they were sad",
    "good",
    "😀 🎬",
    "הסרט היה טוב",
    "film " * 10_000,
)


def corpus_of(texts, pairs=None):
    names = ("no", "yes")
    task = Task(name="toy", arity=1 if pairs is None else 2, output="classes", classes=names)
    return Corpus(
        task=task,
        source="test",
        ids=tuple(str(number) for number in range(len(texts))),
        texts=tuple(texts),
        pairs=None if pairs is None else tuple(pairs),
        labels=np.full(len(texts), -1),
        scores=None,
        notes=(),
    )


def vectors_of(encoder, texts, pairs=None, **options):
    settings = {"precision": "float32", "cache": None} | options
    return embed_corpus(corpus_of(texts, pairs), encoder, **settings).vectors


@pytest.mark.parametrize("token_budget", [1, 64, 100_000])
def test_vector_does_not_depend_on_its_neighbors(encoder, token_budget):
    together = vectors_of(encoder, TEXTS, token_budget=token_budget)
    alone = np.concatenate([vectors_of(encoder, [text]) for text in TEXTS])
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)


def test_rows_stay_in_the_order_of_the_corpus(encoder):
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = vectors_of(encoder, [TEXTS[i] for i in order])
    np.testing.assert_allclose(shuffled, vectors_of(encoder, TEXTS)[order], atol=1e-5, rtol=0)


def test_windows_join_without_a_seam(encoder, monkeypatch, tmp_path):
    whole = vectors_of(encoder, TEXTS)
    monkeypatch.setattr(embed, "WINDOW_ROWS", 3)
    np.testing.assert_allclose(vectors_of(encoder, TEXTS), whole, atol=1e-5, rtol=0)
    stored = vectors_of(encoder, TEXTS, cache=tmp_path)
    np.testing.assert_allclose(stored, whole, atol=1e-5, rtol=0)


def test_joined_pair_is_difference_and_product(encoder):
    first, second = TEXTS[:4], TEXTS[3:7]
    u, v = vectors_of(encoder, first), vectors_of(encoder, second)
    expected = np.concatenate([np.abs(u - v), u * v], axis=1)
    joined = vectors_of(encoder, first, second, pair="joined")
    np.testing.assert_allclose(joined, expected, atol=1e-5, rtol=0)
    swapped = vectors_of(encoder, second, first, pair="joined")
    np.testing.assert_allclose(swapped, joined, atol=1e-5, rtol=0)


def test_cross_pair_is_one_sequence_with_token_types(encoder):
    crossed = vectors_of(encoder, ("good film",), ("bad film",), pair="cross")
    tokens = encoder.tokenizer("good film", "bad film", return_tensors="pt")
    assert tokens["token_type_ids"].any()
    with torch.inference_mode():
        expected = encoder.model(**tokens).last_hidden_state.mean(dim=1)
    np.testing.assert_allclose(crossed, expected.numpy(), atol=1e-5, rtol=0)
    assert (
        np.abs(crossed - vectors_of(encoder, ("bad film",), ("good film",), pair="cross")).max()
        > 1e-3
    )


def test_repeated_text_is_encoded_once(encoder, monkeypatch):
    seen = []

    def recording(texts, *args, **kwargs):
        seen.extend(texts)
        return batches(texts, *args, **kwargs)

    batches = embed.token_batches
    monkeypatch.setattr(embed, "token_batches", recording)
    vectors = vectors_of(encoder, ("good", "bad", "good"), ("bad", "good", "good"))
    assert sorted(seen) == ["bad", "good"]
    np.testing.assert_allclose(vectors[0], vectors[1])
    assert not vectors[2, : encoder.dimension].any()


def test_memory_is_that_of_one_window(encoder, monkeypatch):
    """Ten times the rows: the encoder is never given more than one window of texts."""
    monkeypatch.setattr(embed, "WINDOW_ROWS", 10)
    given, batches = [], embed.token_batches

    def recording(texts, *args, **kwargs):
        given.append(len(texts))
        return batches(texts, *args, **kwargs)

    monkeypatch.setattr(embed, "token_batches", recording)
    vectors_of(encoder, [f"film {number}" for number in range(100)])
    assert given == [10] * 10


def test_empty_corpus_has_no_rows_but_a_width(encoder, tmp_path):
    assert vectors_of(encoder, ()).shape == (0, 16)
    assert vectors_of(encoder, (), ()).shape == (0, 32)
    assert vectors_of(encoder, (), cache=tmp_path).shape == (0, 16)


def test_progress_ends_at_the_number_of_rows(encoder, tmp_path):
    calls = []
    for _ in range(2):
        vectors_of(
            encoder, TEXTS, token_budget=1, cache=tmp_path, progress=lambda *c: calls.append(c)
        )
    first, cached = calls[:-1], calls[-1]
    assert [done for done, _ in first] == sorted(done for done, _ in first)
    assert first[-1] == cached == (len(TEXTS), len(TEXTS))


def test_training_mode_and_dropout_are_out_of_the_way(encoder):
    expected = vectors_of(encoder, TEXTS)
    encoder.train()
    np.testing.assert_array_equal(vectors_of(encoder, TEXTS), expected)
    assert encoder.training


def test_second_run_reads_the_cache(encoder, tmp_path, monkeypatch):
    first = embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    monkeypatch.setattr(encoder, "forward", lambda batch: pytest.fail("encoded again"))
    second = embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    assert (first.cached, second.cached) == (False, True)
    assert first.path == second.path == tmp_path / second.fingerprint
    np.testing.assert_array_equal(first.vectors, second.vectors)
    torch.from_numpy(second.vectors).mul_(2)  # writable, as far as its user is concerned


def test_an_interrupted_embedding_goes_on_window_by_window(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "WINDOW_ROWS", 2)
    expected = embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path / "whole").vectors
    forward, encoded = encoder.forward, []

    def stop(batch):
        encoded.append(len(batch.rows))
        if len(encoded) == 3:
            raise KeyboardInterrupt
        return forward(batch)

    monkeypatch.setattr(encoder, "forward", stop)
    done = []
    with pytest.raises(KeyboardInterrupt):
        embed_corpus(corpus_of(TEXTS), encoder, token_budget=10_000, cache=tmp_path / "cut")
    found = embed_corpus(
        corpus_of(TEXTS),
        encoder,
        token_budget=10_000,
        cache=tmp_path / "cut",
        progress=lambda rows, total: done.append(rows),
    )
    assert not found.cached
    assert min(done) > 4  # two windows of two rows were there
    np.testing.assert_array_equal(found.vectors, expected)


def test_without_a_cache_large_matrices_are_mapped_from_a_file_without_a_name(
    encoder, tmp_path, monkeypatch
):
    expected = vectors_of(encoder, TEXTS)
    monkeypatch.setattr(of_rows, "HELD_BYTES", 0)
    monkeypatch.setenv("ACGAN_BERT_CACHE", str(tmp_path / "cache"))
    found = vectors_of(encoder, TEXTS)
    assert (expected.flags.writeable, found.flags.writeable) == (True, False)
    np.testing.assert_array_equal(found, expected)
    assert list((tmp_path / "cache").iterdir()) == []


def test_labels_and_ids_do_not_enter_the_fingerprint(encoder, tmp_path):
    embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    other = replace(corpus_of(TEXTS), source="other", labels=np.zeros(len(TEXTS), dtype=np.int64))
    assert embed_corpus(other, encoder, cache=tmp_path).cached


def test_whatever_decides_a_vector_misses_the_cache(encoder, encoder_folder, tmp_path):
    def cached(encoder, texts=("a", "bc"), pairs=None, **options):
        return embed_corpus(corpus_of(texts, pairs), encoder, cache=tmp_path, **options).cached

    assert not cached(encoder, precision="float32")
    assert cached(encoder, precision="float32")
    assert not cached(encoder, precision="bfloat16")
    assert not cached(encoder, texts=("ab", "c"), precision="float32")
    assert not cached(encoder, texts=("bc", "a"), precision="float32")
    assert not cached(encoder, texts=("a",), pairs=("bc",), precision="float32")
    assert not cached(encoder, texts=("a",), pairs=("bc",), pair="cross", precision="float32")
    assert not cached(load_encoder(str(encoder_folder), pooling="cls"), precision="float32")
    assert not cached(toy_encoder(seed=1), precision="float32")


def test_damaged_cache_is_said_and_computed_again(encoder, tmp_path, caplog):
    first = embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    expected = np.array(first.vectors)
    path = first.path / "vectors.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 64
    path.unlink()
    path.write_bytes(data)
    second = embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    assert not second.cached
    assert str(first.path) in caplog.text
    np.testing.assert_array_equal(second.vectors, expected)
    assert embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path).cached


def test_failure_while_encoding_leaves_nothing(encoder, tmp_path, monkeypatch):
    def fail(batch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoder, "forward", fail)
    with pytest.raises(OSError, match="No space"):
        embed_corpus(corpus_of(TEXTS), encoder, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_vectors_that_are_not_finite_are_refused(encoder, tmp_path):
    with torch.no_grad():
        next(encoder.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="not finite in float32"):
        vectors_of(encoder, TEXTS, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_bfloat16_is_close_and_comes_out_as_float32(tmp_path, architecture):
    write_toy(tmp_path, architecture=architecture)
    encoder = load_encoder(str(tmp_path))
    exact, fast = (vectors_of(encoder, TEXTS, precision=p) for p in ("float32", "bfloat16"))
    assert fast.dtype == np.float32
    assert 0 < np.abs(exact - fast).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("onednn", "avx512", "amx", "expected"),
    [
        (True, True, False, "bfloat16"),
        (True, False, True, "bfloat16"),
        (True, False, False, "float32"),
        (False, True, True, "float32"),
    ],
)
def test_auto_asks_the_processor(monkeypatch, onednn, avx512, amx, expected):
    ops = SimpleNamespace(mkldnn=SimpleNamespace(_is_mkldnn_bf16_supported=lambda: onednn))
    monkeypatch.setattr(embed.torch, "ops", ops)
    monkeypatch.setattr(embed.torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(embed.torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto", torch.device("cpu")) == expected


def test_unknown_settings_are_named(encoder):
    with pytest.raises(InputError, match=r"encoder\.precision: 'float16'"):
        vectors_of(encoder, TEXTS, precision="float16")
    with pytest.raises(InputError, match=r"encoder\.pair: 'both'"):
        vectors_of(encoder, TEXTS, TEXTS, pair="both")


def test_cache_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ACGAN_BERT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("ACGAN_BERT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "acgan-bert"
