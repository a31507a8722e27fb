"""What a run ran on: versions, commit, machine, command, and hashes of data and encoder."""

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mtl.bert.encoder import TextEncoder
from mtl.processes import process_count

_PACKAGES = (
    *("acgan-bert", "torch", "transformers", "tokenizers", "accelerate", "peft", "torchjd"),
    *("safetensors", "numpy", "scikit-learn"),
)


def describe_environment(
    encoder: TextEncoder,
    *,
    hashes: Mapping[str, Mapping[str, str]],
    command: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Give the content of env.json.

    Args:
        encoder: The encoder of the run.
        hashes: Source and SHA-256 of each part of the data.
        command: The command line, word by word; empty where the run was started from Python.
        seed: Of the recipe.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "directory": str(Path.cwd()),
        "seed": seed,
        "versions": {"python": platform.python_version(), **_versions()},
        "commit": _commit(),
        "platform": platform.platform(),
        "device": str(encoder.device),
        "processes": process_count(),
        "processor": _processor(),
        "data": {part: dict(entry) for part, entry in hashes.items()},
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint()},
    }


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _commit() -> str | None:
    """Return the commit of the checkout that this file is in; None where it is installed."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    describe = ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    command = ["git", "-C", str(root), *describe]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    """Name the processor; Linux alone says it in full, in a file."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        except OSError:
            lines = []
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
