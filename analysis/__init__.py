"""Measures, maps and reports for conditional generators of embeddings; no torch in here.

Everything promised is reachable from here and loaded on first use, so that ``import analysis``
costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.coherence import label_agreement, topic_words
    from analysis.conflict_plots import conflict_map
    from analysis.curves import learning_curves
    from analysis.map_plots import class_maps, embedding_map, series_maps
    from analysis.map_store import read_maps, write_maps
    from analysis.metrics.collapse import collapse_report
    from analysis.metrics.floors import Floor, prdc_floors, real_floor
    from analysis.metrics.frechet import Frechet, frechet, frechet_distance, frechet_rows
    from analysis.metrics.frechet_limit import FrechetLimit, frechet_limit
    from analysis.metrics.kernel import energy_distance, kernel_distance
    from analysis.metrics.memorization import Memorization, memorization
    from analysis.metrics.neighbors import PRDC, prdc
    from analysis.metrics.permutation import TwoSample, two_sample_test
    from analysis.metrics.summary import measure_all
    from analysis.metrics.together import Measures, measure_together
    from analysis.metrics.two_sample import ClassifierTest, classifier_two_sample
    from analysis.metrics.use import use_report
    from analysis.metrics.wasserstein import sliced_wasserstein
    from analysis.multitask_plots import class_bars, confusion_maps
    from analysis.neighbors import memorized, nearest_real, typicality
    from analysis.plots import comparison_bars, render
    from analysis.projection import Map, all_maps, map_series, pca_map, tsne_map, umap_map
    from analysis.report.page import write_report
    from analysis.runs import Generated, Run, read_run, read_samples
    from analysis.scores import Score, comparison, verdict
    from analysis.statistics import (
        accuracy_interval,
        correlation_interval,
        mean_interval,
        paired_test,
    )
    from analysis.study_report import write_study
    from analysis.tasks import TaskScore, best_scores, task_scores

_HOMES = {
    "Score": "analysis.scores",
    "comparison": "analysis.scores",
    "verdict": "analysis.scores",
    "collapse_report": "analysis.metrics.collapse",
    "Memorization": "analysis.metrics.memorization",
    "memorization": "analysis.metrics.memorization",
    "ClassifierTest": "analysis.metrics.two_sample",
    "classifier_two_sample": "analysis.metrics.two_sample",
    "use_report": "analysis.metrics.use",
    "label_agreement": "analysis.coherence",
    "topic_words": "analysis.coherence",
    "Floor": "analysis.metrics.floors",
    "prdc_floors": "analysis.metrics.floors",
    "real_floor": "analysis.metrics.floors",
    "Frechet": "analysis.metrics.frechet",
    "frechet": "analysis.metrics.frechet",
    "frechet_distance": "analysis.metrics.frechet",
    "frechet_rows": "analysis.metrics.frechet",
    "FrechetLimit": "analysis.metrics.frechet_limit",
    "frechet_limit": "analysis.metrics.frechet_limit",
    "energy_distance": "analysis.metrics.kernel",
    "kernel_distance": "analysis.metrics.kernel",
    "PRDC": "analysis.metrics.neighbors",
    "prdc": "analysis.metrics.neighbors",
    "TwoSample": "analysis.metrics.permutation",
    "two_sample_test": "analysis.metrics.permutation",
    "measure_all": "analysis.metrics.summary",
    "Measures": "analysis.metrics.together",
    "measure_together": "analysis.metrics.together",
    "sliced_wasserstein": "analysis.metrics.wasserstein",
    "memorized": "analysis.neighbors",
    "nearest_real": "analysis.neighbors",
    "typicality": "analysis.neighbors",
    "comparison_bars": "analysis.plots",
    "class_maps": "analysis.map_plots",
    "embedding_map": "analysis.map_plots",
    "series_maps": "analysis.map_plots",
    "read_maps": "analysis.map_store",
    "write_maps": "analysis.map_store",
    "learning_curves": "analysis.curves",
    "class_bars": "analysis.multitask_plots",
    "confusion_maps": "analysis.multitask_plots",
    "conflict_map": "analysis.conflict_plots",
    "render": "analysis.plots",
    "Map": "analysis.projection",
    "all_maps": "analysis.projection",
    "map_series": "analysis.projection",
    "pca_map": "analysis.projection",
    "tsne_map": "analysis.projection",
    "umap_map": "analysis.projection",
    "write_report": "analysis.report.page",
    "Generated": "analysis.runs",
    "Run": "analysis.runs",
    "read_run": "analysis.runs",
    "read_samples": "analysis.runs",
    "accuracy_interval": "analysis.statistics",
    "correlation_interval": "analysis.statistics",
    "mean_interval": "analysis.statistics",
    "paired_test": "analysis.statistics",
    "write_study": "analysis.study_report",
    "TaskScore": "analysis.tasks",
    "best_scores": "analysis.tasks",
    "task_scores": "analysis.tasks",
}

__all__ = [
    "PRDC",
    "ClassifierTest",
    "Floor",
    "Frechet",
    "FrechetLimit",
    "Generated",
    "Map",
    "Measures",
    "Memorization",
    "Run",
    "Score",
    "TaskScore",
    "TwoSample",
    "accuracy_interval",
    "all_maps",
    "best_scores",
    "class_bars",
    "class_maps",
    "classifier_two_sample",
    "collapse_report",
    "comparison",
    "comparison_bars",
    "conflict_map",
    "confusion_maps",
    "correlation_interval",
    "embedding_map",
    "energy_distance",
    "frechet",
    "frechet_distance",
    "frechet_limit",
    "frechet_rows",
    "kernel_distance",
    "label_agreement",
    "learning_curves",
    "map_series",
    "mean_interval",
    "measure_all",
    "measure_together",
    "memorization",
    "memorized",
    "nearest_real",
    "paired_test",
    "pca_map",
    "prdc",
    "prdc_floors",
    "read_maps",
    "read_run",
    "read_samples",
    "real_floor",
    "render",
    "series_maps",
    "sliced_wasserstein",
    "task_scores",
    "topic_words",
    "tsne_map",
    "two_sample_test",
    "typicality",
    "umap_map",
    "use_report",
    "verdict",
    "write_maps",
    "write_report",
    "write_study",
]


def __getattr__(name: str) -> object:
    """Load the module that holds ``name`` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
