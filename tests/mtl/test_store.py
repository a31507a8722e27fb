import json
import logging
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from mtl.bert import store
from mtl.bert.store import read_matrix, write_matrix

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


def parts_of(matrix, size=3):
    return (matrix[start : start + size] for start in range(0, len(matrix), size))


@pytest.fixture
def folder(tmp_path):
    written = write_matrix(tmp_path / "cache" / "abc", parts_of(MATRIX), shape=MATRIX.shape)
    assert np.array_equal(written, MATRIX)
    return tmp_path / "cache" / "abc"


def test_read_gives_what_was_written(folder):
    assert np.array_equal(read_matrix(folder), MATRIX)


def test_file_is_what_the_safetensors_library_reads(folder):
    tensors = load_file(folder / "vectors.safetensors")
    assert list(tensors) == ["vectors"]
    assert np.array_equal(tensors["vectors"], MATRIX)


def test_changes_in_memory_stay_there(folder):
    matrix = read_matrix(folder)
    matrix += 1
    assert np.array_equal(read_matrix(folder), MATRIX)


def test_matrix_of_no_rows(tmp_path):
    write_matrix(tmp_path / "none", iter(()), shape=(0, 3))
    assert read_matrix(tmp_path / "none").shape == (0, 3)


def test_absent_is_no_damage(tmp_path, caplog):
    assert read_matrix(tmp_path / "nothing") is None
    assert caplog.text == ""


def flip_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def rewrite_index(folder, **changes):
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


DAMAGES = {
    "flipped byte": lambda folder: flip_last_byte(folder / "vectors.safetensors"),
    "truncated": lambda folder: os.truncate(folder / "vectors.safetensors", 90),
    "emptied": lambda folder: os.truncate(folder / "vectors.safetensors", 0),
    "vectors missing": lambda folder: (folder / "vectors.safetensors").unlink(),
    "index missing": lambda folder: (folder / "index.json").unlink(),
    "index cut": lambda folder: os.truncate(folder / "index.json", 20),
    "index binary": lambda folder: (folder / "index.json").write_bytes(b"\xff\xfe\x00"),
    "index a list": lambda folder: (folder / "index.json").write_text("[]"),
    "other shape": lambda folder: rewrite_index(folder, rows=3, dimension=4),
    "other format": lambda folder: rewrite_index(folder, format=0),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed_said_and_removed(folder, caplog, damage):
    damage(folder)
    assert read_matrix(folder) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(folder) in record.getMessage()
    assert not folder.exists()


def test_file_in_place_of_the_folder_is_damage_too(tmp_path, caplog):
    (tmp_path / "abc").write_text("")
    assert read_matrix(tmp_path / "abc") is None
    assert "damaged" in caplog.text
    assert not (tmp_path / "abc").exists()


def broken_parts():
    yield MATRIX[:2]
    raise OSError(28, "No space left on device")


def test_failure_half_way_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        write_matrix(tmp_path / "abc", broken_parts(), shape=MATRIX.shape)
    assert list(tmp_path.iterdir()) == []


def test_failure_to_sync_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_matrix(tmp_path / "abc", parts_of(MATRIX), shape=MATRIX.shape)
    assert list(tmp_path.iterdir()) == []


def test_too_few_rows_are_not_believed(tmp_path):
    with pytest.raises(ValueError, match="4 rows came, 5 were announced"):
        write_matrix(tmp_path / "abc", parts_of(MATRIX), shape=(5, 3))
    assert list(tmp_path.iterdir()) == []


def test_second_of_two_writers_discards_its_own(tmp_path):
    folder = tmp_path / "abc"

    def overtaken():
        yield MATRIX[:1]
        write_matrix(folder, parts_of(MATRIX), shape=MATRIX.shape)
        yield MATRIX[1:]

    assert np.array_equal(write_matrix(folder, overtaken(), shape=MATRIX.shape), MATRIX)
    assert np.array_equal(read_matrix(folder), MATRIX)
    assert [path.name for path in tmp_path.iterdir()] == ["abc"]
