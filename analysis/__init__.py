"""Measures, maps and reports for conditional generators of embeddings; no torch in here.

Everything promised is reachable from here and loaded on first use, so that ``import analysis``
costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.conflict_plots import conflict_map
    from analysis.curves import learning_curves
    from analysis.metrics.collapse import collapse_report
    from analysis.metrics.floors import Floor, real_floor
    from analysis.metrics.frechet import frechet_distance
    from analysis.metrics.kernel import kernel_distance
    from analysis.metrics.neighbors import PRDC, prdc
    from analysis.multitask_plots import class_bars, confusion_maps
    from analysis.neighbors import memorized, nearest_real, typicality
    from analysis.plots import comparison_bars, embedding_map, render
    from analysis.projection import Map, all_maps, pca_map, tsne_map
    from analysis.report.page import write_report
    from analysis.runs import Generated, Run, read_run, read_samples
    from analysis.scores import Score, comparison, verdict
    from analysis.statistics import (
        accuracy_interval,
        correlation_interval,
        mean_interval,
        paired_test,
    )
    from analysis.tasks import TaskScore, best_scores, task_scores

_HOMES = {
    "Score": "analysis.scores",
    "comparison": "analysis.scores",
    "verdict": "analysis.scores",
    "collapse_report": "analysis.metrics.collapse",
    "Floor": "analysis.metrics.floors",
    "real_floor": "analysis.metrics.floors",
    "frechet_distance": "analysis.metrics.frechet",
    "kernel_distance": "analysis.metrics.kernel",
    "PRDC": "analysis.metrics.neighbors",
    "prdc": "analysis.metrics.neighbors",
    "memorized": "analysis.neighbors",
    "nearest_real": "analysis.neighbors",
    "typicality": "analysis.neighbors",
    "comparison_bars": "analysis.plots",
    "embedding_map": "analysis.plots",
    "learning_curves": "analysis.curves",
    "class_bars": "analysis.multitask_plots",
    "confusion_maps": "analysis.multitask_plots",
    "conflict_map": "analysis.conflict_plots",
    "render": "analysis.plots",
    "Map": "analysis.projection",
    "all_maps": "analysis.projection",
    "pca_map": "analysis.projection",
    "tsne_map": "analysis.projection",
    "write_report": "analysis.report.page",
    "Generated": "analysis.runs",
    "Run": "analysis.runs",
    "read_run": "analysis.runs",
    "read_samples": "analysis.runs",
    "accuracy_interval": "analysis.statistics",
    "correlation_interval": "analysis.statistics",
    "mean_interval": "analysis.statistics",
    "paired_test": "analysis.statistics",
    "TaskScore": "analysis.tasks",
    "best_scores": "analysis.tasks",
    "task_scores": "analysis.tasks",
}

__all__ = [
    "PRDC",
    "Floor",
    "Generated",
    "Map",
    "Run",
    "Score",
    "TaskScore",
    "accuracy_interval",
    "all_maps",
    "best_scores",
    "class_bars",
    "collapse_report",
    "comparison",
    "comparison_bars",
    "conflict_map",
    "confusion_maps",
    "correlation_interval",
    "embedding_map",
    "frechet_distance",
    "kernel_distance",
    "learning_curves",
    "mean_interval",
    "memorized",
    "nearest_real",
    "paired_test",
    "pca_map",
    "prdc",
    "read_run",
    "read_samples",
    "real_floor",
    "render",
    "task_scores",
    "tsne_map",
    "typicality",
    "verdict",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Load the module that holds ``name`` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
