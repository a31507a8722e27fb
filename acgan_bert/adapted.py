"""An encoder that moves ahead of the GAN: the stage of a run, and where the moved encoder is kept.

What the rounds guess classes with is logistic regression on unit-norm vectors, the classifier that
SetFit puts on top.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from acgan_bert.encoding import on_device, open_encoder
from acgan_bert.recipe import EncoderRecipe, Recipe
from mtl.adaptation import AdaptationSettings, adapt
from mtl.bert.encoder import TextEncoder
from mtl.bert.portable import MovedEncoder
from mtl.text.data import Corpus

ENCODER_FOLDER = "encoder"
"""Folder, within a run's model, of an encoder that the run has moved."""


def adapted_encoder(
    recipe: Recipe,
    rows: Corpus,
    encoder: TextEncoder,
    *,
    record: Callable[[dict[str, Any]], None] | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TextEncoder:
    """Move a copy of an encoder.

    Args:
        recipe: Of the run; ``adaptation.updates`` above 0.
        rows: The rows that are used; a label that was not drawn is -1.
        encoder: Stays as it is: what the GAN is compared with stands on its vectors.
        record: Called with a flat mapping now and then.
        checkpoint: Directory of checkpoints; where it holds one, the stage goes on from it.
        progress: Called with (updates done, updates in all).

    Raises:
        InputError: Fewer than two classes are labelled.
    """
    moved = deepcopy(encoder)
    adapt(
        moved,
        rows,
        adaptation_settings(recipe),
        guess_classes,
        pair=recipe.encoder.pair,
        record=record,
        checkpoint=checkpoint,
        progress=progress,
    )
    return moved.requires_grad_(False)


def adaptation_settings(recipe: Recipe) -> AdaptationSettings:
    """Put the recipe's section ``adaptation`` in the terms of :mod:`mtl.adaptation`."""
    section = recipe.adaptation
    precisions = {"auto": "auto", "float32": "no", "bfloat16": "bf16"}
    return AdaptationSettings(
        updates=section.updates,
        rounds=section.rounds,
        round_updates=section.round_updates,
        batch_size=section.batch_size,
        labeled_share=section.labeled_share,
        trusted_share=section.trusted_share,
        candidates=section.candidates,
        learning_rate=section.learning_rate,
        max_length=section.max_length,
        record_every=section.checkpoint_every_updates,
        seed=recipe.seed,
        precision=precisions[recipe.encoder.precision],
    )


@threadpool_limits.wrap(limits=1)  # small systems: waiting for a second thread costs more
def guess_classes(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return class probabilities (n, C) by logistic regression on the labelled rows.

    Args:
        vectors: (n, D).
        labels: (n,), -1 unknown; at least two classes.
    """
    unit, known = normalize(vectors), labels >= 0
    model = LogisticRegression(max_iter=1000).fit(unit[known], labels[known])
    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    probabilities[:, model.classes_] = model.predict_proba(unit)
    return probabilities


def write_moved(encoder: TextEncoder, model: Path) -> None:
    """Keep an encoder that a run has moved within the run's model."""
    MovedEncoder(encoder).save_pretrained(model / ENCODER_FOLDER)


def encoder_of(model: Path, recipe: EncoderRecipe) -> TextEncoder:
    """Open the encoder whose vectors a model takes: the one kept within it, else the recipe's.

    Raises:
        InputError: The one within is damaged, or there is none that the recipe names.
    """
    folder = model / ENCODER_FOLDER
    if not folder.is_dir():
        return open_encoder(recipe)
    return on_device(MovedEncoder.from_pretrained(folder).encoder)
