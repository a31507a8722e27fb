"""What a finished run is used for: labels for new text, fake embeddings, and bare embeddings."""

import difflib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save

from acgan_bert.adapted import ENCODER_FOLDER, encoder_of
from acgan_bert.encoding import check_same_encoder, embed_rows, open_encoder, read_identity
from acgan_bert.joint_run import PLAYERS, text_vectors
from acgan_bert.judge import describe_fakes, read_reference
from acgan_bert.model import GANModel
from acgan_bert.multitask_settings import read_task, task_recipes
from acgan_bert.parts import columns_of, read_parts
from acgan_bert.progress import Progress, Stages
from acgan_bert.recipe import Recipe
from acgan_bert.rundir import MODEL, RESULT, check_sources, read_recipe
from mtl.bert.embed import Embeddings
from mtl.bert.model import MultitaskModel
from mtl.errors import InputError
from mtl.files import write_bytes, write_text
from mtl.rows import Rows, select
from mtl.scores import expected_score
from mtl.text.data import Columns, Corpus, read_corpus
from mtl.text.tasks import Task

_INFERRED = Columns()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Fake embeddings.

    Args:
        vectors: (M, D) float32.
        rows: (M,) objects as in ``embeddings/fake.jsonl``: ``label``, ``posterior``,
            ``typicality``, ``memorized``, ``neighbors``.
    """

    vectors: NDArray[np.float32]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A corpus and its embeddings, row by row."""

    corpus: Corpus
    embeddings: Embeddings

    def __str__(self) -> str:
        """Say how many there are and where they lie."""
        rows, width = self.embeddings.vectors.shape
        how = "read from" if self.embeddings.cached else "written to"
        return f"{rows} vectors of width {width}, {how} the cache: {self.embeddings.path}"


def predict(
    run: Path, source: str, *, task: str = "", columns: Columns = _INFERRED
) -> pd.DataFrame:
    """Label new text.

    Args:
        run: Directory of a finished run.
        source: File, ``hub:`` or ``demo:`` source; labels in it are not looked at.
        task: Which of the run's tasks; empty where it has one.
        columns: Column names; empty ones are those of the training data, else inferred.

    Returns:
        A row per text: ``id``, ``text``, ``text_pair`` for pairs, ``label``, ``score`` for a
        score task, ``p_<class>`` per class that has a probability, ``p_fake`` of a GAN, from which
        a class called "fake" is told as ``p_fake (class)``.

    Raises:
        InputError: The run has no whole model or no such task, the source is wrong, or the encoder
            has changed.
    """
    recipe = _finished(run)
    if task_recipes(recipe):
        return _predict_with_multitask(run, recipe, source, task, columns)
    model, kind, fingerprint = _open_gan(run)
    if task not in ("", kind.name):
        raise InputError(f"--task {task}: the run has one task, {kind.name}; leave --task out")
    corpus = _read_new(source, columns, columns_of(recipe.data), kind)
    encoder = encoder_of(run / MODEL, recipe.encoder)
    check_same_encoder(encoder, fingerprint, where=run)
    vectors = embed_rows(corpus, encoder, recipe.encoder, cached=False).vectors
    probabilities = model.predict_proba(vectors)
    scores = expected_score(probabilities, kind) if kind.output == "score" else None
    table = _table(corpus, kind, probabilities, scores)
    return table.assign(p_fake=model.p_fake(vectors))


def _predict_with_multitask(
    run: Path, recipe: Recipe, source: str, task: str, columns: Columns
) -> pd.DataFrame:
    model = MultitaskModel.from_pretrained(run / MODEL)
    name = _named_task(run, task, list(model.tasks))
    kind = model.tasks[name]
    corpus = _read_new(source, columns, columns_of(task_recipes(recipe)[name]), kind)
    predicted = model.predict_texts(name, corpus.texts, corpus.pairs)
    classes, scores = (None, predicted) if kind.output == "score" else (predicted, None)
    table = _table(corpus, kind, classes, scores)
    beside = run / MODEL / PLAYERS / name
    if not beside.is_dir():
        return table
    vectors = text_vectors(model, name, corpus, precision=recipe.encoder.precision)
    return table.assign(p_fake=GANModel.from_pretrained(beside).p_fake(vectors))


def _table(
    corpus: Corpus,
    task: Task,
    probabilities: NDArray[np.float64] | None,
    scores: NDArray[np.float64] | None,
) -> pd.DataFrame:
    """Put predictions beside their texts; at least one of both kinds is given."""
    table: dict[str, Any] = {"id": corpus.ids, "text": corpus.texts}
    if corpus.pairs is not None:
        table["text_pair"] = corpus.pairs
    if probabilities is not None:
        chosen = probabilities.argmax(axis=1)
    else:
        chosen = task.bucket(np.asarray(scores))
    table["label"] = [task.classes[index] for index in chosen]
    if scores is not None:
        table["score"] = scores
    if probabilities is not None:
        for index, name in enumerate(task.classes):
            table["p_fake (class)" if name == "fake" else f"p_{name}"] = probabilities[:, index]
    return pd.DataFrame(table)


