"""A run of the GAN: embed the text, train, compare with the baselines, measure the generator."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from acgan_bert.baselines import classifier_baselines
from acgan_bert.encoding import embed_rows, open_encoder, write_identity
from acgan_bert.judge import (
    Reference,
    choose_reference,
    describe_fakes,
    judge,
    write_embeddings,
)
from acgan_bert.model import GANModel
from acgan_bert.parts import Parts, read_parts
from acgan_bert.progress import Stages
from acgan_bert.recipe import Recipe
from acgan_bert.rundir import CHECKPOINT, METRICS, MODEL, RESULT, MetricsLog
from acgan_bert.scores import exact_mcnemar, paired_interval, score
from acgan_bert.trackers import Tracker
from acgan_bert.trainer import HeldOut, TrainingRows, train_gan
from mtl.bert.encoder import TextEncoder
from mtl.files import write_json

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
        return cls(recipe, parts, open_encoder(recipe.encoder))

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
        bench = _Bench(self.recipe, self.parts, self.encoder, out, stages, tracker)
        vectors = _embed(bench)
        model = _train(bench, vectors)
        result: dict[str, Any] = {"name": out.name, "task": self.parts.task.to_json()}
        result |= _compare(bench, model, vectors)
        result["generator"], notes = _judge(bench, model, vectors)
        split = self.parts.split
        result["labels"] = {"labeled": len(split.labeled), "unlabeled": len(split.unlabeled)}
        result["seconds"] = stages.seconds
        result["notes"] = [*self.parts.notes, *notes]
        write_json(out / RESULT, result)


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """What a job works on, where its results go, and who is told of its progress."""

    recipe: Recipe
    parts: Parts
    encoder: TextEncoder
    out: Path
    stages: Stages
    tracker: Tracker | None


@dataclass(frozen=True, slots=True, eq=False)
class _Vectors:
    """The embeddings of the training rows that are used, and of the held-out parts by name."""

    rows: TrainingRows
    held_out: dict[str, HeldOut]


def _embed(bench: _Bench) -> _Vectors:
    """Embed every source, or read what an earlier run left in the cache."""
    parts = bench.parts
    held_out = parts.held_out()
    sources = {"pool": parts.pool}
    sources |= {name: part for name, part in held_out.items() if name not in parts.taken}
    vectors: dict[str, np.ndarray] = {}
    before = 0
    with bench.stages("embed", sum(map(len, sources.values()))) as advance:
        for name, corpus in sources.items():

            def report(done: int, _: int, start: int = before) -> None:
                advance(start + done)

            settings = bench.recipe.encoder
            vectors[name] = embed_rows(corpus, bench.encoder, settings, progress=report).vectors
            before += len(corpus)
    pool = vectors["pool"]
    vectors |= {name: pool[parts.pool_rows(held_out[name])] for name in parts.taken}
    rows = TrainingRows(
        pool[parts.pool_rows(parts.train)[parts.rows()]], parts.visible(), parts.task.classes
    )
    scored = {name: HeldOut(vectors[name], part.labels) for name, part in held_out.items()}
    return _Vectors(rows, scored)


def _train(bench: _Bench, vectors: _Vectors) -> GANModel:
    """Train the GAN, from its checkpoint where there is one, and write the model."""
    record = MetricsLog(bench.out / METRICS, tracker=bench.tracker)
    with bench.stages("train", bench.recipe.training.steps) as advance:
        model = train_gan(
            vectors.rows,
            bench.recipe,
            dev=vectors.held_out.get("dev"),
            record=record,
            checkpoint=bench.out / CHECKPOINT,
            progress=advance,
        )
    bench.stages.seconds["train"] = round(record.seconds(), 3)
    model.save_pretrained(bench.out / MODEL)
    task, fingerprint = bench.parts.task, bench.encoder.fingerprint()
    write_identity(bench.out / MODEL, task, bench.recipe.encoder, fingerprint)
    return model


def _compare(bench: _Bench, model: GANModel, vectors: _Vectors) -> dict[str, Any]:
    """Score the model on the held-out parts, and the baselines beside it on the first of them."""
    held_out, names = bench.parts.held_out(), bench.recipe.report.baselines
    result: dict[str, Any] = {"test": {}, "dev": {}, "baselines": {}}
    for part, corpus in held_out.items():
        result[part] = score(model.predict_proba(vectors.held_out[part].vectors), corpus)
    if not held_out or not names:
        return result
    on, corpus = next(iter(held_out.items()))
    to_score = vectors.held_out[on].vectors
    with bench.stages("compare"):
        found = classifier_baselines(names, vectors.rows, bench.recipe, {on: to_score})
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


def _judge(bench: _Bench, model: GANModel, vectors: _Vectors) -> tuple[dict[str, Any], list[str]]:
    """Measure the generator and write what it was judged on.

    Returns:
        The measures, empty where there are too few real rows, and notes.
    """
    seed = bench.recipe.seed
    with bench.stages("measure"):
        reference = _reference(bench, vectors)
        fake = model.sample(reference.labels, seed=seed)
        training = vectors.rows.vectors
        rows = describe_fakes(model, fake, reference.labels, reference=reference, training=training)
        write_embeddings(bench.out, reference, fake, rows)
        measures = judge(reference, fake, vectors.rows, seed=seed)
    notes = []
    if not measures:
        notes.append(f"{len(rows)} real rows are too few to measure the generator on")
    if reference.on == "train":
        notes.append("no held-out rows: the generator is measured on rows that it was trained on")
    return measures, notes


def _reference(bench: _Bench, vectors: _Vectors) -> Reference:
    """Take the rows to judge on from the test part, else dev, else the labelled training rows."""
    rows, parts = vectors.rows, bench.parts
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
        most=bench.recipe.report.fakes,
        seed=bench.recipe.seed,
    )
