"""The part of a recipe that says where text is: the GAN's own, and that of every task.

Part of :mod:`acgan_bert.recipe`, which says what the strings below the fields are for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRecipe:
    """Where the text is and how much of it is labelled."""

    train: str = "demo:sentiment"
    """CSV, TSV, JSONL or Parquet file, hub:OWNER/NAME[:CONFIG], or demo:NAME (sentiment, …)."""
    dev: str = ""
    """Source that is scored during training; empty: none."""
    test: str = ""
    """Source that is scored once, at the end; empty: none."""
    text: str = ""
    """Column of the sentence; empty: inferred and said."""
    text_pair: str = ""
    """Column of the second sentence of a pair task; empty: inferred and said."""
    label: str = ""
    """Column of the label; empty: inferred and said."""
    dev_fraction: float = 0.0
    """Share of the training rows set aside as the dev part when no dev source is given."""
    test_fraction: float = 0.0
    """Share of the training rows set aside as the test part when no test source is given."""
    label_fraction: float = 1.0
    """Share of the labelled training rows whose labels are kept, drawn stratified; in (0, 1]."""
    labels_per_class: int = 0
    """Labels kept per class instead of a fraction; 0: use label_fraction."""
    unlabeled_fraction: float = 1.0
    """Share of the remaining training rows used as unlabelled text; in [0, 1]."""
    label_imbalance: float = 1.0
    """Labels kept of the first class over the last, classes between on a geometric series."""
    unlabeled_imbalance: float = 1.0
    """Likewise of the rows without labels, by the labels that they hide; for studies."""
