from collections import Counter

import numpy as np
import pytest
import torch

from mtl.bert.toy import toy_encoder
from mtl.schedules import CircularRows
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import BUCKET_BATCHES, BucketedRows, TokenizedCorpus, window

PAIRS = Task(name="same", arity=2, output="classes", classes=("no", "yes"))
SINGLES = Task(name="mood", arity=1, output="classes", classes=("bad", "good"))
SCORES = Task(name="near", arity=2, output="score", classes=("0", "1", "2"), low=0.0, high=2.0)
FIRST = ("a good film", "bad", "the plot was not so good at all")
SECOND = ("a great movie", "the worst film of the year", "dull")


def corpus(task):
    pairs = SECOND if task.arity == 2 else None
    scores = np.array([2.0, np.nan, 0.5]) if task.output == "score" else None
    ids = tuple("abc")
    return Corpus(task, "here", ids, FIRST, pairs, np.array([1, -1, 0]), scores)


def tokenized(task, pair_input="joined", max_length=32):
    tokenizer = toy_encoder().tokenizer
    found = TokenizedCorpus(corpus(task), tokenizer, pair_input=pair_input, max_length=max_length)
    return found, tokenizer


def decoded(batch, tokenizer):
    return tokenizer.batch_decode(batch.input_ids_BL, skip_special_tokens=True)


def test_single_texts_are_one_row_each_padded_to_their_own_longest():
    found, tokenizer = tokenized(SINGLES)
    batch = found.batch(np.array([1, 0]))
    assert batch.joint is None
    assert decoded(batch.singles, tokenizer) == [FIRST[1], FIRST[0]]
    assert batch.singles.input_ids_BL.shape[1] == found.lengths[[1, 0]].max()
    assert batch.labels_B.tolist() == [-1, 1]
    assert batch.scores_B is None


def test_joined_pairs_are_first_texts_then_second_texts():
    found, tokenizer = tokenized(PAIRS)
    batch = found.batch(np.array([2, 0]))
    assert batch.joint is None
    assert decoded(batch.singles, tokenizer) == [FIRST[2], FIRST[0], SECOND[2], SECOND[0]]


def test_crossed_pairs_are_told_apart_by_token_types():
    found, tokenizer = tokenized(PAIRS, "cross")
    batch = found.batch(np.array([0]))
    assert batch.singles is None
    expected = tokenizer(FIRST[0], SECOND[0])
    assert batch.joint.input_ids_BL[0].tolist() == expected["input_ids"]
    assert batch.joint.token_type_ids_BL[0].tolist() == expected["token_type_ids"]
    assert set(expected["token_type_ids"]) == {0, 1}


def test_a_triplet_is_both_texts_and_their_joint_row():
    found, _ = tokenized(SCORES, "triplet")
    rows = np.array([1, 2])
    batch = found.batch(rows)
    for part, alone in ((batch.singles, "joined"), (batch.joint, "cross")):
        same = tokenized(SCORES, alone)[0].batch(rows)
        other = same.singles if alone == "joined" else same.joint
        assert torch.equal(part.input_ids_BL, other.input_ids_BL)
        assert torch.equal(part.attention_mask_BL, other.attention_mask_BL)
    assert torch.isnan(batch.scores_B[0])
    assert batch.scores_B[1].item() == 0.5


@pytest.mark.parametrize("pair_input", ["joined", "cross", "triplet"])
def test_lengths_are_those_of_the_longest_sequence_of_a_row(pair_input):
    found, _ = tokenized(PAIRS, pair_input, max_length=9)
    assert found.lengths.max() <= 9
    for row in range(len(found)):
        batch = found.batch(np.array([row]))
        parts = [part for part in (batch.singles, batch.joint) if part is not None]
        assert max(part.input_ids_BL.shape[1] for part in parts) == found.lengths[row]


def test_a_window_of_a_longer_text_is_a_run_of_it_that_begins_anywhere():
    runs = [[0, *range(start, start + 3), 9] for start in range(1, 7)]
    stream = np.random.default_rng(0)
    shown = [window(10, stream, size=5).tolist() for _ in range(300)]
    assert all(places in runs for places in shown)
    counts = Counter(places[1] for places in shown)
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert min(counts.values()) > 25


@pytest.mark.parametrize("tokens", [0, 1, 2, 3, 5])
def test_a_window_shows_a_text_that_fits_whole(tokens):
    assert window(tokens, np.random.default_rng(0), size=5).tolist() == list(range(tokens))


def test_a_batch_shows_of_every_text_what_it_is_asked_to():
    found, tokenizer = tokenized(PAIRS)
    batch = found.batch(np.array([2, 0]), lambda tokens: np.array([0, tokens - 2, tokens - 1]))
    whole = [tokenizer(text)["input_ids"] for text in (FIRST[2], FIRST[0], SECOND[2], SECOND[0])]
    assert batch.singles.input_ids_BL.tolist() == [[ids[0], *ids[-2:]] for ids in whole]
    assert batch.singles.attention_mask_BL.sum(1).tolist() == [3, 3, 3, 3]


class Counting:
    """Batches of four consecutive rows of 1,000."""

    batches_per_epoch = 250

    def batch(self, index):
        return (np.arange(4) + 4 * index) % 1000


def test_buckets_hold_the_same_rows_at_less_padding_whatever_is_asked_first():
    lengths = np.random.default_rng(0).integers(3, 60, 1000)
    bucketed = BucketedRows(Counting(), lengths, seed=1)
    first = [bucketed.batch(index) for index in range(2 * BUCKET_BATCHES)]
    assert Counter(np.concatenate(first)) == Counter(range(8 * BUCKET_BATCHES))
    padded = sum(4 * lengths[rows].max() for rows in first)
    plain = sum(4 * lengths[Counting().batch(index)].max() for index in range(len(first)))
    assert padded < 0.8 * plain
    again = BucketedRows(Counting(), lengths, seed=1)
    np.testing.assert_array_equal(again.batch(BUCKET_BATCHES + 3), first[BUCKET_BATCHES + 3])
    np.testing.assert_array_equal(again.batch(2), first[2])
    other = BucketedRows(Counting(), lengths, seed=2)
    assert any((other.batch(k) != first[k]).any() for k in range(BUCKET_BATCHES))


@pytest.mark.parametrize(("rows", "batch_size"), [(40, 8), (1000, 8), (130, 4)])
def test_a_pass_shows_every_row_once_however_short_it_is(rows, batch_size):
    plain = CircularRows(rows, batch_size, seed=0)
    lengths = np.random.default_rng(0).integers(3, 9, rows)
    bucketed = BucketedRows(plain, lengths, seed=0)
    exact = rows % batch_size == 0  # else the last batch of a pass begins the next
    for start in (0, plain.batches_per_epoch) if exact else (0,):
        batches = [bucketed.batch(start + k) for k in range(plain.batches_per_epoch)]
        assert set(np.concatenate(batches).tolist()) == set(range(rows))
        if exact:
            assert len(np.unique(np.concatenate(batches))) == rows
