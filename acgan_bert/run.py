"""One recipe to one run directory: read, embed, train, compare, measure, draw, in this order.

Nothing is written before all input has been read and checked. The recipe is written last of what
:func:`resume` needs, so that a directory that holds a recipe can always be continued.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acgan_bert.baselines import classifier_baselines
from acgan_bert.draw import draw
from acgan_bert.encoding import check_same_encoder, embed_rows, open_encoder, write_identity
from acgan_bert.environment import describe_environment
from acgan_bert.inference import Embedded, Samples, embed, predict, sample
from acgan_bert.judge import (
    Reference,
    choose_reference,
    describe_fakes,
    judge,
    write_embeddings,
)
from acgan_bert.model import GANModel
from acgan_bert.parts import Parts, read_parts
from acgan_bert.progress import Progress, Stages
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import check_recipe, dump_recipe
from acgan_bert.rundir import (
    CHECKPOINT,
    ENVIRONMENT,
    METRICS,
    MODEL,
    RECIPE,
    REPORT,
    RESULT,
    SPLIT,
    MetricsLog,
    check_sources,
    claimed,
    logged,
    read_json,
    read_recipe,
    refuse_occupied,
)
from acgan_bert.scores import exact_mcnemar, paired_interval, score
from acgan_bert.trainer import HeldOut, TrainingRows, train_gan
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json, write_text

__all__ = ["Embedded", "Progress", "Samples", "embed", "predict", "resume", "sample", "train"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What every stage of a run works with."""

    recipe: Recipe
    out: Path
    parts: Parts
    encoder: TextEncoder
    stages: Stages


@dataclass(frozen=True, slots=True, eq=False)
class _Vectors:
    """The embeddings of the training rows that are used, and of the held-out parts by name."""

    rows: TrainingRows
    held_out: dict[str, HeldOut]


def train(
    recipe: Recipe, out: Path, *, command: Sequence[str] = (), progress: Progress | None = None
) -> Path:
    """Train, compare, measure and draw one recipe.

    Args:
        recipe: What to do.
        out: Directory of the run; made where it does not exist.
        command: The command line, for the record.
        progress: Who is told how far it is.

    Returns:
        ``out``.

    Raises:
        InputError: Anything the user gave is wrong; nothing is left in ``out``.
        DivergenceError: Training diverged.
    """
    check_recipe(recipe)
    refuse_occupied(out)
    stages = Stages(progress)
    with stages("read"):
        parts = read_parts(recipe)
        encoder = open_encoder(recipe.encoder)
    environment = describe_environment(
        encoder, hashes=parts.hashes, command=command, seed=recipe.seed
    )
    with claimed(out), logged(out):
        # Again, now that nobody else can write: another process may have come first.
        refuse_occupied(out)
        write_json(out / ENVIRONMENT, environment)
        write_json(out / SPLIT, parts.split_json())
        write_text(out / RECIPE, dump_recipe(recipe))
        _work(_Job(recipe, out, parts, encoder, stages))
    return out


def resume(run: Path, *, progress: Progress | None = None) -> Path:
    """Continue an interrupted run from its checkpoint, or from the start where it has none.

    A finished run stays as it is; one that lacks its report alone is drawn again.

    Args:
        run: Its directory.
        progress: Who is told how far it is.

    Returns:
        ``run``.

    Raises:
        InputError: This is no run, another process writes it, or its data or encoder changed.
    """
    recipe = read_recipe(run)
    stages = Stages(progress)
    if (run / RESULT).is_file():
        if not recipe.report.figures or (run / REPORT).is_file():
            logger.warning("%s: the run is finished; there is nothing to do", run)
            return run
        with claimed(run), logged(run), stages("draw"):
            draw(run, seed=recipe.seed)
        return run
    with stages("read"):
        parts = read_parts(recipe)
        check_sources(run, parts.hashes)
        if parts.split_json() != read_json(run / SPLIT):
            raise InputError(
                f"{run / SPLIT}: other rows are drawn now; recipe.yaml was edited or a library "
                "changed, so train again with another --out"
            )
        encoder = open_encoder(recipe.encoder)
        fingerprint = read_json(run / ENVIRONMENT)["encoder"]["fingerprint"]
        check_same_encoder(encoder, fingerprint, where=run)
    with claimed(run), logged(run):
        _work(_Job(recipe, run, parts, encoder, stages))
    return run


def _work(job: _Job) -> None:
    """Do everything that follows reading; the result is written last, but for its report."""
    for note in job.parts.notes:
        logger.info("%s", note)
    vectors = _embed(job)
    model = _train(job, vectors)
    result: dict[str, Any] = {"name": job.out.name, "task": job.parts.task.to_json()}
    result |= _compare(job, model, vectors)
    result["generator"], notes = _judge(job, model, vectors)
    split = job.parts.split
    result["labels"] = {"labeled": len(split.labeled), "unlabeled": len(split.unlabeled)}
    result["seconds"] = job.stages.seconds
    result["notes"] = [*job.parts.notes, *notes]
    write_json(job.out / RESULT, result)
    if job.recipe.report.figures:
        with job.stages("draw"):
            draw(job.out, seed=job.recipe.seed)


