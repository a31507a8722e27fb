"""The pictures of a run and its report, all through :mod:`analysis`."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from acgan_bert.rundir import FIGURES, REPORT
from analysis import (
    Generated,
    Run,
    all_maps,
    best_scores,
    class_bars,
    comparison,
    comparison_bars,
    conflict_map,
    confusion_maps,
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
        for name, figure in _figures(read_run(run), seed=seed).items():
            write_bytes(folder / f"{name}.png", render(figure, "png"))
            write_bytes(folder / f"{name}.svg", render(figure, "svg"))
    write_report([run], run / REPORT)


def _figures(run: Run, *, seed: int) -> Mapping[str, Figure]:
    """Make every figure that the run has the numbers for, by name."""
    figures = {"curves": learning_curves(run.metrics, best_step=run.result.get("best_update"))}
    if run.contrastive:
        figures["contrastive"] = learning_curves(run.contrastive)
    scores = comparison(run.result)
    if scores:
        figures["comparison"] = comparison_bars(scores)
    tasks = best_scores(run.result)
    if any(task.confusion is not None for task in tasks):
        figures["classes"] = class_bars(tasks)
        figures["confusion"] = confusion_maps(tasks)
    if run.conflicts:
        steps = [record["step"] for record in run.metrics if "step" in record]
        figures["conflicts"] = conflict_map(run.conflicts, evaluations=steps)
    for made in run.generated:
        if map_of := _map(made, seed=seed):
            figures[f"map-{made.task}" if run.tasks else "map"] = map_of
    return figures


def _map(made: Generated, *, seed: int) -> Figure | None:
    """Map real and generated embeddings of one task, None where there are too few."""
    real, fake = made.real, made.fake
    if real is None or fake is None or len(real.vectors) < LEAST_POINTS:
        return None
    return embedding_map(
        all_maps(real.vectors, fake.vectors, rng=seed),
        real.labels,
        fake.labels,
        class_names=made.classes,
    )
