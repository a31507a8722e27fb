"""Two finished runs on toy data: one through the command line, one through ``run.train``."""

import contextlib
import csv
import io
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from acgan_bert import cli, run
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply

WORDS = {
    "positive": ["good", "great", "funny", "fine", "happy"],
    "negative": ["bad", "dull", "boring", "poor", "sad"],
}
OTHER = ["the", "a", "movie", "film", "plot", "story", "man", "woman", "it", "was", "is", "that"]


@dataclass(frozen=True)
class FinishedRun:
    """A run that ``acgan-bert train`` wrote, and what it was given."""

    path: Path
    data: Path
    encoder: Path
    flags: tuple[str, ...]
    printed: str


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, encoder_folder):
    """Train once in six steps. Do not write into its directory."""
    folder = tmp_path_factory.mktemp("finished")
    data = folder / "films.csv"
    rows = "".join(f"a {word} film {i},{word}\n" for i in range(40) for word in ("good", "bad"))
    data.write_text(f"text,label\n{rows}", encoding="utf-8")
    flags = (
        *("--data.train", str(data), "--data.test_fraction", "0.4"),
        *("--encoder.name", str(encoder_folder)),
        *("--training.steps", "6", "--training.members", "2", "--training.batch_size", "8"),
        *("--training.eval_every_steps", "3", "--training.checkpoint_every_steps", "3"),
        *("--discriminator.spectra", "[0.0, 0.5]"),
        *("--report.baselines", '["logistic_regression"]'),
    )
    out, printed = folder / "run", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        # This fixture is made before the one that keeps the user's cache out of the tests.
        patch.setenv("ACGAN_BERT_CACHE", str(folder / "cache"))
        assert cli.main(["train", *flags, "--out", str(out)]) == 0
    return FinishedRun(out, data, encoder_folder, flags, printed.getvalue())


@pytest.fixture(scope="session")
def sentences_csv(tmp_path_factory):
    """Path of 240 labelled sentences, whose words tell the class. Do not write to it."""
    source = random.Random(0)
    path = tmp_path_factory.mktemp("sentences") / "sentences.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "label"])
        for row in range(240):
            label = ("negative", "positive")[row % 2]
            words = source.choices(OTHER, k=5) + source.choices(WORDS[label], k=2)
            writer.writerow([" ".join(words), label])
    return path


@pytest.fixture(scope="session")
def small_recipe(sentences_csv, encoder_folder) -> Recipe:
    """Return a recipe of a second: those sentences, 40 steps, one baseline, no figures."""
    values = {
        "data.train": str(sentences_csv),
        "data.dev_fraction": 0.2,
        "data.test_fraction": 0.3,
        "data.label_fraction": 0.2,
        "encoder.name": str(encoder_folder),
        "generator.width": 16,
        "discriminator.width": 16,
        "discriminator.spectra": [0.0, 0.5],
        "training.members": 2,
        "training.steps": 40,
        "training.batch_size": 16,
        "training.eval_every_steps": 10,
        "training.checkpoint_every_steps": 20,
        "semisupervised.warmup_steps": 10,
        "report.baselines": ["logistic_regression"],
        "report.figures": False,
    }
    return apply(Recipe(), values)


@pytest.fixture(scope="session")
def small_run(small_recipe, tmp_path_factory):
    """Directory of that recipe's run, with figures. Do not write into it."""
    out = tmp_path_factory.mktemp("runs") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACGAN_BERT_CACHE", str(out.parent / "cache"))
        recipe = apply(small_recipe, {"report.figures": True})
        return run.train(recipe, out, command=("acgan-bert", "train"))
