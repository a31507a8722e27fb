"""A run of the GAN on one task: embed, train, compare with the baselines, measure the generator.

The encoder is frozen, moved ahead of the GAN (:mod:`acgan_bert.adapted`), or trained beside it
(:mod:`acgan_bert.finetuning`); what follows is the same.
"""

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from acgan_bert.adapted import adapted_encoder, write_moved
from acgan_bert.baselines import classifier_baselines
from acgan_bert.encoding import open_encoder, write_identity
from acgan_bert.finetuning import finetune
from acgan_bert.generator_judge import judge_generator, reference_for
from acgan_bert.joint import JointGAN
from acgan_bert.model import GANModel
from acgan_bert.parts import Parts, read_parts
from acgan_bert.progress import Stages
from acgan_bert.recipe import Recipe
from acgan_bert.row_checks import check_text_rows
from acgan_bert.rundir import (
    ADAPTATION,
    CHECKPOINT,
    CONFLICTS,
    EMBEDDINGS,
    METRICS,
    MODEL,
    RESULT,
    SERIES,
    MetricsLog,
    StepLog,
)
from acgan_bert.scores import (
    calibration_note,
    rejection,
    rejection_notes,
    score,
)
from acgan_bert.setfit_peer import SETFIT, check_setfit, setfit_probabilities
from acgan_bert.snapshots import Snapshots
from acgan_bert.snapshots_beside import end_series, series_beside
from acgan_bert.trackers import Tracker
from acgan_bert.trainer import train_gan
from acgan_bert.transfer import with_start
from acgan_bert.vectors import PartVectors, embed_parts, sources_of
from acgan_bert.watch import CollapseWatch, together
from analysis.statistics import exact_mcnemar, paired_accuracy_interval
from mtl.bert.encoder import TextEncoder
from mtl.files import write_json
from mtl.record import Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class GANJob:
    """What a run of the GAN works on."""

    recipe: Recipe
    parts: Parts
    encoder: TextEncoder

    @classmethod
    def read(cls, recipe: Recipe) -> Self:
        """Read and check the data and open the encoder.

        Raises:
            InputError: Something is wrong with either.
        """
        parts = read_parts(recipe.data, seed=recipe.seed)
        if SETFIT in recipe.report.baselines:
            check_setfit(parts.task)
        check_text_rows(recipe, parts.hidden())
        encoder = open_encoder(recipe.encoder)
        return cls(recipe, with_start(parts, recipe, encoder), encoder)

    @property
    def hashes(self) -> Mapping[str, Mapping[str, str]]:
        """Source and SHA-256 of each part of the data."""
        return self.parts.hashes

    def split_json(self) -> dict[str, Any]:
        """Give the ids of the rows of each part."""
        return self.parts.split_json()

    def work(self, out: Path, stages: Stages, tracker: Tracker | None) -> None:
        """Do everything that follows reading, but for the pictures; the result is written last."""
        for note in self.parts.notes:
            logger.info("%s", note)
        plain = _Bench(self.recipe, self.parts, self.encoder, out, stages, tracker)
        bench = _move(plain)
        result: dict[str, Any] = {"name": out.name, "task": self.parts.task.to_json()}
        if self.recipe.encoder.mode == "frozen":
            vectors = _embed(bench)
            model = _train(bench, vectors)
        else:
            bench, model, result["best_update"] = _finetune(bench)
            vectors = _embed(bench)
        _save(bench, model, vectors)
        result |= _compare(bench, model, vectors, plain)
        result["generator"], notes = _judge(bench, model, vectors)
        if "best_update" in result:
            end_series(out / SERIES, out / EMBEDDINGS, result["best_update"])
        result["labels"] = self.parts.split.counts()
        result["seconds"] = stages.seconds
        result["notes"] = [*self.parts.notes, *notes, *_notes(self.parts, result)]
        write_json(out / RESULT, result)


def _notes(parts: Parts, result: Mapping[str, Any]) -> list[str]:
    """Say how far probabilities and p(fake) are to be relied on."""
    dev_rows = 0 if parts.dev is None else len(parts.dev)
    note = calibration_note(result["temperature"], dev_rows=dev_rows, tested=parts.test is not None)
    return [note, *rejection_notes(result["rejection"])]


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """What a job works on, where its results go, and who is told of its progress."""

    recipe: Recipe
    parts: Parts
    encoder: TextEncoder
    out: Path
    stages: Stages
    tracker: Tracker | None
    moved: bool = False
    """Whether the encoder is this run's own."""


def _move(bench: _Bench) -> _Bench:
    """Move the encoder where the recipe says so, from the checkpoint where there is one."""
    if not bench.recipe.adaptation.updates:
        return bench
    parts, record = bench.parts, MetricsLog(bench.out / ADAPTATION)
    with bench.stages("adapt") as advance:
        moved = adapted_encoder(
            bench.recipe,
            parts.hidden().select(parts.rows()),
            bench.encoder,
            record=record,
            checkpoint=bench.out / CHECKPOINT / "adaptation",
            progress=advance,
        )
    bench.stages.seconds["adapt"] = round(record.seconds(), 3)
    return replace(bench, encoder=moved, moved=True)


def _embed(bench: _Bench, stage: str = "embed") -> PartVectors:
    """Embed every source, or read what an earlier run left in the cache."""
    parts = bench.parts
    with bench.stages(stage, sum(map(len, sources_of(parts).values()))) as advance:
        return embed_parts(
            parts,
            bench.encoder,
            bench.recipe.encoder,
            cached=not bench.moved,  # nobody else will ask for them
            progress=advance,
        )


