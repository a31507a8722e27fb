import logging

import pytest
import torch

from mtl import checkpoint
from mtl.checkpoint import STATE, read_latest, write_checkpoint
from mtl.files import damage
from tests.properties import assert_same_bits


def state(step):
    return {"weight": torch.full((2, 3), float(step)), "step": torch.tensor(step)}


def two_checkpoints(folder):
    """Leave two whole checkpoints, as a process that died between writing and tidying does."""
    write_checkpoint(folder / "newer", state(200), step=200)
    write_checkpoint(folder / "run", state(100), step=100)
    (folder / "newer" / "step-00000200").rename(folder / "run" / "step-00000200")
    return folder / "run"


def test_state_round_trips(tmp_path):
    written = state(7) | {"view": torch.randn(4, 3).T, "bytes": torch.arange(5, dtype=torch.uint8)}
    write_checkpoint(tmp_path, written, step=7)
    assert_same_bits(read_latest(tmp_path), written)
    assert damage(tmp_path / "step-00000007") == ""


def test_nothing_there_is_none(tmp_path):
    assert read_latest(tmp_path) is None
    assert read_latest(tmp_path / "absent") is None


def test_newest_stays_and_older_ones_go(tmp_path):
    for step in (1, 20, 3):  # a run that went back after a divergence
        write_checkpoint(tmp_path, state(step), step=step)
        assert [path.name for path in tmp_path.iterdir()] == [f"step-{step:08d}"]


def test_newest_of_two_is_read(tmp_path):
    assert read_latest(two_checkpoints(tmp_path))["step"] == 200


def test_same_step_is_replaced(tmp_path):
    write_checkpoint(tmp_path, state(1), step=5)
    write_checkpoint(tmp_path, state(2), step=5)
    assert read_latest(tmp_path)["weight"][0, 0] == 2.0


@pytest.mark.parametrize("harm", ["cut", "flipped", "missing", "empty"])
def test_damaged_newest_falls_back_to_the_older_with_a_warning(tmp_path, harm, caplog):
    folder = two_checkpoints(tmp_path)
    target = folder / "step-00000200" / STATE
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    damaged = {"cut": content[:-8], "flipped": content, "empty": b""}
    target.unlink() if harm == "missing" else target.write_bytes(damaged[harm])
    with caplog.at_level(logging.WARNING):
        assert read_latest(folder)["step"] == 100
    assert "step-00000200: damaged checkpoint" in caplog.text
    assert STATE in caplog.text


def test_all_damaged_is_none(tmp_path):
    write_checkpoint(tmp_path, state(1), step=1)
    (tmp_path / "step-00000001" / STATE).write_bytes(b"")
    assert read_latest(tmp_path) is None


def test_write_that_fails_leaves_the_older_whole(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, state(1), step=1)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(tmp_path, state(2), step=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert read_latest(tmp_path)["step"] == 1


def test_remains_of_a_killed_write_are_not_read_and_go_with_the_next(tmp_path):
    remains = tmp_path / ".step-00000009.x7"
    remains.mkdir()
    (remains / STATE).write_bytes(b"half")
    assert read_latest(tmp_path) is None
    write_checkpoint(tmp_path, state(1), step=1)
    assert not remains.exists()


def test_what_is_not_a_checkpoint_is_left_alone(tmp_path):
    """Every other folder was removed."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    write_checkpoint(tmp_path, state(1), step=1)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
