"""The look that all figures share: colors that color-blind readers can tell apart, quiet axes."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.ticker import FuncFormatter

INK, MUTED, RULE, MISSING = "#1b2733", "#5b6773", "#d9dee3", "#9aa5b1"
ACCENT, PALE, DEEP = "#0072b2", "#8fc1e0", "#003a5c"

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

# From white to dark, and from conflict over white to agreement.
SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", PALE, ACCENT, DEEP])
COSINES = LinearSegmentedColormap.from_list(
    "cosines", ["#7a2e00", "#d55e00", "#f7f7f7", ACCENT, DEEP]
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


def in_percent(axis: Axis) -> None:
    """Write shares along an axis as percentages without needless digits."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))


def finish_bar(bar: Colorbar, label: str) -> None:
    """Name a color bar and take its frame away."""
    bar.set_label(label)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)


def ink_on(ground: Any) -> str:  # noqa: ANN401 - whatever matplotlib takes for a color
    """Return the color of text on a ground, black or white, of which one has contrast 4.5 or more.

    Source: contrast ratio of WCAG 2.2, which asks for 4.5.

    Example:
        >>> ink_on("white"), ink_on(DEEP)
        ('black', 'white')
    """
    return "white" if _luminance(ground) + 0.05 < (1.05 * 0.05) ** 0.5 else "black"


def seen_on(color: str, ground: str, least: float = 3.0) -> str:
    """Return a color mixed with black or white until its contrast with a ground is ``least``.

    Source: WCAG 2.2 asks for 3 between a mark and what it stands on.

    Example:
        >>> seen_on("#0072b2", "#ffffff"), seen_on("#332288", "#1a2028")
        ('#0072b2', '#6c60a9')
    """
    light, toward = _luminance(ground), 0.0 if ink_on(ground) == "black" else 1.0
    for step in range(101):
        mixed = [part + step / 100 * (toward - part) for part in to_rgb(color)]
        brighter, darker = sorted((_luminance(mixed), light), reverse=True)
        if (brighter + 0.05) / (darker + 0.05) >= least:
            break
    return "#" + "".join(f"{round(255 * part):02x}" for part in mixed)


def _luminance(color: Any) -> float:  # noqa: ANN401 - whatever matplotlib takes for a color
    """Return the relative luminance of a color, 0 (black) to 1 (white)."""
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _darker(color: str, brightness: float) -> str:
    """Return a hexadecimal color at a share of its brightness."""
    channels = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(channel * brightness):02x}" for channel in channels)
