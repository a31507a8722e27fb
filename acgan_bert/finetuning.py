"""AC-GAN-BERT on one task with the encoder trained along: text in, a trained GAN out.

The discriminator's class head is the classifier, as in GAN-BERT; the multitask BERT around it has
the encoder, and no head. Once trained, embeddings of the moved encoder are to the GAN what those of
a frozen one are to a GAN that was trained on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from acgan_bert.joint import JointGAN
from acgan_bert.joint_models import task_models
from acgan_bert.model import GANModel
from acgan_bert.multitask_settings import (
    head_settings,
    loop_settings,
    model_settings,
    read_task,
    task_data,
)
from acgan_bert.recipe import Recipe, TaskRecipe
from acgan_bert.recipe_io import load_recipe
from acgan_bert.row_checks import check_text_rows
from acgan_bert.watch_beside import watched
from mtl.bert.adapters import merge_experts
from mtl.bert.encoder import TextEncoder
from mtl.bert.heads import HeadSettings
from mtl.bert.model import MultitaskModel
from mtl.choices import suggestion
from mtl.errors import InputError
from mtl.loop import train_multitask
from mtl.predict import text_rows
from mtl.record import Record
from mtl.settings import LoopSettings, TaskData
from mtl.text.data import Corpus

TASK_NAMES = ("sentiment", "paraphrase", "similarity")


def finetune(
    recipe: Recipe,
    rows: Corpus,
    encoder: TextEncoder,
    *,
    dev: Corpus | None = None,
    others: Mapping[str, TaskRecipe] | None = None,
    recorder: Callable[[JointGAN], Record] | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[GANModel, int]:
    """Train an encoder and a GAN on its vectors.

    Args:
        recipe: Of the run; its ``training`` says for how long, its ``multitask`` at which rates the
            encoder moves.
        rows: The rows of the task; -1 where a label is not to be seen.
        encoder: Trained in place; adapters are merged into its weights in the end.
        dev: Rows that are scored in training.
        others: Tasks that are trained along, by name, each with a head of its own.
        recorder: Is given the game at its start; what it returns is called with a flat mapping at
            each evaluation.
        checkpoint: Directory of checkpoints; where it holds one, training goes on from it.
        progress: Called with (updates done, updates in all).

    Returns:
        The trained GAN, its weights being the moving averages; and the update that they are of:
        the best on dev, where there are dev rows.

    Raises:
        InputError: The rows cannot be trained on in this way.
        DivergenceError: A gradient or a loss was not finite.
    """
    task, labels = rows.task, rows.labels
    check_text_rows(recipe, rows)
    other = dict(others or {})
    parts = {name: read_task(name, section, seed=recipe.seed) for name, section in other.items()}
    tasks = {task.name: task} | {name: part.task for name, part in parts.items()}
    heads = {task.name: HeadSettings(kind="none", pair="cross")}
    heads |= {name: head_settings(section) for name, section in other.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = MultitaskModel(encoder, tasks, heads, model_settings(recipe))
    loop, beside = _loop(recipe, any_unlabeled=bool((labels < 0).any()))

    if not beside:  # batches would be drawn from all rows alike
        rows = rows.select(labels >= 0)
    scored = None if dev is None else text_rows(model, task.name, dev)
    data = {task.name: TaskData(train=text_rows(model, task.name, rows), dev=scored)}
    for name, part in parts.items():
        used = part.hidden().select(part.rows() if beside else part.split.labeled)
        data[name] = task_data(other[name], text_rows(model, name, used), None)
    data = {name: replace(each, unlabeled_rows=beside) for name, each in data.items()}
    gan = JointGAN(model, data, recipe)
    outcome = train_multitask(
        model,
        data,
        loop,
        record=watched(recorder and recorder(gan), gan),
        checkpoint=checkpoint,
        progress=progress,
        companion=gan,
    )
    if recipe.encoder.mode == "lora":
        merge_experts(encoder)
    encoder.eval().requires_grad_(False)
    return task_models(gan)[task.name], outcome.best_update


def _loop(recipe: Recipe, *, any_unlabeled: bool) -> tuple[LoopSettings, int]:
    """Return the loop, and the rows without a label in each batch."""
    training = recipe.training
    share = recipe.semisupervised.labeled_share if any_unlabeled else 1.0
    labeled = min(training.batch_size, max(1, round(share * training.batch_size)))
    loop = replace(
        loop_settings(recipe),
        epochs=1,
        updates_per_epoch=training.steps,
        batch_size=labeled,
        evaluate_every=training.eval_every_steps,
        checkpoint_every=training.checkpoint_every_steps,
    )
    return loop, training.batch_size - labeled


def task_sections(sources: Mapping[str, str] | None) -> dict[str, TaskRecipe]:
    """Return the sections of tasks that are named by their sources, with the heads of mtl-best.

    Raises:
        InputError: There is no such task.
    """
    best = load_recipe("mtl-best").tasks
    found = {}
    for name, source in (sources or {}).items():
        if name not in TASK_NAMES:
            raise InputError(
                f"tasks: no task {name!r}; {suggestion(name, TASK_NAMES)}there are "
                f"{', '.join(TASK_NAMES)}"
            )
        found[name] = replace(getattr(best, name), train=source)
    return found
