"""Batches of a task: rows with and without labels, and the shares of their parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.batches import TaskRows
from mtl.settings import TaskData
from tests.mtl.toy_multitask import fresh, tokens

ROWS = 40


def task_rows(labeled=12, unlabeled_rows=0, batch_size=6, seed=0):
    """Return the batches of a task of 40 rows; those at the end have no label."""
    train = fresh(tokens("sentiment", "train", "joined", ROWS))
    train.corpus.labels[labeled:] = -1
    return TaskRows(TaskData(train=train, unlabeled_rows=unlabeled_rows), batch_size, seed=seed)


@settings(max_examples=25, deadline=None)
@given(
    labeled=st.integers(1, ROWS),
    beside=st.integers(0, 20),
    batch_size=st.integers(6, 16),
    processes=st.integers(1, 3),
    accumulation=st.integers(1, 2),
    index=st.integers(0, 50),
)
def test_shares_of_the_parts_of_a_batch_add_up(
    labeled, beside, batch_size, processes, accumulation, index
):
    rows = task_rows(labeled, beside, batch_size)
    split = {"processes": processes, "accumulation": accumulation}
    parts = [p for k in range(processes) for p in rows.parts(index, process=k, **split)]
    assert len(parts) == processes * accumulation
    whole = rows.batch(index)
    assert sum(part.rows for part in parts) / processes == pytest.approx(1)
    known = int((rows.tokens.corpus.labels[whole] >= 0).sum())
    assert sum(part.labeled for part in parts) / processes == pytest.approx(min(1, known))
    dealt = np.concatenate([part.batch.singles.rows for part in parts])
    np.testing.assert_array_equal(np.sort(dealt), np.sort(whole))
    for part in parts:
        assert part.rows == pytest.approx(len(part.batch.labels_B) * processes / len(whole))
        own = int((part.batch.labels_B >= 0).sum())
        assert part.labeled == pytest.approx(own * processes / max(1, known))


def test_rows_are_dealt_by_turns_so_that_labels_are_everywhere():
    rows = task_rows(unlabeled_rows=9)
    parts = [p for k in range(2) for p in rows.parts(3, process=k, processes=2, accumulation=2)]
    counts = [int((part.batch.labels_B >= 0).sum()) for part in parts]
    assert sum(counts) == 6
    assert max(counts) - min(counts) <= 1
    sizes = [len(part.batch.labels_B) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_batch_has_as_many_rows_of_each_kind_as_asked():
    rows = task_rows(labeled=10, unlabeled_rows=5, batch_size=6)
    for index in range(8):
        batch = rows.batch(index)
        assert len(batch) == 11
        assert (batch[:6] < 10).all()
        assert (batch[6:] >= 10).all()


def test_both_streams_pass_over_all_of_their_rows():
    rows = task_rows(labeled=10, unlabeled_rows=6, batch_size=5)
    assert rows.batches_per_epoch == 2  # of labelled ones: an epoch is a pass over them
    for first in (0, 5):  # thirty others are five batches
        batches = [rows.batch(first + k) for k in range(5)]
        others = np.concatenate([batch[5:] for batch in batches])
        assert sorted(others) == list(range(10, ROWS))
    for first in (0, 2, 4):
        labeled = np.concatenate([rows.batch(first + k)[:5] for k in range(2)])
        assert sorted(labeled) == list(range(10))


def test_where_none_is_asked_for_all_rows_are_alike():
    rows = task_rows(labeled=10, unlabeled_rows=0, batch_size=8)
    seen = np.concatenate([rows.batch(k) for k in range(5)])
    assert sorted(seen) == list(range(ROWS))


def test_a_task_without_others_has_labeled_rows_alone():
    rows = task_rows(labeled=ROWS, unlabeled_rows=7, batch_size=8)
    assert len(rows.batch(0)) == 8
    assert rows.batches_per_epoch == 5


def test_batches_follow_from_seed_and_number_alone():
    rows, again = task_rows(unlabeled_rows=4), task_rows(unlabeled_rows=4)
    later = [again.batch(k) for k in reversed(range(6))][::-1]
    for index in range(6):
        np.testing.assert_array_equal(rows.batch(index), later[index])
    other = task_rows(unlabeled_rows=4, seed=1)
    assert any((rows.batch(k) != other.batch(k)).any() for k in range(6))
