"""Maps of a study of depths: fakes of each depth, placed on one map of the same real rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis.map_plots import series_maps
from analysis.map_points import Reference, bounded
from analysis.map_quality import Neighborhoods
from analysis.map_rows import LEAST_ROWS, drawn_frames
from analysis.projection import NAMES, PERPLEXITIES, SIZE, Map
from analysis.study_design import depth_axes
from analysis.study_names import as_number, axis_words, level_words
from analysis.study_reading import Row, Study

METHOD = "tsne-reference"
TENSORS = ("real", "fake", "labels")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a study keeps of its fakes.

    Attributes:
        real: real rows, the same for all, shape (N, D).
        frames: fakes by depth in words, in order, shape (M, D) each; row m is of one label in all.
        labels: of the fakes, (M,).
        classes: names by index.
    """

    real: np.ndarray
    frames: Mapping[str, np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]


def depth_series(study: Study) -> Figure | None:
    """Draw the fakes of every depth that the study keeps some of; None of fewer than two.

    Raises:
        ValueError: A file of fakes is damaged.
    """
    kept = kept_fakes(study)
    if kept is None or len(kept.frames) < 2 or min(len(kept.real), len(kept.labels)) < LEAST_ROWS:
        return None
    return series_maps(placed_maps(kept), kept.labels, class_names=kept.classes)


def placed_maps(kept: Kept, *, rng: int = 0) -> list[Map]:
    """Place the fakes of every frame on one t-SNE of the real rows, as many as there are of these.

    Args:
        kept: at least four rows of each kind.
        rng: seed of the rows that are drawn and of the map.
    """
    parts = drawn_frames(kept.real, kept.frames, size=SIZE, rng=rng)
    perplexity = bounded(PERPLEXITIES[0], len(parts[0].real))
    reference = Reference(parts[0].real, perplexity, parts[0].seed)
    maps = []
    for frame, rows in zip(kept.frames, parts, strict=True):
        points_real, points_fake = reference.place(rows.fake)
        near = Neighborhoods.of(rows.real, rows.fake)
        maps.append(
            Map(
                name=NAMES[METHOD],
                points_real=points_real,
                points_fake=points_fake,
                real_rows=rows.real_rows,
                fake_rows=rows.fake_rows,
                quality=near.quality(points_real, points_fake),
                method=METHOD,
                perplexity=perplexity,
                frame=frame,
            )
        )
    return maps


def kept_fakes(study: Study) -> Kept | None:
    """Read the fakes that a study of depths keeps under ``maps/``; None where it keeps none.

    Raises:
        ValueError: A file is damaged, or of other real rows or labels than the first.
    """
    folder = study.path / "maps"
    rows = [row for row in study.rows if _file(folder, row).exists()]
    if study.kind != "depth" or not rows:
        return None
    rows.sort(key=_depths)
    found = [(row, *_read(_file(folder, row))) for row in rows]
    _, tensors, classes = found[0]
    for row, others, _ in found[1:]:
        if not all(np.array_equal(tensors[name], others[name]) for name in ("real", "labels")):
            first = _file(folder, rows[0]).name
            raise ValueError(
                f"{_file(folder, row)}: found other real rows than in {first}; remove it to draw "
                "the others"
            )
    frames = {_words(study, row): own["fake"] for row, own, _ in found}
    return Kept(tensors["real"], frames, tensors["labels"], classes)


def _file(folder: Path, row: Row) -> Path:
    return folder / f"{row.name}.safetensors"


def _read(file: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Read the tensors of a row, and the names of the classes."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as content:
            tensors = {name: content.get_tensor(name) for name in TENSORS}
            classes = tuple(map(str, json.loads(content.metadata()["classes"])))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: damaged ({error}); remove it to draw the others") from None
    real, fake, labels = (tensors[name] for name in TENSORS)
    if real.ndim != 2 or real.shape != fake.shape or labels.shape != (len(real),):
        raise ValueError(
            f"{file}: damaged: rows and labels are not equally many; remove it to draw the others"
        )
    return tensors, classes


def _depths(row: Row) -> list[float]:
    """Order rows by their levels."""
    return [as_number(level) or 0.0 for level in row.levels]


def _words(study: Study, row: Row) -> str:
    """Name the depth of a row: both depths, the generator's first, or the one that varies."""
    levels = dict(zip(study.axes, row.levels, strict=True))
    crossed = depth_axes(study)
    if crossed is not None:
        return f"depths {levels[crossed[0]]} and {levels[crossed[1]]}"
    axes = [key for key in study.axes if key.endswith("depth")]
    axis = next((key for key in axes if len(study.axes[key]) > 1), axes[0])
    return f"{axis_words(axis)} {level_words(axis, levels[axis])}"
