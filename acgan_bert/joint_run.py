"""What a run does of the GAN beside the multitask BERT once training has ended: save, measure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acgan_bert.generator_judge import judge_generator
from acgan_bert.joint import JointGAN
from acgan_bert.joint_models import task_models
from acgan_bert.joint_rows import chosen_rows, row_vectors
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.rundir import EMBEDDINGS, MODEL
from acgan_bert.trainer import HeldOut, TrainingRows
from mtl.bert.model import MultitaskModel, pair_input
from mtl.settings import TaskData
from mtl.text.data import Corpus
from mtl.text.tokens import TokenizedCorpus

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
        The measures by task, as of a run of the GAN alone, and notes.
    """
    measures, notes = {}, []
    for name, trained in task_models(gan).items():
        trained.save_pretrained(out / MODEL / PLAYERS / name)
        task, kind = data[name].train, gan.tasks[name]
        rows = chosen_rows(task.corpus.labels, seed=gan.recipe.seed)
        vectors = row_vectors(gan.model, name, task, rows).numpy()
        held_out = {
            part: HeldOut(text_vectors(gan.model, name, corpus), corpus.labels)
            for part, corpus in parts[name].held_out().items()
        }
        labels = task.corpus.labels[rows]
        split = replace(parts[name].split, labeled=rows[labels >= 0])
        measures[name], said = judge_generator(
            trained,
            TrainingRows(vectors, labels, kind.classes),
            held_out=held_out,
            parts=replace(parts[name], train=task.corpus, split=split),  # the rows looked at
            folder=out / EMBEDDINGS / name,
            recipe=gan.recipe,
        )
        notes += [f"{name}: {note}" for note in said]
    return measures, notes


def text_vectors(model: MultitaskModel, task: str, corpus: Corpus) -> np.ndarray:
    """Return the vectors (N, D) that stand for the rows of a corpus in a task's game."""
    encoder, head = model.encoder, model.head_settings[task]
    tokens = TokenizedCorpus(
        corpus, encoder.tokenizer, pair_input=pair_input(head), max_length=encoder.max_length
    )
    return row_vectors(model, task, tokens, np.arange(len(corpus))).numpy()
