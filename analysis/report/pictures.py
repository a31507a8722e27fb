"""The figures of a run as its page embeds them: data, words for a screen reader, captions."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.conflicts import MOST_PANELS, pair_conflicts
from analysis.runs import Run

SVG_LIMIT_BYTES = 200_000
# Alternative text, and the caption below the picture.
PICTURES = {
    "comparison": (
        "Dot chart of every method's score with its interval; the table below has the numbers.",
        "Every method's score with its 95% interval, this model in bold.",
    ),
    "contrastive": (
        "Line chart of the loss over the updates of the contrastive stage.",
        "The contrastive stage ahead of multitask training, as recorded in contrastive.jsonl.",
    ),
    "adaptation": (
        "Line chart of the loss over the updates that moved the encoder.",
        "The encoder as it was moved ahead of the GAN, as recorded in adaptation.jsonl.",
    ),
    "curves": (
        "Line charts of losses and scores over the training steps.",
        "Losses and scores over the training steps, as recorded in metrics.jsonl.",
    ),
    "classes": (
        "Bar charts, one a task, of the share of each class's rows that were right, with "
        "intervals and numbers of rows.",
        "Accuracy by class with its Wilson 95% interval; dashed is the accuracy over all rows. A "
        "score counts as right in its own unit bucket.",
    ),
    "confusion": (
        "Confusion matrices, one a task, with the number of rows in each cell.",
        "True classes run down, predicted ones across. Numbers are rows; colors are shares of the "
        "true class.",
    ),
    "conflicts": (
        "For each pair a map of the cosine of their gradients by layer over the training steps, "
        "and a line chart of the share of steps in conflict; the table has the totals.",
        "Cosines of the gradients in each group of parameters: blue agrees, orange is in "
        "conflict. Below, the share of steps whose cosine over all parameters is negative. Each "
        "value stands for the steps since the evaluation before; gray is where no two gradients "
        "met, as a loss that has saturated has none.",
    ),
}
# The same of conflicts where there are too many pairs for panels of their own.
MANY_CONFLICTS = (
    "A line for each pair of losses: the cosine of their gradients over the training steps and by "
    "layer, and the share of steps in conflict; the table has the totals.",
    "Cosines of the losses' gradients: blue agrees, orange is in conflict. On the left over all "
    "parameters, each value standing for the steps since the evaluation before (gray: no gradients "
    "met); in the middle by group of parameters, over the whole of training; on the right the "
    "share of steps whose cosine over all parameters is negative.",
)
MOVED = (
    " Moved is how far fixed rows of a task have gone since training began, in the coordinates of "
    "the game: at 1 as far as all rows were spread at the start."
)
MAP = (
    "Flat maps of real and generated embeddings{of}, colored by class, with quality numbers.",
    "The joint map shows fakes that live apart as islands. The placed map moves no real point, "
    "but hides such islands. The PCA is linear. Read the numbers before the shapes.",
)

WITH_REAL = " Real rows are those of the encoder at that time: they move as well."

# Further maps by the start of their names, which the task ends where there are several.
SERIES = "maps-series"
MORE_MAPS = {
    "maps-by-class": (
        "The same map{of} once for each class, the other classes in gray.",
        "The map class by class: a class whose fakes lie in one place varies less than the data.",
    ),
    SERIES: (
        "Maps of the fakes{of} at several points of training, on the same axes, real rows gray.",
        "The same noise and labels as training goes on, on the same axes.",
    ),
    "maps-perplexity": (
        "The t-SNE maps{of} at another perplexity.",
        "What another perplexity makes of the maps: believe what both show.",
    ),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded picture: data URI, what a screen reader says, caption."""

    uri: str
    alternative: str
    caption: str


def pictures(run: Run) -> dict[str, Picture | None]:
    """Embed the figures by name, None where missing; maps are those of :func:`map_name`."""
    words = {stem: _words(stem, run) for stem in PICTURES}
    for made in run.generated:
        of = f" of {made.task}" if run.tasks else ""
        words[map_name(run, made.task)] = (MAP[0].format(of=of), MAP[1])
        for stem, (alternative, caption) in MORE_MAPS.items():
            more = WITH_REAL if stem == SERIES and made.real_series else ""
            words[map_name(run, made.task, stem)] = (alternative.format(of=of), caption + more)
    return {stem: _picture(run.figures, stem, said) for stem, said in words.items()}


def map_name(run: Run, task: str, stem: str = "map") -> str:
    """Return the name of the map of a task's embeddings: of one there is no need to say which."""
    return f"{stem}-{task}" if run.tasks else stem


def _words(stem: str, run: Run) -> tuple[str, str]:
    """Return alternative text and caption as they are of this run."""
    if stem == "conflicts" and len(pair_conflicts(run.conflicts)) > MOST_PANELS:
        return MANY_CONFLICTS
    alternative, caption = PICTURES[stem]
    moved = any(key.startswith("moved_") for record in run.metrics for key in record)
    return alternative, caption + (MOVED if stem == "curves" and moved else "")


def _picture(
    figures: Mapping[tuple[str, str], Path], stem: str, words: tuple[str, str]
) -> Picture | None:
    """Embed one, None where there is none."""
    files = (figures.get((stem, suffix)) for suffix in (".svg", ".png"))
    vector, pixels = (None if file is None else file.read_bytes() for file in files)
    return Picture(embedded(vector, pixels), *words) if vector or pixels else None


def embedded(vector: bytes | None, pixels: bytes | None) -> str:
    """Return a figure as a data URI: its vectors where they are small or alone, else its pixels."""
    if vector and (len(vector) <= SVG_LIMIT_BYTES or not pixels):
        media, content = "image/svg+xml", vector
    else:
        media, content = "image/png", pixels or b""
    return f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"
