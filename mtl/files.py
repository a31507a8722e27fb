"""Files that are whole or absent: atomic writes, and checksums that notice damage.

A file is written under a temporary name beside its target, flushed to the disk and renamed, so a
reader sees the old content or the new, never a part, whenever the writer dies.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKSUMS = "checksums.json"
"""Name of the file in which a directory keeps the SHA-256 of its other files."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; its directory must exist.

    Raises:
        OSError: The disk is full or the directory cannot be written; nothing is left behind.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 (whatever JSON can hold)
    """Write JSON atomically, keys in their own order, no NaN."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def directory_write(target: Path) -> Iterator[Path]:
    """Fill a temporary directory that takes the target's place once it is whole and checksummed.

    Yields:
        The temporary directory, a sibling of the target. Its files' SHA-256 are recorded in
        ``checksums.json`` when the block ends without an exception.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        sums = {file.name: sha256(file) for file in sorted(temporary.iterdir())}
        write_json(temporary / CHECKSUMS, sums)
        for file in temporary.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.chmod(0o755)
        _replace_directory(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def damage(directory: Path) -> str:
    """Say what is wrong with a directory that :func:`directory_write` wrote; '' if nothing is."""
    try:
        sums = json.loads((directory / CHECKSUMS).read_text("utf-8"))
    except FileNotFoundError:
        return f"{CHECKSUMS} is missing"
    except (UnicodeDecodeError, json.JSONDecodeError):
        return f"{CHECKSUMS} is not JSON"
    if not isinstance(sums, dict) or not sums:
        return f"{CHECKSUMS} lists no files"
    for name, expected in sums.items():
        file = directory / name
        if not file.is_file():
            return f"{name} is missing"
        if sha256(file) != expected:
            return f"{name} does not have the SHA-256 that was recorded when it was written"
    return ""


def _replace_directory(temporary: Path, target: Path) -> None:
    """Rename into place; an older directory is moved aside first, and back if that fails."""
    if not target.exists():
        os.rename(temporary, target)
        return
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    try:
        os.rename(target, aside / target.name)
        try:
            os.rename(temporary, target)
        except BaseException:
            os.rename(aside / target.name, target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
