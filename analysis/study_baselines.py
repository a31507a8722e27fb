"""What the rows of a study carry of the baselines that were trained on the same labels."""

from collections.abc import Sequence

import numpy as np

from analysis.study_design import higher_is_better
from analysis.study_reading import Row

PREFIXES = ("baseline.", "baselines.")


def baseline_values(rows: Sequence[Row], measure: str) -> dict[str, dict[str, list[float]]]:
    """Return by baseline and seed what rows carry of it: ``baseline.NAME`` is its accuracy."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for column, value in row.values.items():
            prefix = next((start for start in PREFIXES if column.startswith(start)), None)
            if prefix is None:
                continue
            name, _, of = column.removeprefix(prefix).partition(".")
            if (of or "accuracy") == measure:
                found.setdefault(name, {}).setdefault(row.seed, []).append(value)
    return found


def baseline_means(rows: Sequence[Row], measure: str) -> dict[str, float]:
    """Return the mean of each baseline over the rows, the best first."""
    means = {
        name: float(np.mean([value for values in by_seed.values() for value in values]))
        for name, by_seed in baseline_values(rows, measure).items()
    }
    sign = -1.0 if higher_is_better(measure) else 1.0
    return dict(sorted(means.items(), key=lambda item: sign * item[1]))
