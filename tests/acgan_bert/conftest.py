"""A small file of labelled sentences, a recipe that trains on it in a second, and its run."""

import csv
import random

import pytest

from acgan_bert import run
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply

GOOD, BAD = "good great funny fine happy".split(), "bad dull boring poor sad".split()
OTHER = "the a movie film plot story man woman it was is that".split()


def sentence(source, label):
    """Write one sentence that means what its label says."""
    words = source.choices(OTHER, k=5) + source.choices(GOOD if label == "positive" else BAD, k=2)
    return " ".join(words)


@pytest.fixture(scope="session")
def sentences_csv(tmp_path_factory):
    """Path of 240 labelled sentences. Do not write to it."""
    source = random.Random(0)
    path = tmp_path_factory.mktemp("sentences") / "sentences.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "label"])
        for row in range(240):
            label = ("negative", "positive")[row % 2]
            writer.writerow([sentence(source, label), label])
    return path


@pytest.fixture(scope="session")
def small_recipe(sentences_csv, encoder_folder) -> Recipe:
    """Return a recipe of one second: toy encoder, 40 steps, one baseline, no figures."""
    return apply(
        Recipe(),
        {
            "data.train": str(sentences_csv),
            "data.dev_fraction": 0.2,
            "data.test_fraction": 0.3,
            "data.label_fraction": 0.2,
            "encoder.name": str(encoder_folder),
            "generator.width": 16,
            "discriminator.width": 16,
            "training.members": 2,
            "training.steps": 40,
            "training.batch_size": 16,
            "training.eval_every_steps": 10,
            "training.checkpoint_every_steps": 20,
            "semisupervised.warmup_steps": 10,
            "report.baselines": ["logistic_regression"],
            "report.figures": False,
        },
    )


@pytest.fixture(scope="session")
def finished_run(small_recipe, tmp_path_factory):
    """Directory of that recipe's run, with figures. Do not write into it."""
    out = tmp_path_factory.mktemp("runs") / "small"
    recipe = apply(small_recipe, {"report.figures": True})
    return run.train(recipe, out, command=("acgan-bert", "train"))
