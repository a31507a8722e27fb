"""What a run does of the GAN beside the multitask BERT once training has ended: save, measure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acgan_bert.generator_judge import judge_generator
from acgan_bert.joint import JointGAN
from acgan_bert.joint_models import task_models
from acgan_bert.joint_rows import as_embedded, chosen_rows, row_vectors
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.rundir import EMBEDDINGS, MODEL
from acgan_bert.scores import rejection, rejection_notes
from acgan_bert.trainer import HeldOut, TrainingRows
from mtl.bert.model import MultitaskModel
from mtl.evaluate import predict_rows
from mtl.predict import text_rows
from mtl.settings import TaskData
from mtl.text.data import Corpus

PLAYERS = "gan"
"""Folder of a saved model with a GAN for each task."""


def unlabeled_rows(recipe: Recipe) -> int:
    """Return the rows without a label in each batch: labelled ones have their share of the whole.

    Example:
        >>> unlabeled_rows(Recipe())  # 16 labelled rows are a quarter of a batch
        48
    """
    share = recipe.semisupervised.labeled_share
    return round(recipe.multitask.batch_size * (1 - share) / share)


def finish_players(
    gan: JointGAN,
    data: Mapping[str, TaskData],
    parts: Mapping[str, Parts],
    *,
    out: Path,
) -> tuple[dict[str, Any], list[str]]:
    """Save a GAN for each task and measure it on the vectors of the trained encoder.

    Args:
        gan: The players, with the model that they were trained beside.
        data: Training rows of each task.
        parts: The text of each task.
        out: Directory of the run.

    Returns:
        The measures by task, as of a run of the GAN alone, for class tasks with ``rejection`` of
        the heads' answers by the GAN's p(fake); and notes.
    """
    measures, notes = {}, []
    precision = gan.recipe.encoder.precision
    autocast = as_embedded(gan.model, precision)
    for name, trained in task_models(gan).items():
        task, kind = data[name].train, gan.tasks[name]
        rows = chosen_rows(task.corpus.labels, seed=gan.recipe.seed)
        vectors = row_vectors(gan.model, name, task, rows, autocast=autocast).numpy()
        corpora = parts[name].held_out()
        held_out = {
            part: HeldOut(text_vectors(gan.model, name, corpus, precision=precision), corpus.labels)
            for part, corpus in corpora.items()
        }
        if "dev" in held_out:
            trained.calibrate(held_out["dev"].vectors, held_out["dev"].labels)
        trained.save_pretrained(out / MODEL / PLAYERS / name)
        measures[name], said = judge_generator(
            trained,
            TrainingRows(vectors, task.corpus.labels[rows], kind.classes),
            held_out=held_out,
            parts=judged_parts(parts[name], task.corpus, seed=gan.recipe.seed),
            folder=out / EMBEDDINGS / name,
            recipe=gan.recipe,
        )
        if held_out and kind.output == "classes":
            on, part = next(iter(held_out.items()))
            answers = predict_rows(gan.model, name, text_rows(gan.model, name, corpora[on]))
            doubts = rejection(answers, trained.p_fake(part.vectors), part.labels)
            measures[name]["rejection"] = {"on": on, "rows": len(part.labels)} | doubts
            said += rejection_notes(measures[name]["rejection"])
        notes += [f"{name}: {note}" for note in said]
    return measures, notes


def judged_parts(parts: Parts, corpus: Corpus, *, seed: int) -> Parts:
    """Return the text of a task with its training rows, of which those looked at are labelled."""
    rows = chosen_rows(corpus.labels, seed=seed)
    split = replace(parts.split, labeled=rows[corpus.labels[rows] >= 0])
    return replace(parts, train=corpus, split=split)


def text_vectors(model: MultitaskModel, task: str, corpus: Corpus, *, precision: str) -> np.ndarray:
    """Return the vectors (N, D) that stand for the rows of a corpus in a task's game.

    Args:
        model: Trained.
        task: Whose rows they are.
        corpus: N rows.
        precision: ``encoder.precision`` of the run.
    """
    tokens, rows = text_rows(model, task, corpus), np.arange(len(corpus))
    autocast = as_embedded(model, precision)
    return row_vectors(model, task, tokens, rows, autocast=autocast).numpy()
