import json
import logging
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from mtl import rows as of_rows
from mtl.bert import partial, store
from mtl.bert.store import read_matrix, unnamed_matrix, write_matrix

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


def parts_of(matrix, size=3):
    def parts(first):
        return (matrix[start : start + size] for start in range(first, len(matrix), size))

    return parts


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
    write_matrix(tmp_path / "none", lambda first: (), shape=(0, 3))
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


def test_a_cache_that_cannot_be_read_now_is_kept(folder, monkeypatch):
    def no_memory(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(store.np, "memmap", no_memory)
        with pytest.raises(OSError, match="Cannot allocate"):
            read_matrix(folder)
    assert np.array_equal(read_matrix(folder), MATRIX)


def test_large_matrices_are_mapped_read_only(folder, monkeypatch):
    assert read_matrix(folder).flags.writeable
    monkeypatch.setattr(of_rows, "HELD_BYTES", MATRIX.nbytes - 1)
    matrix = read_matrix(folder)
    assert not matrix.flags.writeable
    assert np.array_equal(matrix, MATRIX)


@pytest.mark.parametrize("held", [MATRIX.nbytes, MATRIX.nbytes - 1])
def test_unnamed_matrix_leaves_no_file(tmp_path, monkeypatch, held):
    monkeypatch.setattr(of_rows, "HELD_BYTES", held)
    matrix = unnamed_matrix(tmp_path / "cache", parts_of(MATRIX), shape=MATRIX.shape)
    assert np.array_equal(matrix, MATRIX)
    assert matrix.flags.writeable == (held == MATRIX.nbytes)
    assert not list(tmp_path.glob("cache/*"))


class Interrupted:
    """Parts of two rows; interrupted at the third one, the first time. Remembers its calls."""

    def __init__(self, interrupt):
        self.calls, self.interrupt = [], interrupt

    def __call__(self, first):
        self.calls.append(first)
        for start in range(first, len(LONG), 2):
            if start == 4 and len(self.calls) == 1:
                self.interrupt()
            yield LONG[start : start + 2]


LONG = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def ctrl_c():
    raise KeyboardInterrupt


@pytest.fixture
def interrupted(tmp_path):
    """A writer that was stopped behind row 4 of 8, and its folder."""
    parts = Interrupted(ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        write_matrix(tmp_path / "abc", parts, shape=LONG.shape)
    assert not (tmp_path / "abc").exists()
    (left,) = tmp_path.iterdir()
    return SimpleNamespace(parts=parts, left=left, folder=tmp_path / "abc")


def test_writing_goes_on_behind_what_an_interruption_left(interrupted, tmp_path):
    written = write_matrix(interrupted.folder, interrupted.parts, shape=LONG.shape)
    assert interrupted.parts.calls == [0, 4]
    assert np.array_equal(written, LONG)
    assert np.array_equal(read_matrix(interrupted.folder), LONG)
    assert sorted(path.name for path in interrupted.folder.iterdir()) == [
        "index.json",
        "vectors.safetensors",
    ]
    assert list(tmp_path.iterdir()) == [interrupted.folder]


KILLED = """
import os, pathlib, signal, sys
import numpy as np
from mtl.bert.store import write_matrix
rows = np.load(sys.argv[2])

def parts(first):
    yield rows[:2]
    yield rows[2:4]
    os.kill(os.getpid(), signal.SIGKILL)

write_matrix(pathlib.Path(sys.argv[1]), parts, shape=rows.shape)
"""


@pytest.mark.processes
def test_writing_goes_on_after_a_kill(tmp_path):
    np.save(tmp_path / "rows.npy", LONG)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "abc"), str(tmp_path / "rows.npy")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    asked = []

    def parts(first):
        asked.append(first)
        return parts_of(LONG)(first)

    assert np.array_equal(write_matrix(tmp_path / "abc", parts, shape=LONG.shape), LONG)
    assert asked == [4]


DAMAGES_OF_PARTS = {
    "flipped byte in the second part": (lambda left: flip_last_byte(left / store.VECTORS), 2),
    "second part cut": (lambda left: cut(left / store.VECTORS, 10), 2),
    "second line cut": (lambda left: cut(left / partial.JOURNAL, 10), 2),
    "journal of something else": (lambda left: (left / partial.JOURNAL).write_text("[]\n"), 0),
    "no journal": (lambda left: (left / partial.JOURNAL).unlink(), 0),
    "no vectors": (lambda left: (left / store.VECTORS).unlink(), 0),
    "another header": (lambda left: overwrite(left / store.VECTORS, b"?"), 0),
}


def cut(path, size):
    os.truncate(path, path.stat().st_size - size)


def overwrite(path, start):
    path.write_bytes(start + path.read_bytes()[len(start) :])


@pytest.mark.parametrize(("damage", "rows"), DAMAGES_OF_PARTS.values(), ids=DAMAGES_OF_PARTS)
def test_what_is_left_is_believed_as_far_as_it_is_whole(interrupted, damage, rows):
    damage(interrupted.left)
    assert np.array_equal(
        write_matrix(interrupted.folder, interrupted.parts, shape=LONG.shape), LONG
    )
    assert interrupted.parts.calls == [0, rows]
    assert np.array_equal(read_matrix(interrupted.folder), LONG)


def test_an_interruption_before_the_first_part_leaves_nothing(tmp_path):
    def stopped(first):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_matrix(tmp_path / "abc", stopped, shape=LONG.shape)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_any_row_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(OSError, match=r"No space left on device: 48 bytes needed"):
        write_matrix(
            tmp_path / "abc", lambda first: pytest.fail("asked for rows"), shape=MATRIX.shape
        )
    assert list(tmp_path.iterdir()) == []


def broken_parts(first):
    yield MATRIX[:2]
    raise OSError(28, "No space left on device")


def test_failure_half_way_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        write_matrix(tmp_path / "abc", broken_parts, shape=MATRIX.shape)
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

    def overtaken(first):
        yield MATRIX[:1]
        write_matrix(folder, parts_of(MATRIX), shape=MATRIX.shape)
        yield MATRIX[1:]

    assert np.array_equal(write_matrix(folder, overtaken, shape=MATRIX.shape), MATRIX)
    assert np.array_equal(read_matrix(folder), MATRIX)
    assert [path.name for path in tmp_path.iterdir()] == ["abc"]
