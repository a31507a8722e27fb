"""The GAN beside a toy multitask BERT, on a few rows of which some are unlabelled."""

from dataclasses import replace

import numpy as np

from acgan_bert.joint import JointGAN
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import HEADS, LOOP, NAMES, build

LABELED = {"sentiment": 14, "paraphrase": 24, "similarity": 18}
"""Labelled rows of each task; the others of 40 have none."""
TINY = {
    "generator.width": 8,
    "generator.noise_width": 4,
    "generator.warm_start": False,
    "discriminator.width": 8,
    "discriminator.warm_start": False,
    "discriminator.spectra": [0.5],
    "training.members": 1,
    "training.discriminator_learning_rate": 1e-2,
    "training.generator_learning_rate": 1e-2,
    "semisupervised.warmup_steps": 0,
    "semisupervised.threshold": 0.3,
}
QUIET = {"discriminator.dropout": 0.0, "discriminator.input_noise": 0.0}
"""Nothing random but the fakes."""


def joint_recipe(**changes) -> Recipe:
    """Return a recipe; ``joint__encoder_ema=0.5`` changes ``joint.encoder_ema``."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return apply(Recipe(), TINY | dotted)


def parted(names=NAMES, heads=HEADS, unlabeled=5, dropout=False):
    """Return a toy model, and its rows with and without labels."""
    model, data = build(heads, dropout=dropout, names=names)
    for name, task in data.items():
        corpus = task.train.corpus
        corpus.labels[LABELED[name] :] = -1
        if corpus.scores is not None:
            corpus.scores[LABELED[name] :] = np.nan
        data[name] = replace(task, unlabeled_rows=unlabeled)
    return model, data


def joint_trainer(recipe=None, *, loop=None, **settings) -> MultitaskTrainer:
    """Return a trainer with the GAN beside it, at its start; ``loop`` changes the toy loop."""
    model, data = parted(**settings)
    gan = JointGAN(model, data, recipe or joint_recipe())
    changed = replace(LOOP, epochs=1, warmup_share=0.0, encoder_rate=1e-3, **(loop or {}))
    return MultitaskTrainer(model, data, changed, gan)


def round_of(trainer, task="sentiment"):
    """Return the losses of the first micro-batch of a task, by objective, with their graph."""
    trainer.model.train()
    trainer.companion.begin()
    return trainer.step.losses[task](trainer.parts(task)[0])
