"""A model as a directory, here or on the hub: safetensors and JSON, whole and checksummed.

Nothing that a directory holds is executed. Pushing is the mixin's of huggingface_hub. Its saving
and loading are not used: it deletes an older ``config.json`` ahead of the new one, adds files after
the last checksum, and hands on what ``config.json`` holds before anyone has checked it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from huggingface_hub import ModelHubMixin, snapshot_download
from safetensors.torch import save_file
from torch import Tensor

from mtl.errors import InputError
from mtl.files import CHECKSUMS, damage, directory_write, write_json

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
CARD_TEXT = """---
{{ card_data }}
---

```python
from {{ module }} import {{ name }}

model = {{ name }}.from_pretrained("{{ repository }}")
```
"""


class SavedModel(ModelHubMixin, library_name="acgan-bert", model_card_template=CARD_TEXT):
    """What is saved to a directory, pushed to the hub, and loaded from either.

    A subclass says what it writes, ``_save_pretrained(directory)``, with :meth:`_write` for the two
    files that every model has, and how it is made of them again, :meth:`_load`.
    """

    FORMAT: ClassVar[int]
    """Of the directory; another number is refused."""

    # Kept from guessing a configuration from the arguments of __init__: ours is config.json.
    _hub_mixin_config: dict[str, Any] = {}  # noqa: RUF012 (the mixin's, which only reads it)

    def save_pretrained(  # type: ignore[override]  # without the mixin's second way to push
        self,
        save_directory: Path | str,
        *,
        config: None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the model, atomically, as a directory of its own.

        Args:
            save_directory: Made where it does not exist; an older model in it is replaced.
            config: Unused; the mixin passes it.
            model_card_kwargs: Values of the card, ``README.md``; None: no card.

        Raises:
            InputError: The directory holds something else, which would be lost.
        """
        directory = Path(save_directory)
        ours = not directory.exists() or (directory / CHECKSUMS).is_file()
        if not ours and (directory.is_file() or any(directory.iterdir())):
            raise InputError(
                f"{directory}: holds something other than a model; "
                "give a new or empty directory, or one of an older model"
            )
        with directory_write(directory) as temporary:
            self._save_pretrained(temporary)
        if model_card_kwargs is not None:
            # Not among the checksums: cards are edited on the hub.
            self.generate_model_card(**model_card_kwargs).save(directory / CARD)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # noqa: ANN401 (the mixin's)
        """Save to a repository of the hub, which is made where there is none.

        Args:
            repo_id: OWNER/NAME.
            options: Of :meth:`huggingface_hub.ModelHubMixin.push_to_hub`, such as ``private``,
                ``token`` or ``commit_message``.

        Returns:
            The address of the commit.

        Raises:
            InputError: The hub cannot be reached or refuses.
        """
        kind = type(self)
        card = {"module": kind.__module__, "name": kind.__name__, "repository": repo_id}
        options["model_card_kwargs"] = card | (options.get("model_card_kwargs") or {})
        try:
            return super().push_to_hub(repo_id, **options)
        # The exception types of the HTTP client differ between releases of huggingface_hub.
        except Exception as error:
            raise InputError(
                f"{repo_id}: cannot be pushed to the hub ({_reason(error)}); check the name and "
                "the network, and log in with: hf auth login"
            ) from error

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Path | str,
        **options: Any,  # noqa: ANN401 (the hub's)
    ) -> Self:
        """Load what :meth:`save_pretrained` wrote or :meth:`push_to_hub` pushed.

        Args:
            pretrained_model_name_or_path: The directory or, where there is none of this name,
                OWNER/NAME on the hub.
            options: For the hub, of :func:`huggingface_hub.snapshot_download`: ``revision``,
                ``token``, ``cache_dir``, ``force_download`` or ``local_files_only``.

        Raises:
            InputError: There is no model, or one that is damaged, of another kind or format, or
                does not fit together.
        """
        name = str(pretrained_model_name_or_path)
        folder = Path(name).expanduser()
        if not folder.exists() and HUB_NAME.fullmatch(name):
            folder = _download(name, options)
        _check_whole(folder)
        try:
            config = json.loads((folder / CONFIG).read_text("utf-8"))
            cls._check_kind(folder, config)
            return cls._load(folder, config)
        except InputError:
            raise
        # Over content that is not theirs, torch and transformers raise errors of any type.
        except Exception as error:
            raise InputError(
                f"{folder}: its parts do not fit together ({_reason(error)}); "
                "restore it or train again"
            ) from error

    @classmethod
    def _load(cls, directory: Path, config: dict[str, Any]) -> Self:
        """Make the model of a whole directory and its ``config.json``."""
        raise NotImplementedError

    def _write(
        self, directory: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> None:
        """Write the weights, and a configuration with format and class beside them."""
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(plain, directory / WEIGHTS, metadata={"format": "pt"})
        (directory / WEIGHTS).chmod(0o644)  # safetensors keeps it to its owner
        about = {"format": self.FORMAT, "model": type(self).__name__}
        write_json(directory / CONFIG, about | dict(config))

    @classmethod
    def _check_kind(cls, folder: Path, config: dict[str, Any]) -> None:
        kind, found = config.get("model", cls.__name__), config.get("format")
        if kind != cls.__name__:
            raise InputError(f"{folder}: holds a {kind}; load it with {kind}.from_pretrained")
        if found != cls.FORMAT:
            newer = isinstance(found, int) and found > cls.FORMAT
            raise InputError(
                f"{folder}: a model of format {found}, this version reads {cls.FORMAT}; "
                f"{'install a newer version' if newer else 'train it again'}"
            )


def _check_whole(folder: Path) -> None:
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder}: not a model directory ({CONFIG} and {WEIGHTS} expected); "
            "give the model/ folder of a run, or one that save() wrote"
        )
    if problem := damage(folder):
        raise InputError(f"{folder}: damaged model: {problem}; restore it or train again")


def _download(name: str, options: Mapping[str, Any]) -> Path:
    """Fetch the files that the checksums of a repository list, or find them in the cache."""
    try:
        folder = Path(snapshot_download(name, allow_patterns=[CHECKSUMS], **options))
        listed = list(json.loads((folder / CHECKSUMS).read_text("utf-8")))
        return Path(snapshot_download(name, allow_patterns=[CHECKSUMS, *listed], **options))
    # The exception types of the HTTP client differ between releases of huggingface_hub.
    except Exception as error:
        raise InputError(
            f"{name}: neither a model directory nor such a model on the hub ({_reason(error)}); "
            "give the model/ folder of a run, or check the name and the network"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the kind of an error and the start of its text, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
