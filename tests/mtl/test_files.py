import hashlib
import json
import math
import os
import stat
from pathlib import Path

import pytest

from mtl import files
from mtl.files import (
    CHECKSUMS,
    damage,
    directory_write,
    sha256,
    write_bytes,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_):
    raise OSError(28, "No space left on device")


@pytest.fixture
def whole(tmp_path):
    """A directory of two checksummed files."""
    with directory_write(tmp_path / "whole") as temporary:
        (temporary / "a.bin").write_bytes(b"\x00\x01\x02")
        write_json(temporary / "b.json", {"ü": 1})
    return tmp_path / "whole"


def test_what_was_written_is_read(tmp_path):
    write_bytes(tmp_path / "bytes", b"\x00\xff")
    write_text(tmp_path / "text", "grüße\n😀")
    write_json(tmp_path / "json", {"z": [1, None], "a": "ü"})
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert (tmp_path / "text").read_text("utf-8") == "grüße\n😀"
    written = (tmp_path / "json").read_text("utf-8")
    assert json.loads(written) == {"z": [1, None], "a": "ü"}
    assert list(json.loads(written)) == ["z", "a"]
    assert "ü" in written
    assert names(tmp_path) == ["bytes", "json", "text"]


def test_file_is_readable_by_others_and_replaces_the_older(tmp_path):
    write_text(tmp_path / "file", "old")
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("value", [math.nan, math.inf, object()])
def test_json_that_others_could_not_read_is_not_written(tmp_path, value):
    write_json(tmp_path / "file", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "file", {"x": value})
    assert json.loads((tmp_path / "file").read_text()) == 1
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_older_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    write_text(tmp_path / "file", "old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(error)):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda d: (order.append("fsync"), fsync(d))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b))[1])
    write_text(tmp_path / "file", "new")
    assert order == ["fsync", "replace"]


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "absent" / "file", "x")


def test_sha256_is_that_of_the_content(tmp_path):
    content = os.urandom(100_000)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_directory_comes_with_the_checksums_of_its_files(whole):
    assert names(whole) == ["a.bin", "b.json", CHECKSUMS]
    assert json.loads((whole / CHECKSUMS).read_text()) == {
        name: sha256(whole / name) for name in ("a.bin", "b.json")
    }
    assert damage(whole) == ""
    assert names(whole.parent) == ["whole"]
    assert stat.S_IMODE(whole.stat().st_mode) == 0o755


def test_directory_is_not_there_before_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "er"
    with directory_write(target) as temporary:
        (temporary / "a").write_text("x")
        assert not target.exists()
        assert temporary.parent == target.parent  # so that renaming is atomic
    assert (target / "a").read_text() == "x"


def test_directory_replaces_the_older_one_as_a_whole(whole):
    with directory_write(whole) as temporary:
        (temporary / "c").write_text("new")
        assert (whole / "a.bin").exists()
    assert names(whole) == ["c", CHECKSUMS]
    assert damage(whole) == ""
    assert names(whole.parent) == ["whole"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_block_that_fails_leaves_the_older_directory(whole, error):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}

    def fill():
        with directory_write(whole) as temporary:
            (temporary / "a.bin").write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fill()
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
    assert names(whole.parent) == ["whole"]


@pytest.mark.parametrize("failing", [1, 2])
def test_rename_that_fails_puts_the_older_directory_back(whole, monkeypatch, failing):
    rename, calls = os.rename, []

    def fail_once(source, target):
        calls.append(source)
        if len(calls) == failing:
            full_disk()
        rename(source, target)

    monkeypatch.setattr(files.os, "rename", fail_once)

    def fill():
        with directory_write(whole) as temporary:
            (temporary / "c").write_text("new")

    with pytest.raises(OSError, match="No space"):
        fill()
    assert damage(whole) == ""
    assert names(whole) == ["a.bin", "b.json", CHECKSUMS]
    assert names(whole.parent) == ["whole"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda d: (d / "a.bin").unlink(), "a.bin is missing"),
        (lambda d: (d / "a.bin").write_bytes(b"\x00\x01\x03"), "a.bin does not have the SHA-256"),
        (lambda d: (d / "a.bin").write_bytes(b""), "a.bin does not have the SHA-256"),
        (lambda d: (d / CHECKSUMS).unlink(), f"{CHECKSUMS} is missing"),
        (lambda d: (d / CHECKSUMS).write_text("{"), f"{CHECKSUMS} is not JSON"),
        (lambda d: (d / CHECKSUMS).write_bytes(b"\xff\xfe"), f"{CHECKSUMS} is not JSON"),
        (lambda d: (d / CHECKSUMS).write_text("[]"), f"{CHECKSUMS} lists no files"),
        (lambda d: (d / CHECKSUMS).write_text("{}"), f"{CHECKSUMS} lists no files"),
    ],
)
def test_damage_is_noticed_and_named(whole, harm, message):
    harm(whole)
    assert damage(whole).startswith(message)


def test_absent_directory_is_damaged_and_more_files_are_not(whole, tmp_path):
    assert damage(tmp_path / "absent") == f"{CHECKSUMS} is missing"
    (whole / "later.json").write_text("{}")
    assert damage(whole) == ""


def test_temporary_names_are_hidden(tmp_path):
    with directory_write(tmp_path / "target") as temporary:
        assert Path(temporary).name.startswith(".target.")
        (temporary / "a").write_text("x")
