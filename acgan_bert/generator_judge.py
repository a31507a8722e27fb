"""Judge a trained generator: choose real rows, make fakes, measure them, write both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acgan_bert.judge import (
    Reference,
    choose_reference,
    describe_fakes,
    judge,
    write_embeddings,
)
from acgan_bert.judge_use import judge_coherence, judge_use
from acgan_bert.model import GANModel
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.trainer import HeldOut, TrainingRows


def judge_generator(
    model: GANModel,
    rows: TrainingRows,
    *,
    held_out: Mapping[str, HeldOut],
    parts: Parts,
    folder: Path,
    recipe: Recipe,
) -> tuple[dict[str, Any], list[str]]:
    """Measure a generator and write what it was judged on.

    Args:
        model: Makes the fakes.
        rows: What it was trained on.
        held_out: Vectors and labels of the held-out parts.
        parts: Their texts.
        folder: Where real and fake vectors go.
        recipe: Of the run.

    Returns:
        The measures, empty where there are too few real rows, and notes.
    """
    reference = reference_for(rows, held_out, parts, recipe)
    fake = model.sample(reference.labels, seed=recipe.seed)
    described = describe_fakes(
        model, fake, reference.labels, reference=reference, training=rows.vectors
    )
    write_embeddings(folder, reference, fake, described)
    measures = judge(reference, fake, rows, seed=recipe.seed)
    notes = []
    if measures:
        measures["use"] = judge_use(reference, fake, rows, seed=recipe.seed)
        measures["coherence"] = judge_coherence(reference, fake, rows.classes)
    else:
        notes.append(f"{len(described)} real rows are too few to measure the generator on")
    if reference.on == "train":
        notes.append("no held-out rows: the generator is measured on rows that it was trained on")
    return measures, notes


def reference_for(
    rows: TrainingRows, held_out: Mapping[str, HeldOut], parts: Parts, recipe: Recipe
) -> Reference:
    """Take the rows to judge on from the test part, else dev, else the labelled training rows."""
    shown = rows.labels >= 0
    labeled = HeldOut(rows.vectors[shown], rows.labels[shown])
    named = {**held_out, "train": labeled}
    corpora = parts.held_out() | {"train": parts.train.select(parts.split.labeled)}
    on = next(iter(corpora))
    return choose_reference(
        on,
        corpora[on],
        named[on],
        classes=np.unique(labeled.labels),
        most=recipe.report.fakes,
        seed=recipe.seed,
    )
