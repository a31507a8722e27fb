"""Hugging Face data sets -> Table, through ``datasets`` (extra ``hub``); remote code never runs."""

from typing import Any

from mtl.errors import InputError
from mtl.text.table import Table

# What data sets call the part that we call dev.
_SPLIT_NAMES = {
    "train": ("train",),
    "dev": ("validation", "dev", "valid", "val"),
    "test": ("test",),
}


def read_hub(source: str, *, split: str) -> Table:
    """Read one part of a hub data set; it is cached by ``datasets`` after the first time.

    Args:
        source: ``hub:OWNER/NAME[:CONFIG]``.
        split: ``train``, ``dev`` or ``test``, whatever the data set calls it.

    Raises:
        InputError: ``datasets`` is not installed, the data set cannot be reached, or it has no
            such part.
    """
    name, _, config = source.removeprefix("hub:").partition(":")
    if not name.strip("/ "):
        raise InputError(f"{source}: no data set is named; write hub:OWNER/NAME or …:CONFIG")
    parts = _load(source, name, config)
    wanted = _SPLIT_NAMES.get(split, (split,))
    found = next((part for part in wanted if part in parts), None)
    if found is None:
        raise InputError(
            f"{source}: no {' or '.join(wanted)} part; it has {', '.join(map(str, parts))}"
        )
    return _to_table(source, parts[found])


def _load(source: str, name: str, config: str) -> Any:  # noqa: ANN401 - a DatasetDict; imported lazily
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"{source}: hub: sources need datasets; pip install 'acgan-bert[hub]'"
        ) from error
    try:
        return datasets.load_dataset(name, config or None)
    # The hub client raises the errors of three HTTP libraries; each means: not to be had.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            f"{source}: the data set cannot be loaded ({type(error).__name__}: {reason}); check "
            "the name and the network, or, offline, give a CSV, JSONL or Parquet file instead"
        ) from error


def _to_table(source: str, part: Any) -> Table:  # noqa: ANN401 - a Dataset; imported lazily
    columns = {str(name): list(part[name]) for name in part.column_names}
    if not columns or not len(part):
        raise InputError(f"{source}: no row; choose another data set or part")
    for name, feature in part.features.items():
        class_names = getattr(feature, "names", None)
        if class_names:
            # Class names say more than their numbers; -1 is how hub data sets hide a label.
            columns[name] = [
                class_names[cell] if cell is not None and cell >= 0 else None
                for cell in columns[name]
            ]
    return Table(source=source, columns=columns)
