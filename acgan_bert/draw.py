"""The pictures of a run and its report, all through :mod:`analysis`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from acgan_bert.rundir import FIGURES, REPORT
from analysis import (
    Generated,
    Map,
    Run,
    all_maps,
    best_scores,
    class_bars,
    class_maps,
    comparison,
    comparison_bars,
    conflict_map,
    confusion_maps,
    embedding_map,
    learning_curves,
    map_series,
    read_run,
    render,
    series_maps,
    write_maps,
    write_report,
)
from analysis.map_store import maps_name
from mtl.files import directory_write, write_bytes

# A map of fewer points than this says nothing, and t-SNE needs some neighbors.
LEAST_POINTS = 12


def draw(run: Path, *, seed: int) -> None:
    """Draw the figures of a run whose result is on disk, then its report.

    Args:
        run: Its directory.
        seed: Of the maps.
    """
    found = read_run(run)
    with directory_write(run / FIGURES) as folder:
        figures = _figures(found)
        for made in found.generated:
            task = made.task if found.tasks else ""
            if maps := _maps(made, seed=seed):
                write_maps(folder / maps_name(task), maps)
                figures |= _map_figures(made, maps, f"-{task}" if task else "")
        for name, figure in figures.items():
            write_bytes(folder / f"{name}.png", render(figure, "png"))
            write_bytes(folder / f"{name}.svg", render(figure, "svg"))
    write_report([run], run / REPORT)


def _figures(run: Run) -> dict[str, Figure]:
    """Make every figure but the maps that the run has the numbers for, by name."""
    figures = {"curves": learning_curves(run.metrics, best_step=run.result.get("best_update"))}
    for stage, records in (("contrastive", run.contrastive), ("adaptation", run.adaptation)):
        if records:
            figures[stage] = learning_curves(records)
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
    return figures


def _maps(made: Generated, *, seed: int) -> list[Map]:
    """Map real and generated embeddings of one task, and the series, none where there are few."""
    real, fake = made.real, made.fake
    if real is None or fake is None or len(real.vectors) < LEAST_POINTS:
        return []
    maps = all_maps(real.vectors, fake.vectors, rng=seed)
    if len(made.series) > 1:
        maps += map_series(made.real_series or real.vectors, made.series, rng=seed)
    return maps


def _map_figures(made: Generated, maps: Sequence[Map], of: str) -> Mapping[str, Figure]:
    """Draw the maps of one task; ``of`` ends the names."""
    assert made.real is not None
    assert made.fake is not None
    labels, names = (made.real.labels, made.fake.labels), made.classes
    single = [panel for panel in maps if not panel.frame]
    series = [panel for panel in maps if panel.frame and panel.method == single[0].method]
    # The first map of each method, and what a second perplexity makes of it.
    first = list({panel.method: panel for panel in reversed(single)}.values())[::-1]
    second = [panel for panel in single if panel not in first]
    figures = {
        f"map{of}": embedding_map(first, *labels, class_names=names),
        f"maps-by-class{of}": class_maps(single[0], *labels, class_names=names),
    }
    if second:
        figures[f"maps-perplexity{of}"] = embedding_map(second, *labels, class_names=names)
    if series:
        figures[f"maps-series{of}"] = series_maps(
            series, labels[1], class_names=names, moving=bool(made.real_series)
        )
    return figures
