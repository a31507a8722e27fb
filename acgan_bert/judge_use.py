"""What a trained generator's fakes are good for and what they mean, as a run's result holds it."""

from typing import Any

import numpy as np

from acgan_bert.judge import MOST_TRAINING_ROWS, Reference, Vectors, records
from acgan_bert.trainer import TrainingRows
from analysis import label_agreement, nearest_real, topic_words, use_report

NEIGHBORS = 10


def judge_use(
    reference: Reference, fake: Vectors, rows: TrainingRows, *, seed: int
) -> list[dict[str, Any]]:
    """Measure the use of fakes, one for each reference row and of its class, in the same order.

    Args:
        reference: Real rows; where they are training rows, neither gain nor memorization is
            measured.
        fake: (R, D) fakes.
        rows: What the generator was trained on.
        seed: Of every random choice.

    Returns:
        The rows of :func:`analysis.use_report` as objects, with the names of the classes, and None
        for what has no value.
    """
    training: dict[str, Any] = {}
    if reference.on != "train":
        order = np.argsort(rows.labels < 0, kind="stable")[:MOST_TRAINING_ROWS]  # labelled first
        labels = np.maximum(rows.labels[order], -1)
        training = {"train": rows.vectors[order], "train_labels": labels}
    table = use_report(
        reference.vectors, reference.labels, fake, reference.labels, **training, rng=seed
    )
    return records(table, rows.classes)


def judge_coherence(
    reference: Reference, fake: Vectors, classes: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    """Say which classes and which words surround fakes, one for each reference row.

    Returns:
        ``agreement``, the rows of :func:`analysis.label_agreement`, and ``words``, those of
        :func:`analysis.topic_words`; both empty where there are too few reference rows.
    """
    k = min(NEIGHBORS, len(reference.rows) - 1)
    if k < 1:
        return {"agreement": [], "words": []}
    agreement = label_agreement(fake, reference.labels, reference.vectors, reference.labels, k=k)
    texts = [" ".join(filter(None, (r["text"], r.get("text_pair")))) for r in reference.rows]
    nearest = nearest_real(fake, reference.vectors, k=min(3, k))[0]
    words = topic_words(texts, nearest, reference.labels)
    return {"agreement": records(agreement, classes), "words": records(words, classes)}
