"""Small still maps, so that runs can be seen side by side."""

import base64

import numpy as np
from numpy.typing import ArrayLike

from analysis.projection import Map
from analysis.report.pictures import Picture
from analysis.style import MISSING, MUTED, Mark, class_marks
from analysis.words import percent

SIDE = 300
"""Of the square, in the units of its drawing."""
MOST_POINTS = 600
"""Of each kind: more are but a smear at this size."""
SHAPES = {"^": "m-3.4 2h6.8l-3.4-6z", "v": "m-3.4-2h6.8l-3.4 6z"}


def thumbnail(panel: Map, real_labels: ArrayLike, fake_labels: ArrayLike) -> Picture:
    """Draw a map as a small picture: numbers alone go into it, no text.

    Args:
        panel: the map.
        real_labels: class of each real row of the embeddings that it was made of.
        fake_labels: class of each fake.
    """
    labels = np.asarray(real_labels)[panel.real_rows], np.asarray(fake_labels)[panel.fake_rows]
    count = int(max(part.max() for part in labels)) + 1
    marks = [*class_marks(count), Mark(MISSING, "o", MUTED, "^")]
    points = panel.points_real[:MOST_POINTS], panel.points_fake[:MOST_POINTS]
    both = np.concatenate(points)
    low, high = both.min(axis=0), both.max(axis=0)
    scale = (SIDE - 24) / max(float((high - low).max()), 1e-12)
    paths = []
    for fake, (places, classes) in enumerate(zip(points, labels, strict=True)):
        drawn = SIDE / 2 + (places - (low + high) / 2) * (scale, -scale)
        paths += [
            _path(drawn[classes[: len(drawn)] == label], mark, fake=bool(fake))
            for label, mark in zip((*range(count), -1), marks, strict=True)
        ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">'
    content = f"{head}{''.join(paths)}</svg>".encode()
    same, expected = (panel.quality.get(key) for key in ("same_kind", "same_kind_expected"))
    return Picture(
        f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}",
        "Small map of real and generated embeddings, colored by class.",
        f"{percent(same, 0)} of neighbors are of the own kind, {percent(expected, 0)} if nobody "
        "could tell them apart",
    )


def _path(points: np.ndarray, mark: Mark, *, fake: bool) -> str:
    """Draw the points of one class and kind, (n, 2), as one path: dots, or open triangles."""
    if not len(points):
        return ""
    shape = SHAPES.get(mark.fake, SHAPES["^"]) if fake else "h0"
    steps = "".join(f"M{x:.0f} {y:.0f}{shape}" for x, y in points.tolist())
    look = (
        f'stroke="{mark.edge}" stroke-width="1"'
        if fake
        else f'stroke="{mark.color}" stroke-width="5" stroke-linecap="round" opacity=".6"'
    )
    return f'<path d="{steps}" fill="none" {look}/>'
