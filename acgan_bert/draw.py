"""The pictures of a run and its report, all through :mod:`analysis`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from acgan_bert.rundir import FIGURES, METRICS, REPORT, read_metrics
from analysis import (
    all_maps,
    comparison,
    comparison_bars,
    embedding_map,
    learning_curves,
    read_run,
    render,
    write_report,
)
from mtl.files import directory_write, write_bytes

# A map of fewer points than this says nothing, and t-SNE needs some neighbors.
LEAST_POINTS = 12


def draw(run: Path, *, seed: int) -> None:
    """Draw the figures of a run whose result is on disk, then its report.

    Args:
        run: Its directory.
        seed: Of the maps.
    """
    with directory_write(run / FIGURES) as folder:
        for name, figure in _figures(run, seed=seed).items():
            write_bytes(folder / f"{name}.png", render(figure, "png"))
            write_bytes(folder / f"{name}.svg", render(figure, "svg"))
    write_report([run], run / REPORT)


def _figures(run: Path, *, seed: int) -> Mapping[str, Figure]:
    """Make every figure that the run has the numbers for, by name."""
    read = read_run(run)
    figures: dict[str, Any] = {"curves": learning_curves(read_metrics(run / METRICS))}
    scores = comparison(read.result)
    if scores:
        figures["comparison"] = comparison_bars(scores)
    real, fake = read.real, read.fake
    if real is not None and fake is not None and len(real.vectors) >= LEAST_POINTS:
        figures["map"] = embedding_map(
            all_maps(real.vectors, fake.vectors, rng=seed),
            real.labels,
            fake.labels,
            class_names=read.classes,
        )
    return figures
