"""How good the generator is: distances to held-out real embeddings, beside their floors.

The class Gaussian, fitted to the same drawn labels, is measured on the same rows: what a
generator must beat before it means anything.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save

from acgan_bert.baselines import ClassGaussian
from acgan_bert.model import GANModel
from acgan_bert.rundir import EMBEDDINGS
from acgan_bert.trainer import HeldOut, TrainingRows
from analysis import (
    memorized,
    nearest_real,
    read_run,
    read_samples,
    typicality,
)
from analysis.metrics.collapse import collapse_reports
from analysis.metrics.summary import OVERALL, measure_sets
from mtl.errors import InputError
from mtl.files import damage, directory_write, write_bytes, write_text
from mtl.rows import Rows
from mtl.text.data import Corpus

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

NEIGHBORS = 3
PRDC_NEIGHBORS = 5
# Half of the rows, the size of the parts that are measured, must hold more rows than PRDC looks at.
LEAST_ROWS = 2 * (PRDC_NEIGHBORS + 1)
# What a result holds of the whole at first sight, and what its floor is called.
KEYS = {
    "frechet_distance": "frechet",
    "kernel_distance": "kernel",
    **{name: name for name in ("precision", "recall", "density", "coverage")},
}
# Beyond these, training rows are not looked at for memorization: float64 copies would fill memory.
MOST_TRAINING_ROWS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Real rows that fakes are held against: R rows in a random order.

    Args:
        on: ``test``, ``dev`` or ``train``: where they come from.
        vectors: (R, D).
        labels: (R,) classes.
        rows: (R,) one JSON object each: ``id``, ``text``, ``text_pair`` for pairs, ``label``.
    """

    on: str
    vectors: Vectors
    labels: Labels
    rows: list[dict[str, Any]]


def choose_reference(
    on: str, corpus: Corpus, part: HeldOut, *, classes: Labels, most: int, seed: int
) -> Reference:
    """Draw the real rows that the generator is judged on.

    Args:
        on: Name of the part.
        corpus: Its rows.
        part: Their vectors and labels.
        classes: Classes that the generator has seen a label of; others cannot be asked for.
        most: Rows wanted.
        seed: Of the draw.
    """
    usable = np.flatnonzero(np.isin(part.labels, classes))
    drawn = np.random.default_rng(seed).permutation(usable)[:most]
    rows = [_describe(corpus, row, int(part.labels[row])) for row in drawn]
    return Reference(on, np.asarray(part.vectors[drawn]), part.labels[drawn], rows)


def _describe(corpus: Corpus, row: int, label: int) -> dict[str, Any]:
    pair = {} if corpus.pairs is None else {"text_pair": corpus.pairs[row]}
    text = {"id": corpus.ids[row], "text": corpus.texts[row]}
    return text | pair | {"label": corpus.task.classes[label]}


def measure(
    reference: Reference,
    fakes: Sequence[Vectors],
    *,
    classes: tuple[str, ...],
    training: Vectors | None,
    seed: int,
) -> list[dict[str, Any]]:
    """Measure sets of fakes, each with one for each reference row and of its class, in that order.

    Everything here depends on the number of rows. So distances and neighborhoods are means over
    halves of the rows and of the fakes, and their floors over halves of the real rows; floors and
    limits are found once for all sets.

    Returns:
        Of each set: overall measures by name, and the floors among them; ``measures``, the rows of
        :func:`analysis.measure_all` with intervals and p-values, overall and by class; and
        ``collapse``.
    """
    real, labels = reference.vectors, reference.labels
    reports = collapse_reports(real, labels, fakes, labels, train=training, rng=seed)
    tables = measure_sets(real, labels, fakes, labels, k=PRDC_NEIGHBORS, rng=seed)
    return [
        _named(records(table, classes), records(report, classes)) | {"on": reference.on}
        for table, report in zip(tables, reports, strict=True)
    ]


