"""Token batches: every row once, within the budget, as the tokenizer alone would give it."""

import numpy as np
import pytest
from transformers import BertTokenizerFast

from mtl.text import collate
from mtl.text.collate import blocks_of_like_length, token_batches

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "b",
    "c",
    "##c",
    "\u05e9\u05dc\u05d5\u05dd",
]
ODD = [
    "",
    " ",
    "a " * 10_000,
    "\U0001f600\U0001f469\u200d\U0001f680",
    "\u05e9\u05dc\u05d5\u05dd",
    "a\nb",
    "abc\u0301",
]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizerFast(vocab={word: index for index, word in enumerate(WORDS)})


def texts_of(lengths):
    return ["a " * int(length) for length in lengths]


def test_every_row_comes_once_and_within_the_budget(tokenizer):
    lengths = np.random.default_rng(0).integers(0, 60, size=500)
    batches = list(
        token_batches(texts_of(lengths), None, tokenizer, max_length=40, token_budget=256)
    )
    assert sorted(np.concatenate([batch.rows for batch in batches]).tolist()) == list(range(500))
    for batch in batches:
        assert batch.input_ids_BL.numel() <= 256
        expected = np.minimum(lengths[batch.rows] + 2, 40)
        assert batch.attention_mask_BL.sum(dim=1).tolist() == expected.tolist()
        assert batch.input_ids_BL.shape[1] == expected.max()
    padded = sum(batch.input_ids_BL.numel() for batch in batches)
    assert padded < 1.15 * np.minimum(lengths + 2, 40).sum()


def test_a_row_over_the_budget_stands_alone(tokenizer):
    batches = list(
        token_batches(texts_of([30, 1, 2]), None, tokenizer, max_length=64, token_budget=10)
    )
    assert [batch.rows.tolist() for batch in batches] == [[0], [2, 1]]


def test_each_row_is_what_the_tokenizer_gives_alone(tokenizer):
    pairs = ["b b", "", "c"]
    texts = ["a", "a b c", ""]
    (batch,) = token_batches(texts, pairs, tokenizer, max_length=6, token_budget=100)
    for position, row in enumerate(batch.rows):
        alone = tokenizer([texts[row]], [pairs[row]], truncation=True, max_length=6)
        kept = batch.attention_mask_BL[position].bool()
        assert batch.input_ids_BL[position][kept].tolist() == alone["input_ids"][0]
        assert batch.token_type_ids_BL[position][kept].tolist() == alone["token_type_ids"][0]
        assert (batch.input_ids_BL[position][~kept] == tokenizer.pad_token_id).all()


def test_odd_texts_pass(tokenizer):
    batches = list(token_batches(ODD, ODD[::-1], tokenizer, max_length=32, token_budget=128))
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(rows.tolist()) == list(range(len(ODD)))
    assert max(batch.input_ids_BL.shape[1] for batch in batches) == 32


def test_a_tokenizer_without_token_types_gives_none():
    plain = BertTokenizerFast(
        vocab={word: index for index, word in enumerate(WORDS)},
        model_input_names=["input_ids", "attention_mask"],
    )
    (batch,) = token_batches(["a", "b c"], None, plain, max_length=8, token_budget=64)
    assert batch.token_type_ids_BL is None
    assert batch.rows.dtype == np.int64


@pytest.mark.parametrize(("setting", "value"), [("WINDOW_TEXTS", 7), ("WINDOW_CHARACTERS", 100)])
def test_no_more_than_a_window_is_tokenized_ahead(tokenizer, monkeypatch, setting, value):
    """Memory stays flat: a consumer of the first batch has made one window be read, not all."""
    monkeypatch.setattr(collate, setting, value)
    read = []

    class Texts(list):
        def __getitem__(self, index):
            found = super().__getitem__(index)
            read.append(len(found))
            return found

    texts = Texts(texts_of([5, 60, 3] * 20))
    batches = token_batches(texts, None, tokenizer, max_length=64, token_budget=128)
    first = next(batches)
    assert sum(read) <= 7
    rows = [*first.rows, *(row for batch in batches for row in batch.rows)]
    assert sorted(rows) == list(range(60))


def test_no_text_gives_no_batch_and_bad_sizes_are_refused(tokenizer):
    assert list(token_batches([], None, tokenizer, max_length=8, token_budget=8)) == []
    with pytest.raises(ValueError, match="token_budget"):
        next(token_batches(["a"], None, tokenizer, max_length=8, token_budget=0))
    with pytest.raises(ValueError, match="second sentences"):
        next(token_batches(["a"], [], tokenizer, max_length=8, token_budget=8))


def batch_of(tokenizer, lengths):
    (batch,) = token_batches(texts_of(lengths), None, tokenizer, max_length=64, token_budget=10**6)
    return batch


def test_blocks_hold_every_row_once_and_no_column_of_padding(tokenizer):
    batch = batch_of(tokenizer, np.random.default_rng(1).integers(0, 60, size=70))
    blocks = blocks_of_like_length(batch)
    assert len(blocks) == 4
    assert sorted(place for places, _ in blocks for place in places.tolist()) == list(range(70))
    for places, block in blocks:
        mask_BL = block.attention_mask_BL
        assert mask_BL.any(dim=0).all()
        assert block.rows.tolist() == batch.rows[places.numpy()].tolist()
        for own, place in enumerate(places):
            whole = batch.attention_mask_BL[place].bool()
            ids = block.input_ids_BL[own][mask_BL[own].bool()]
            assert ids.tolist() == batch.input_ids_BL[place][whole].tolist()
            assert block.token_type_ids_BL[own].shape == mask_BL[own].shape
    kept = sum(block.input_ids_BL.numel() for _, block in blocks)
    assert kept < 0.8 * batch.input_ids_BL.numel()


def test_padding_on_the_left_stays_since_positions_are_counted_from_there(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "padding_side", "left")
    batch = batch_of(tokenizer, [3, 60, 4, 5] * 20)
    ((_, block),) = blocks_of_like_length(batch)
    assert block is batch


@pytest.mark.parametrize("lengths", [[3, 60] * 15, [30, 31] * 40, [5], [0] * 40])
def test_a_batch_that_is_small_or_even_stays_whole(tokenizer, lengths):
    batch = batch_of(tokenizer, lengths)
    ((places, block),) = blocks_of_like_length(batch)
    assert block is batch
    assert places.tolist() == list(range(len(lengths)))
