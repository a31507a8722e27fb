"""Figures as files, and comparisons as figures. Nothing is shown, saved, or kept in pyplot."""

import io
import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from analysis.scores import Score
from analysis.style import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    styled,
)
from analysis.words import shortened


def render(figure: Figure, file_format: Literal["png", "svg"] = "png", *, dpi: int = 150) -> bytes:
    """Return the picture file's bytes, the same for the same figure.

    Pixels have a palette of 256 colors, which nobody sees and makes files a third as large.
    """
    buffer = io.BytesIO()
    with styled(**{"svg.hashsalt": "analysis"}):
        if file_format == "svg":
            figure.savefig(buffer, format="svg", dpi=dpi, metadata={"Date": None})
            return buffer.getvalue()
        figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": 0})
    return _with_palette(buffer.getvalue())


def _with_palette(pixels: bytes) -> bytes:
    """Return a PNG with 256 colors of its own; that of its corner, the paper's, is kept exactly.

    The octree keeps rare colors apart, as those of small classes; a median cut merges them.
    """
    picture = Image.open(io.BytesIO(pixels)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    place, colors = few.getpixel((0, 0)), few.getpalette() or []
    assert isinstance(place, int)
    colors[3 * place : 3 * place + 3] = picture.getpixel((0, 0))
    few.putpalette(colors)
    buffer = io.BytesIO()
    few.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def comparison_bars(scores: Sequence[Score], *, measure: str = "accuracy") -> Figure:
    """Draw the model's score beside its baselines' with 95 % intervals, best on top.

    Args:
        scores: such as :func:`analysis.comparison` returns.
        measure: what the scores are, for the axis.

    Raises:
        ValueError: no score.
    """
    if not scores:
        raise ValueError("scores: found none; want at least one")
    ordered = sorted(scores, key=lambda score: score.value)
    with styled():
        figure = Figure(figsize=(7.2, 0.95 + 0.36 * len(ordered)), layout="constrained")
        axis = figure.subplots()
        for height, score in enumerate(ordered):
            _score_line(axis, height, score)
        axis.set_yticks(
            range(len(ordered)), [shortened(score.name, 34) for score in ordered], color=INK
        )
        for label, score in zip(axis.get_yticklabels(), ordered, strict=True):
            label.set_fontweight("bold" if score.highlighted else "normal")
        axis.set_ylim(-0.6, len(ordered) - 0.4)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x")
        axis.margins(x=0.12)
        in_percent(axis.xaxis)
        axis.set_xlabel(f"{measure}, with 95% interval")
    return figure


def _score_line(axis: Axes, height: int, score: Score) -> None:
    """Draw one method: a dot, its interval, its value."""
    color = ACCENT if score.highlighted else MUTED
    if math.isfinite(score.low) and math.isfinite(score.high):
        axis.plot([score.low, score.high], [height] * 2, color=color, lw=2.2, solid_capstyle="butt")
    marker = "D" if score.highlighted else "o"
    axis.plot(score.value, height, marker, color=color, ms=7, mec="white", mew=1.0)
    axis.annotate(
        f"{score.value:.1%}",
        (score.value, height),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        color=color,
        fontweight="bold" if score.highlighted else "normal",
    )