def _named(measures: list[dict[str, Any]], collapse: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the measures of the whole under their names, and the tables behind them."""
    overall = {row["measure"]: row for row in measures if row["class"] == OVERALL}
    return {
        **{name: overall[name]["value"] for name in KEYS},
        **{f"{KEYS[name]}_floor": overall[name]["floor"] for name in KEYS},
        "label_recovery": collapse[-1]["conditional_accuracy"],
        "label_recovery_floor": collapse[-1]["conditional_floor"],
        "rows": overall["frechet_distance"]["rows"],
        "measures": measures,
        "collapse": collapse,
    }


def records(table: pd.DataFrame, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows of a table, with None for NaN and classes by their names.

    A class whose name is that of all together, "overall", is told from these: "overall (class)".
    """
    names = [f"{name} (class)" if name == OVERALL else name for name in classes]
    # NaN alone is unequal to itself.
    rows: list[dict[str, Any]] = [
        {str(key): None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    for row in rows:
        row["class"] = OVERALL if row["class"] == OVERALL else names[int(row["class"])]
    return rows


def judge(reference: Reference, fake: Vectors, rows: TrainingRows, *, seed: int) -> dict[str, Any]:
    """Measure fakes, and beside them the class Gaussian of the labelled training rows.

    Args:
        reference: R real rows.
        fake: (R, D) fakes of the same classes in the same order.
        rows: What the generator was trained on.
        seed: Of the Gaussian's fakes and of the halves.

    Returns:
        Measures by name, and under ``baselines`` those of ``class_gaussian``; empty where there
        are too few real rows to measure anything.
    """
    if len(reference.vectors) < LEAST_ROWS:
        return {}
    labeled = rows.labels >= 0
    gaussian = ClassGaussian.fit(
        rows.vectors[labeled], rows.labels[labeled], num_classes=len(rows.classes)
    )
    training = None if reference.on == "train" else _thinned(rows.vectors)
    both = (gaussian.sample(reference.labels, seed=seed), fake)
    simple, own = measure(reference, both, classes=rows.classes, training=training, seed=seed)
    return own | {"baselines": {"class_gaussian": simple}}


def describe_fakes(
    model: GANModel,
    fake: Vectors,
    labels: Labels,
    *,
    reference: Reference,
    training: Rows | None,
) -> list[dict[str, Any]]:
    """Say of each fake what it is near, which class it is taken for, and whether it is a copy.

    Args:
        model: Gives the posteriors.
        fake: (M, D) vectors.
        labels: (M,) the classes that were asked for.
        reference: Real rows to look for neighbors in.
        training: (N, D) vectors that the generator was trained on; None where they cannot be had.

    Returns:
        M objects: ``label``, ``posterior``, ``typicality`` (of :func:`analysis.typicality`; None
        where the reference has fewer than two rows of the class), ``memorized`` (None without
        training vectors) and ``neighbors``, nearest first.
    """
    posterior = model.predict_proba(fake)
    k = min(NEIGHBORS, len(reference.rows))
    indices, distances = nearest_real(fake, reference.vectors, k=k)
    copies: list[bool | None] = [None] * len(fake)
    if training is not None:
        held_out = None if reference.on == "train" else reference.vectors
        copies = memorized(fake, _thinned(training), held_out).tolist()
    usual = typicality(fake, reference.vectors, labels, reference.labels).tolist()
    return [
        {
            "label": model.classes[int(labels[row])],
            "posterior": dict(zip(model.classes, posterior[row].tolist(), strict=True)),
            "typicality": None if math.isnan(usual[row]) else usual[row],
            "memorized": copies[row],
            "neighbors": [
                reference.rows[index] | {"distance": float(distance)}
                for index, distance in zip(indices[row], distances[row], strict=True)
            ],
        }
        for row in range(len(fake))
    ]


def _thinned(training: Rows) -> Vectors:
    step = -(-len(training) // MOST_TRAINING_ROWS)
    return training[::step]


def write_embeddings(
    target: Path, reference: Reference, fake: Vectors, fake_rows: list[dict[str, Any]]
) -> None:
    """Write the judged real and fake vectors, labels and rows to a folder."""
    with directory_write(target) as folder:
        for name, vectors, rows in (
            ("real", reference.vectors, reference.rows),
            ("fake", fake, fake_rows),
        ):
            tensors: dict[str, NDArray[Any]] = {
                "vectors": np.ascontiguousarray(vectors),
                "labels": reference.labels,
            }
            write_bytes(folder / f"{name}.safetensors", save(tensors, {"on": reference.on}))
            lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
            write_text(folder / f"{name}.jsonl", "".join(f"{line}\n" for line in lines))


def read_reference(run: Path, task: str = "") -> Reference:
    """Read the real rows that the generator of a finished run was judged on.

    Args:
        run: Its directory.
        task: Of a run of several tasks, which; empty for a run of one.

    Raises:
        InputError: They are missing or damaged.
    """
    folder = run / EMBEDDINGS / task
    problem = damage(folder)
    if problem:
        raise InputError(f"{folder}: {problem}; train again")
    try:
        result, real = read_run(run).result, read_samples(folder, "real")
    except ValueError as error:
        raise InputError(str(error)) from error
    if real is None:
        raise InputError(f"{folder}: no real embeddings; train again")
    measures = result.get("generator", {})
    on = str((measures.get(task, {}) if task else measures).get("on", ""))
    return Reference(on, real.vectors, real.labels, [dict(row) for row in real.rows])
