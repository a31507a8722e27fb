"""Means of a study's table, with 95 % intervals over seeds, as the records show them.

Run from the repository::

    python -m benchmarks.study_means runs/records/depth/sst-5/table.csv \
        --by discriminator.depth --columns accuracy,two_sample,two_sample_floor

Rows of one seed that ``--by`` does not tell apart are averaged first: the interval is over seeds,
of which there is one number each. ``control`` is a column like others; rows of equal parameters are
left out unless it is in ``--by``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.study_statistics import seed_summary


def shown(values: pd.Series) -> str:
    """Write a mean and half the width of its interval over seeds."""
    if values.isna().all():
        return "-"
    digits = 3 if values.abs().max() >= 0.01 else 5
    if values.nunique() == 1 or len(values) < 2:
        return f"{values.mean():.{digits}f}"
    interval = seed_summary(values.to_numpy()).interval
    assert interval is not None  # of two seeds or more
    return f"{values.mean():.{digits}f} ± {(interval.high - interval.low) / 2:.{digits}f}"


def means(table: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> str:
    """Return markdown: a line for each group, a column for each measure."""
    if "control" in table and "control" not in by:
        table = table[table.control.isna()]
    words = [key for key in by if not pd.api.types.is_numeric_dtype(table[key])]
    table = table.fillna(dict.fromkeys(words, "none"))
    seeds = table.groupby([*by, "seed"], sort=False, dropna=False)[list(columns)].mean()
    lines = [f"| {' | '.join([*by, *columns])} |", "|---" * (len(by) + len(columns)) + "|"]
    for key, group in seeds.groupby(level=list(range(len(by))), sort=False, dropna=False):
        levels = key if isinstance(key, tuple) else (key,)
        cells = [*map(str, levels), *(shown(group[name]) for name in columns)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--by", required=True, help="columns that tell groups apart, with commas")
    parser.add_argument("--columns", required=True, help="measures, with commas")
    arguments = parser.parse_args()
    for file in arguments.tables:
        by, columns = arguments.by.split(","), arguments.columns.split(",")
        print(f"\n{file}\n\n{means(pd.read_csv(file), by, columns)}")


if __name__ == "__main__":
    main()
