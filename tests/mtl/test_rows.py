import numpy as np
import pytest

from mtl import rows as of_rows
from mtl.rows import Selection, blocks, is_held, select

MATRIX = np.arange(30, dtype=np.float32).reshape(10, 3)
CHOSEN = np.array([7, 0, 3, 3, 9])


@pytest.mark.parametrize(
    "index",
    [
        slice(1, 4),
        slice(None, None, 2),
        np.array([4, 0, 0]),
        np.array([[1, 2], [3, 4]]),
        np.array([True, False, True, False, True]),
        2,
    ],
    ids=str,
)
def test_a_selection_is_indexed_as_the_copy_would_be(index):
    copy, selection = MATRIX[CHOSEN], Selection(MATRIX, CHOSEN)
    assert np.array_equal(selection[index], copy[index])
    assert (selection.shape, selection.ndim, selection.dtype) == (copy.shape, 2, np.float32)
    assert len(selection) == len(copy)
    assert np.array_equal(np.asarray(selection, dtype=np.float64), copy)


def test_no_array_without_a_copy():
    with pytest.raises(ValueError, match="without a copy"):
        np.array(Selection(MATRIX, CHOSEN), copy=False)


def test_what_may_be_held_is_copied_and_comes_as_one_block():
    assert is_held(MATRIX.shape)
    chosen = select(MATRIX, CHOSEN)
    assert isinstance(chosen, np.ndarray)
    ((start, block),) = blocks(chosen)
    assert start == 0
    assert np.array_equal(block, MATRIX[CHOSEN])


@pytest.mark.parametrize("rows", [1, 2, 5, 7])
def test_what_is_larger_comes_in_blocks_that_together_are_all(monkeypatch, rows):
    monkeypatch.setattr(of_rows, "HELD_BYTES", 4 * 3 * 4)
    monkeypatch.setattr(of_rows, "BLOCK_BYTES", 12 * rows)
    chosen = select(MATRIX, CHOSEN)
    assert isinstance(chosen, Selection)
    assert isinstance(select(MATRIX, CHOSEN[:4]), np.ndarray)
    for whole in (chosen, MATRIX):
        starts, parts = zip(*blocks(whole), strict=True)
        assert starts == tuple(range(0, len(whole), rows))
        assert max(map(len, parts)) == min(rows, len(whole))
        assert np.array_equal(np.concatenate(parts), np.asarray(whole))
        assert not any(np.shares_memory(part, MATRIX) for part in parts)
