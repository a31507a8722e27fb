"""What the map explorer of a page is given: points, sentences and words, as JSON beside a canvas.

The JSON is safe inside a script element whatever the sentences hold; the script that reads it
writes text alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.map_store import maps_name, read_maps
from analysis.projection import Map
from analysis.report.pictures import WITH_REAL, Picture
from analysis.report.tables import fake_of, sentence
from analysis.report.thumbnails import thumbnail
from analysis.runs import Generated, Run, Samples
from analysis.style import MISSING, MUTED, Mark, class_marks, seen_on
from analysis.words import UNKNOWN, number, percent, shortened

GRID = 9999
"""Largest coordinate: maps lie on a grid finer than any screen."""
NO_LABEL = "no label"
PAPERS = {"light": ("#ffffff", 3.0), "dark": ("#1a2028", 4.5)}
"""The grounds of the page, as in style.css, and the contrast of marks on them."""
CAPTION = (
    "A chosen fake is joined to the real sentences nearest to it in the full space, where they are "
    "on the map. How far apart clusters lie, and how large they are, carries no meaning."
)
# What could end a script element, or a line for a script: JSON has escapes for all of it.
UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """The interactive maps of one task's embeddings.

    Attributes:
        key: its identifier on the page, with which those of its elements start.
        title: what the maps are of.
        data: JSON that is safe inside a script element.
        alternative: what is drawn, for who cannot see it.
        small: the first of the maps, still and small.
        caption: what is drawn beside the points, and what the maps do not show.
        tasks: name and key of each task of the run that has one.
    """

    key: str
    title: str
    data: str
    alternative: str
    small: Picture
    caption: str
    tasks: Sequence[tuple[str, str]] = ()


def explorers_of(run: Run, anchor: str) -> list[Explorer | None]:
    """Return what to explore of each task, None where the run kept no maps of it.

    Args:
        run: what the maps are of.
        anchor: starts the identifiers of its elements on the page.

    Raises:
        ValueError: a file of maps is damaged, newer, or of other embeddings.
    """
    found = [
        _explorer(run, made, f"{anchor}-map-{place}") for place, made in enumerate(run.generated)
    ]
    tasks = [
        (made.task, explorer.key)
        for made, explorer in zip(run.generated, found, strict=True)
        if explorer
    ]
    return [explorer and replace(explorer, tasks=tasks) for explorer in found]


def _explorer(run: Run, made: Generated, key: str) -> Explorer | None:
    """Return the maps of one task as data."""
    file = run.path / "figures" / maps_name(made.task if run.tasks else "")
    if made.real is None or made.fake is None or not file.is_file():
        return None
    maps = read_maps(file)
    for kind, samples in (("real", made.real), ("fake", made.fake)):
        last = max((getattr(panel, f"{kind}_rows").max() for panel in maps), default=-1)
        if last >= len(samples.labels):
            raise ValueError(
                f"{file}: damaged: found {kind} row {last} of {len(samples.labels)}; draw again"
            )
    if not maps:
        return None
    sizes = f"{len(maps[0].real_rows):,} real and {len(maps[0].fake_rows):,} generated"
    of = f" of {made.task}" if run.tasks else ""
    moving = WITH_REAL.replace(" Real rows", " In series real rows") if made.real_series else ""
    return Explorer(
        key=key,
        caption=CAPTION + moving,
        title=f"Interactive map of embeddings{of}",
        data=script_json(_content(made.classes, made.real, made.fake, maps)),
        alternative=f"Flat map of {sizes} embeddings{of}. Search and keys reach each point.",
        small=thumbnail(maps[0], made.real.labels, made.fake.labels),
    )


def script_json(content: object) -> str:
    r"""Return JSON that cannot end the script element that it stands in.

    Example:
        >>> print(script_json(["</script>"]))
        ["\u003c/script\u003e"]
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(UNSAFE)