def sample(run: Path, label: str, count: int, *, seed: int = 0, task: str = "") -> Samples:
    """Generate fake embeddings of one class.

    Args:
        run: Directory of a finished run.
        label: Name of the class.
        count: How many, at least 1.
        seed: Of the noise.
        task: Which of the run's tasks; empty where it has one.

    Raises:
        InputError: The run has no whole model, no such task or class, or the count is below 1.
    """
    recipe = _finished(run)
    if not recipe.gan:
        raise InputError(f"{run}: a multitask BERT has no generator to sample from")
    if count < 1:
        raise InputError(f"count is {count}; give 1 or more")
    name = _named_task(run, task, list(task_recipes(recipe))) if task_recipes(recipe) else ""
    model = GANModel.from_pretrained(run / MODEL / PLAYERS / name if name else run / MODEL)
    labels = np.full(count, _class_index(label, model.classes), dtype=np.int64)
    reference = read_reference(run, name)
    vectors = model.sample(labels, seed=seed)
    training = _training_vectors(run, recipe, name)
    rows = describe_fakes(model, vectors, labels, reference=reference, training=training)
    return Samples(vectors, rows)


def embed(recipe: Recipe, *, out: Path | None = None, progress: Progress | None = None) -> Embedded:
    """Embed the training source of a recipe; nothing in it needs a label.

    Args:
        recipe: Its ``data`` and ``encoder`` sections count.
        out: Where to write: a ``.safetensors`` file with tensors ``vectors`` and ``labels`` and
            the ids in its metadata, or an ``.npy`` file with the ids beside it in
            ``<name>.ids.json``; None writes the cache alone.
        progress: Who is told how far it is.

    Raises:
        InputError: The source, the encoder or the ending of ``out`` is wrong.
    """
    if not recipe.gan:
        raise InputError("a multitask recipe has a source for each task; name the file to embed")
    if out is not None and out.suffix not in (".npy", ".safetensors"):
        raise InputError(f"{out}: ends in {out.suffix or 'nothing'}; give .npy or .safetensors")
    if out is not None and out.is_dir():
        raise InputError(f"{out}: this is a folder; give a file")
    corpus = read_corpus(recipe.data.train, columns=columns_of(recipe.data), require_labels=False)
    encoder = open_encoder(recipe.encoder)
    with Stages(progress)("embed", len(corpus)) as advance:
        embeddings = embed_rows(corpus, encoder, recipe.encoder, progress=advance)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_matrix(out, corpus, embeddings)
    return Embedded(corpus, embeddings)


def _finished(run: Path) -> Recipe:
    """Read the recipe of a run that has its model."""
    recipe = read_recipe(run)
    if not (run / RESULT).is_file():
        raise InputError(f"{run}: the run is not finished; first: acgan-bert resume {run}")
    return recipe


def _open_gan(run: Path) -> tuple[GANModel, Task, str]:
    """Read the model, its task and the fingerprint of its encoder."""
    return GANModel.from_pretrained(run / MODEL), *read_identity(run / MODEL)


def _read_new(source: str, given: Columns, trained: Columns, task: Task) -> Corpus:
    """Read texts to predict, under the column names of the training data if they fit."""
    usual = Columns(
        text=given.text or trained.text,
        text_pair=given.text_pair or trained.text_pair,
        label=given.label or trained.label,
    )
    if usual != given:
        try:
            return read_corpus(source, columns=usual, task=task, require_labels=False)
        except InputError as error:
            logger.info("%s; inferring the columns", error)
    return read_corpus(source, columns=given, task=task, require_labels=False)


def _class_index(label: str, classes: Sequence[str]) -> int:
    if label in classes:
        return classes.index(label)
    close = difflib.get_close_matches(label, classes, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"label {label!r} is unknown; {hint}the classes are: {', '.join(classes)}")


def _named_task(run: Path, task: str, names: Sequence[str]) -> str:
    """Choose one of a run's tasks."""
    if not task and len(names) > 1:
        raise InputError(f"{run}: predicts {', '.join(names)}; choose one with --task")
    if task and task not in names:
        raise InputError(f"--task {task}: unknown; {run} predicts {', '.join(names)}")
    return task or names[0]


def _training_vectors(run: Path, recipe: Recipe, task: str) -> Rows | None:
    """Embed the rows that the generator was trained on again; None where they have changed."""
    try:
        if task:
            parts = read_task(task, task_recipes(recipe)[task], seed=recipe.seed)
            check_sources(run, {f"{task}.{part}": entry for part, entry in parts.hashes.items()})
            model = MultitaskModel.from_pretrained(run / MODEL)
            chosen = parts.train.select(parts.rows())
            return text_vectors(model, task, chosen, precision=recipe.encoder.precision)
        parts = read_parts(recipe.data, seed=recipe.seed)
        check_sources(run, parts.hashes)
        encoder = encoder_of(run / MODEL, recipe.encoder)
        check_same_encoder(encoder, read_identity(run / MODEL)[1], where=run)
    except InputError as error:
        logger.warning("whether fakes repeat training rows is not known: %s", error)
        return None
    shared = not (run / MODEL / ENCODER_FOLDER).is_dir()
    vectors = embed_rows(parts.pool, encoder, recipe.encoder, cached=shared).vectors
    return select(vectors, parts.pool_rows(parts.train)[parts.rows()])


def _write_matrix(out: Path, corpus: Corpus, embeddings: Embeddings) -> None:
    vectors = np.ascontiguousarray(embeddings.vectors)
    if out.suffix == ".npy":
        buffer = BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        write_bytes(out, buffer.getvalue())
        write_text(out.with_suffix(".ids.json"), json.dumps(corpus.ids, ensure_ascii=False) + "\n")
        return
    metadata = {
        "ids": json.dumps(corpus.ids),
        "classes": json.dumps(corpus.task.classes),
        "fingerprint": embeddings.fingerprint,
    }
    write_bytes(out, save({"vectors": vectors, "labels": corpus.labels}, metadata))
