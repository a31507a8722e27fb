"""The look that all figures share: colors that color-blind readers can tell apart, quiet axes."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

INK, MUTED, RULE, ACCENT = "#1b2733", "#5b6773", "#d9dee3", "#0072b2"

# Okabe & Ito 2008 without its yellow, which vanishes on white, and three of Paul Tol's muted
# scheme. From the eleventh class on, the same colors come back darker, with other markers.
COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#882255",
    "#999933",
    "#332288",
    "#6b7280",
)

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.usetex": False,
    "text.parse_math": False,
}


def styled(**more: Any) -> AbstractContextManager[None]:  # noqa: ANN401 - matplotlib's own types
    """Return a context in which figures have this look, and further matplotlib settings."""
    settings: Any = STYLE | more
    return mpl.rc_context(settings)


@dataclass(frozen=True, slots=True)
class Mark:
    """How one class is drawn: fill and marker of real rows, edge and marker of fakes."""

    color: str
    real: str
    edge: str
    fake: str


def class_marks(count: int) -> list[Mark]:
    """Return a mark for each of ``count`` classes; color and shape repeat after 20."""
    marks = []
    for index in range(count):
        color = COLORS[index % len(COLORS)]
        second = index // len(COLORS) % 2 == 1
        if second:
            marks.append(Mark(_darker(color, 0.6), "s", _darker(color, 0.45), "v"))
        else:
            marks.append(Mark(color, "o", _darker(color, 0.8), "^"))
    return marks


def columns_for(names: Sequence[str], characters: int) -> int:
    """Return how many legend columns of these names fit into a width in characters."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), characters // (longest + 5)))


def _darker(color: str, brightness: float) -> str:
    """Return a hexadecimal color at a share of its brightness."""
    channels = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(channel * brightness):02x}" for channel in channels)