def _train(bench: _Bench, vectors: PartVectors) -> GANModel:
    """Train the GAN, from its checkpoint where there is one."""
    record = MetricsLog(bench.out / METRICS, tracker=bench.tracker)
    with bench.stages("train", bench.recipe.training.steps) as advance:
        model = train_gan(
            vectors.rows,
            bench.recipe,
            dev=vectors.held_out.get("dev"),
            record=record,
            checkpoint=bench.out / CHECKPOINT,
            progress=advance,
            watch=together(CollapseWatch(bench.parts.task.classes), _snapshots(bench, vectors)),
        )
    bench.stages.seconds["train"] = round(record.seconds(), 3)
    return model


def _snapshots(bench: _Bench, vectors: PartVectors) -> Snapshots | None:
    """Keep fakes of the rows that the generator will be judged on, where they will be drawn."""
    if not bench.recipe.report.figures:
        return None
    reference = reference_for(vectors.rows, vectors.held_out, bench.parts, bench.recipe)
    classes = bench.parts.task.classes
    return Snapshots(bench.out / SERIES, reference.labels, classes=classes, recipe=bench.recipe)


def _finetune(bench: _Bench) -> tuple[_Bench, GANModel, int]:
    """Train a copy of the encoder and the GAN together, from their checkpoint where there is one.

    Returns:
        The bench with the encoder as it is then, the model, and the update that they are of.
    """
    encoder, training = deepcopy(bench.encoder), bench.recipe.training
    metrics = MetricsLog(bench.out / METRICS, tracker=bench.tracker)
    conflicts, name = StepLog(bench.out / CONFLICTS), bench.parts.task.name

    def recorder(gan: JointGAN) -> Record:
        evaluations = training.steps, training.eval_every_steps
        look = series_beside(gan, {name: bench.parts}, {name: bench.out / SERIES}, *evaluations)

        def record(row: dict[str, Any]) -> None:
            conflicts.append(row["step"], row.pop("conflicts"))
            metrics(row)
            look(row["step"])

        return record

    with bench.stages("train", training.steps) as advance:
        model, kept = finetune(
            bench.recipe,
            bench.parts.hidden().select(bench.parts.rows()),
            encoder,
            dev=bench.parts.dev,
            recorder=recorder,
            checkpoint=bench.out / CHECKPOINT / "training",
            progress=advance,
        )
    bench.stages.seconds["train"] = round(metrics.seconds(), 3)
    return replace(bench, encoder=encoder, moved=True), model, kept


def _save(bench: _Bench, model: GANModel, vectors: PartVectors) -> None:
    """Calibrate the model where there is dev, and write it with the encoder that it needs."""
    if "dev" in vectors.held_out:
        model.calibrate(vectors.held_out["dev"].vectors, vectors.held_out["dev"].labels)
    model.save_pretrained(bench.out / MODEL)
    if bench.moved:
        write_moved(bench.encoder, bench.out / MODEL)
    task, fingerprint = bench.parts.task, bench.encoder.fingerprint()
    write_identity(bench.out / MODEL, task, bench.recipe.encoder, fingerprint)


def _compare(bench: _Bench, model: GANModel, vectors: PartVectors, plain: _Bench) -> dict[str, Any]:
    """Score the model on the held-out parts, and the baselines beside it on the first of them.

    Baselines stand on the encoder as it was opened: that is what a user would pick instead.
    """
    held_out, names = bench.parts.held_out(), bench.recipe.report.baselines
    result: dict[str, Any] = {"test": {}, "dev": {}, "rejection": {}, "baselines": {}}
    result["temperature"] = model.temperature
    judged = {part: model.predict_proba(rows.vectors) for part, rows in vectors.held_out.items()}
    for part, corpus in held_out.items():
        result[part] = score(judged[part], corpus, temperature=model.temperature)
    if not held_out:
        return result
    on, corpus = next(iter(held_out.items()))
    doubts = rejection(judged[on], model.p_fake(vectors.held_out[on].vectors), corpus.labels)
    result["rejection"] = {"on": on, "rows": len(corpus)} | doubts
    if not names:
        return result
    frozen = _embed(plain, "embed for baselines") if bench.moved else vectors
    with bench.stages("compare"):
        found = _baselines(plain, frozen, on)
    own = judged[on].argmax(axis=1) == corpus.labels
    for name, by_part in found.items():
        hits = own, by_part[on].argmax(axis=1) == corpus.labels
        difference = paired_accuracy_interval(*hits)
        result["baselines"][name] = score(by_part[on], corpus) | {
            "on": on,
            "p_value": exact_mcnemar(*hits),
            "difference_low": difference.low,
            "difference_high": difference.high,
        }
    return result


def _baselines(bench: _Bench, vectors: PartVectors, on: str) -> dict[str, dict[str, np.ndarray]]:
    """Train the baselines; returns the probabilities (N, C) for a held-out part, by baseline."""
    names = bench.recipe.report.baselines
    to_score = {on: vectors.held_out[on].vectors}
    own = [name for name in names if name != SETFIT]
    found = classifier_baselines(own, vectors.rows, bench.recipe, to_score)
    if SETFIT in names:
        parts = bench.parts
        rows, asked = parts.train.select(parts.split.labeled), parts.held_out()[on]
        found[SETFIT] = {on: setfit_probabilities(rows, asked, bench.encoder, bench.recipe)}
    return found


def _judge(
    bench: _Bench, model: GANModel, vectors: PartVectors
) -> tuple[dict[str, Any], list[str]]:
    """Measure the generator, write what it was judged on; returns the measures, and notes."""
    with bench.stages("measure"):
        return judge_generator(
            model,
            vectors.rows,
            held_out=vectors.held_out,
            parts=bench.parts,
            folder=bench.out / EMBEDDINGS,
            recipe=bench.recipe,
        )
