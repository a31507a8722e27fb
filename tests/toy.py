"""Tiny data, recipes and games that unit tests train on in milliseconds."""

import numpy as np
import torch

from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.step import Batch, Game, Weights
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.networks import Shape, build_discriminator, build_generator
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply

TINY = {
    "generator.width": 8,
    "generator.noise_width": 4,
    "discriminator.width": 8,
    "discriminator.spectra": [0.5],
    "training.members": 1,
    "training.steps": 6,
    "training.batch_size": 8,
    "training.eval_every_steps": 2,
    "training.checkpoint_every_steps": 2,
    "semisupervised.warmup_steps": 2,
    "semisupervised.threshold": 0.5,
}


def tiny_recipe(**changes) -> Recipe:
    """Return a recipe of six steps; ``generator__depth=2`` changes ``generator.depth``."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return apply(Recipe(), {**TINY, **dotted})


def blobs(*, rows=20, classes=2, labeled=2, width=6, distance=2.0, seed=0):
    """Return unit Gaussians at ±distance by class: vectors, true classes, visible labels.

    Args:
        rows: Rows per class.
        classes: Number of classes.
        labeled: Labels per class that are visible; the rest are -1.
        width: Width of a vector.
        distance: Distance of a class mean from the origin.
        seed: Seed of the draw.
    """
    rng = np.random.default_rng(seed)
    means = distance * np.linalg.qr(rng.normal(size=(width, width)))[0][:classes]
    if classes == 2:
        means[1] = -means[0]
    truth = np.repeat(np.arange(classes), rows)
    vectors = (means[truth] + rng.normal(size=(len(truth), width))).astype(np.float32)
    labels = np.full(len(truth), -1)
    for c in range(classes):
        labels[c * rows : c * rows + labeled] = c
    return vectors, truth, labels


def toy_game(name, weights=Weights(), *, members=2, classes=(2, 3)) -> tuple[Game, Batch]:  # noqa: B008
    """Return a game of unlike members over tasks, and a batch whose first half is labelled."""
    rows, width, noise_width = 6, 5, 3
    recipes = [
        tiny_recipe(
            objective__name=name,
            generator__noise_width=noise_width,
            discriminator__dropout=0.0,
            discriminator__depth=1 + member,
            generator__depth=2 - member,
        )
        for member in range(members)
    ]
    shape, streams = Shape.of(recipes, width, classes), MemberStreams(range(members))
    real_EBD = torch.randn(members, rows, width)
    discriminator = build_discriminator(shape, streams)
    discriminator.gain_ED.copy_(torch.rand(members, width) + 0.5)
    game = Game(
        generator=build_generator(shape, streams),
        discriminator=discriminator,
        adversary=ADVERSARIES[name],
        weights=weights,
        classes=classes,
        ridge_ET=torch.full((members, len(classes)), 0.1),
    )
    labels_EBT = torch.stack(
        [(torch.arange(rows) % count).expand(members, -1) for count in classes], -1
    ).clone()
    labels_EBT[:, rows // 2 :] = -1
    guesses = [torch.softmax(torch.randn(members, rows, count), -1) for count in classes]
    known_B11 = (torch.arange(rows) < rows // 2).view(-1, 1)
    targets = tuple(
        torch.where(known_B11, one_hot_condition(labels_EBT[..., t : t + 1], [count]), guess)
        for t, (count, guess) in enumerate(zip(classes, guesses, strict=True))
    )
    fakes_EBT = torch.stack([torch.randint(count, (members, rows)) for count in classes], -1)
    return game, Batch(
        real_EBD=real_EBD,
        labels_EBT=labels_EBT,
        targets=targets,
        trust_EBT=(labels_EBT < 0).float(),
        view_noise_EXD=None,
        noise_EBZ=torch.randn(members, rows, noise_width),
        fake_labels_EBT=fakes_EBT,
        fake_condition_EBK=one_hot_condition(fakes_EBT, classes),
    )
