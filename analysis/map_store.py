"""Maps on disk: one JSON file of a run, for whoever draws them anew.

A run keeps the maps of its generator in ``figures/maps.json``, one of several tasks those of each
task in ``figures/maps-TASK.json``, as it does its pictures.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.files import write_whole
from analysis.projection import Map

FORMAT = 1
DIGITS = 4
"""Significant digits of a coordinate: a twentieth of a pixel on a map of 500."""


def maps_name(task: str = "") -> str:
    """Return the name of the file of a task's maps.

    Example:
        >>> maps_name(), maps_name("sentiment")
        ('maps.json', 'maps-sentiment.json')
    """
    return f"maps-{task}.json" if task else "maps.json"


def write_maps(file: Path | str, maps: Sequence[Map]) -> None:
    """Write maps; ``file`` is replaced in one step, and equal maps give equal bytes.

    Args:
        file: the JSON file; its folder must exist.
        maps: such as :func:`analysis.all_maps` and :func:`analysis.map_series` return.

    Raises:
        ValueError: a number of a map is not finite.
    """
    content = {"format": FORMAT, "maps": [_as_json(panel) for panel in maps]}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_whole(Path(file), f"{text}\n".encode())


def read_maps(file: Path | str) -> list[Map]:
    """Read what :func:`write_maps` wrote.

    Raises:
        ValueError: the file cannot be read, is damaged, or is of a newer format.
    """
    source = Path(file)
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{source}: cannot be read ({error.strerror}); draw again") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{source}: damaged: no JSON; draw again") from None
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise ValueError(
            f"{source}: found format {found}; this version reads {FORMAT}: use a newer version"
        )
    try:
        if found != FORMAT:
            raise ValueError("want a format number")
        return [_from_json(panel) for panel in content["maps"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{source}: damaged: {cause}; draw again") from None


def _as_json(panel: Map) -> dict[str, Any]:
    return {
        "name": panel.name,
        "method": panel.method,
        "perplexity": panel.perplexity,
        "frame": panel.frame,
        "quality": {name: _rounded(value) for name, value in panel.quality.items()},
        "real_rows": panel.real_rows.tolist(),
        "fake_rows": panel.fake_rows.tolist(),
        "points_real": _rounded_points(panel.points_real),
        "points_fake": _rounded_points(panel.points_fake),
    }


def _rounded_points(points: np.ndarray) -> list[list[float]]:
    return [[_rounded(value) for value in point] for point in points.tolist()]


def _rounded(value: float) -> float:
    rounded = float(f"{value:.{DIGITS}g}")
    if not math.isfinite(rounded):
        raise ValueError(f"maps: found {value}; want finite numbers")
    return rounded


def _from_json(panel: Mapping[str, Any]) -> Map:
    """Build a map; whatever a file may hold in place of one raises an error."""
    parts: dict[str, Any] = {}
    for kind in ("real", "fake"):
        rows = np.asarray(panel[f"{kind}_rows"])
        points = np.asarray(panel[f"points_{kind}"], dtype=np.float64)
        if rows.ndim != 1 or len(rows) == 0 or rows.dtype.kind != "i" or rows.min() < 0:
            raise ValueError(f"{kind}_rows are no row numbers")
        if points.shape != (len(rows), 2) or not np.isfinite(points).all():
            raise ValueError(f"points_{kind} is no finite matrix of {len(rows)} points")
        parts |= {f"{kind}_rows": rows.astype(np.int64), f"points_{kind}": points}
    texts = {name: panel[name] for name in ("name", "method", "frame")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("name, method or frame is no text")
    perplexity = panel["perplexity"]
    return Map(
        **texts,
        **parts,
        quality={name: float(value) for name, value in panel["quality"].items()},
        perplexity=None if perplexity is None else float(perplexity),
    )