class _Texts:
    """Sentences by number, each kept once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def add(self, text: str) -> int:
        """Return the number of a sentence."""
        return self.numbers.setdefault(text, len(self.numbers))


def _content(
    classes: Sequence[str], real: Samples, fake: Samples, maps: Sequence[Map]
) -> dict[str, Any]:
    """Return everything that the explorer shows; rows that are on no map are left out."""
    texts, count = _Texts(), len(classes)
    real_rows = np.unique(np.concatenate([panel.real_rows for panel in maps]))
    fake_rows = np.unique(np.concatenate([panel.fake_rows for panel in maps]))
    ids = [real.rows[row].get("id") for row in real_rows]
    places = {str(name): place for place, name in enumerate(ids) if name is not None}
    return {
        "classes": [*(shortened(name, 40) for name in classes), NO_LABEL],
        "marks": [_mark(mark) for mark in (*class_marks(count), Mark(MISSING, "o", MUTED, "^"))],
        "real": [
            {"text": texts.add(sentence(real.rows[row])), "class": _class(real.labels[row], count)}
            for row in real_rows
        ],
        "fake": [
            {"class": _class(fake.labels[row], count)} | _fake_words(fake.rows[row], texts, places)
            for row in fake_rows
        ],
        "texts": list(texts.numbers),
        "views": _views(maps, real_rows, fake_rows),
    }


def _class(label: int, count: int) -> int:
    """Return the number of a class; that after the last stands for no label."""
    return int(label) if 0 <= label < count else count


def _mark(mark: Mark) -> dict[str, object]:
    """Return how a class is drawn on light and dark paper."""
    colors = {
        name: [seen_on(color, paper, contrast) for color in (mark.color, mark.edge)]
        for name, (paper, contrast) in PAPERS.items()
    }
    return {**colors, "real": mark.real, "fake": mark.fake}


def _fake_words(
    row: Mapping[str, Any], texts: _Texts, places: Mapping[str, int]
) -> dict[str, object]:
    """Return what is known of a fake, with the real rows that it is near to."""
    fake = fake_of(row)
    near = [
        [texts.add(text), label, places.get(str(source.get("id")), -1), distance]
        for (text, label, distance), source in zip(
            fake.neighbors, row.get("neighbors") or (), strict=True
        )
    ]
    words = {"posterior": fake.posterior, "typicality": fake.typicality, "near": near}
    return words | ({"memorized": True} if fake.memorized else {})


def _views(
    maps: Sequence[Map], real_rows: np.ndarray, fake_rows: np.ndarray
) -> list[dict[str, object]]:
    """Return the maps by projection and perplexity; those of a series share a view and its box."""
    views: dict[tuple[str, float | None], list[Map]] = {}
    for panel in maps:
        name = shortened(panel.name, 40) + (", series" if panel.frame else "")
        views.setdefault((name, panel.perplexity), []).append(panel)
    return [
        {
            "name": name,
            "perplexity": None if perplexity is None else round(perplexity, 1),
            "maps": (frames := _frames(panels, real_rows, fake_rows)),
            "box": _around([frame["box"] for frame in frames]),
        }
        for (name, perplexity), panels in views.items()
    ]


def _frames(
    panels: Sequence[Map], real_rows: np.ndarray, fake_rows: np.ndarray
) -> list[dict[str, Any]]:
    """Return the maps of a view on one grid."""
    points = np.concatenate([part for panel in panels for part in _both(panel)])
    origin = points.min(axis=0)
    scale = GRID / max(float((points.max(axis=0) - origin).max()), 1e-12)
    frames = []
    for panel in panels:
        real, fake = (np.rint((part - origin) * scale).astype(int) for part in _both(panel))
        both = np.concatenate([real, fake])
        frames.append(
            {
                "frame": shortened(panel.frame, 40),
                "real": np.searchsorted(real_rows, panel.real_rows).tolist(),
                "fake": np.searchsorted(fake_rows, panel.fake_rows).tolist(),
                "real_xy": real.ravel().tolist(),
                "fake_xy": fake.ravel().tolist(),
                "box": [*both.min(axis=0).tolist(), *both.max(axis=0).tolist()],
                "quality": quality_words(panel.quality),
            }
        )
    return frames


def _both(panel: Map) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of both kinds."""
    return panel.points_real, panel.points_fake


def _around(boxes: Sequence[Sequence[int]]) -> list[int]:
    """Return the box around boxes: left, bottom, right, top."""
    corners = np.array(boxes)
    return [*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist()]


def quality_words(quality: Mapping[str, float]) -> list[tuple[str, str]]:
    """Say how far to trust a map, and how well real and fake are mixed in the full space."""
    words = [
        ("Trustworthiness, at best 1", number(quality.get("trustworthiness"), 2)),
        ("True neighbors kept", percent(quality.get("neighbor_overlap"), 0)),
        ("Neighbors of the own kind", percent(quality.get("same_kind"), 0)),
        ("The same if nobody could tell them apart", percent(quality.get("same_kind_expected"), 0)),
    ]
    return [pair for pair in words if pair[1] != UNKNOWN]