def _embed(job: _Job) -> _Vectors:
    """Embed every source, or read what an earlier run left in the cache."""
    parts = job.parts
    held_out = parts.held_out()
    sources = {"pool": parts.pool}
    sources |= {name: part for name, part in held_out.items() if name not in parts.taken}
    vectors: dict[str, np.ndarray] = {}
    before = 0
    with job.stages("embed", sum(map(len, sources.values()))) as advance:
        for name, corpus in sources.items():

            def report(done: int, _: int, start: int = before) -> None:
                advance(start + done)

            settings = job.recipe.encoder
            vectors[name] = embed_rows(corpus, job.encoder, settings, progress=report).vectors
            before += len(corpus)
    pool = vectors["pool"]
    vectors |= {name: pool[parts.pool_rows(held_out[name])] for name in parts.taken}
    rows = TrainingRows(
        pool[parts.pool_rows(parts.train)[parts.rows()]], parts.visible(), parts.task.classes
    )
    scored = {name: HeldOut(vectors[name], part.labels) for name, part in held_out.items()}
    return _Vectors(rows, scored)


def _train(job: _Job, vectors: _Vectors) -> GANModel:
    """Train the GAN, from its checkpoint where there is one, and write the model."""
    record = MetricsLog(job.out / METRICS)
    with job.stages("train", job.recipe.training.steps) as advance:
        model = train_gan(
            vectors.rows,
            job.recipe,
            dev=vectors.held_out.get("dev"),
            record=record,
            checkpoint=job.out / CHECKPOINT,
            progress=lambda done, _: advance(done),
        )
    job.stages.seconds["train"] = round(record.seconds(), 3)
    model.save_pretrained(job.out / MODEL)
    task, fingerprint = job.parts.task, job.encoder.fingerprint()
    write_identity(job.out / MODEL, task, job.recipe.encoder, fingerprint)
    return model


def _compare(job: _Job, model: GANModel, vectors: _Vectors) -> dict[str, Any]:
    """Score the model on the held-out parts, and the baselines beside it on the first of them."""
    held_out, names = job.parts.held_out(), job.recipe.report.baselines
    result: dict[str, Any] = {"test": {}, "dev": {}, "baselines": {}}
    for part, corpus in held_out.items():
        result[part] = score(model.predict_proba(vectors.held_out[part].vectors), corpus)
    if not held_out or not names:
        return result
    on, corpus = next(iter(held_out.items()))
    to_score = vectors.held_out[on].vectors
    with job.stages("compare"):
        found = classifier_baselines(names, vectors.rows, job.recipe, {on: to_score})
    own = model.predict_proba(to_score).argmax(axis=1)
    for name, by_part in found.items():
        answers = (corpus.labels, own, by_part[on].argmax(axis=1))
        difference = paired_interval(*answers)
        result["baselines"][name] = score(by_part[on], corpus) | {
            "on": on,
            "p_value": exact_mcnemar(*answers),
            "difference_low": difference.low,
            "difference_high": difference.high,
        }
    return result


def _judge(job: _Job, model: GANModel, vectors: _Vectors) -> tuple[dict[str, Any], list[str]]:
    """Measure the generator and write what it was judged on.

    Returns:
        The measures, empty where there are too few real rows, and notes.
    """
    seed = job.recipe.seed
    with job.stages("measure"):
        reference = _reference(job, vectors)
        fake = model.sample(reference.labels, seed=seed)
        training = vectors.rows.vectors
        rows = describe_fakes(model, fake, reference.labels, reference=reference, training=training)
        write_embeddings(job.out, reference, fake, rows)
        measures = judge(reference, fake, vectors.rows, seed=seed)
    notes = []
    if not measures:
        notes.append(f"{len(rows)} real rows are too few to measure the generator on")
    if reference.on == "train":
        notes.append("no held-out rows: the generator is measured on rows that it was trained on")
    return measures, notes


def _reference(job: _Job, vectors: _Vectors) -> Reference:
    """Take the rows to judge on from the test part, else dev, else the labelled training rows."""
    rows, parts = vectors.rows, job.parts
    shown = rows.labels >= 0
    labeled = HeldOut(rows.vectors[shown], rows.labels[shown])
    named = vectors.held_out | {"train": labeled}
    corpora = parts.held_out() | {"train": parts.train.select(parts.split.labeled)}
    on = next(iter(corpora))
    return choose_reference(
        on,
        corpora[on],
        named[on],
        classes=np.unique(labeled.labels),
        most=job.recipe.report.fakes,
        seed=job.recipe.seed,
    )
