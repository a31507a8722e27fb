"""Fakes and real rows beside a trained encoder, as :mod:`acgan_bert.snapshots` on a frozen one.

The encoder moves real rows too, so each snapshot holds both, as they were at one time. Row m of
either is row m of what the finished generator is judged on. Where dev chose the weights, training
went on beyond them: the last snapshot is of those that were kept.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from acgan_bert.generator_judge import reference_for
from acgan_bert.joint import JointGAN
from acgan_bert.joint_models import task_models
from acgan_bert.joint_rows import as_embedded, row_vectors
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.snapshots import MOST_ROWS, snapshot_name, snapshot_steps
from acgan_bert.trainer import HeldOut, TrainingRows
from mtl.files import write_bytes
from mtl.predict import text_rows
from mtl.text.data import Corpus
from mtl.text.tokens import TokenizedCorpus


def series_beside(
    gan: JointGAN,
    parts: Mapping[str, Parts],
    folders: Mapping[str, Path],
    updates: int,
    every: int,
) -> Callable[[int], None]:
    """Return what is to be called with the number of each update after which there is a record.

    It keeps snapshots where there will be figures, see :class:`JointSnapshots`, and does nothing
    otherwise.
    """
    if not gan.recipe.report.figures:
        return lambda _: None
    return JointSnapshots(gan, parts, folders, updates=updates, every=every).look


class JointSnapshots:
    """Writes real rows and fakes of each task to files named by update, the first when it is made.

    A resumed run writes again what it passes again, the same bytes. Training does not notice it.

    Args:
        gan: What is trained, at its start.
        parts: The text of each task, as the finished generator is judged by it.
        folders: Where the files of each task go; made where they are missing.
        updates: How many there are.
        every: Updates from one evaluation to the next.
    """

    def __init__(
        self,
        gan: JointGAN,
        parts: Mapping[str, Parts],
        folders: Mapping[str, Path],
        *,
        updates: int,
        every: int,
    ) -> None:
        self._gan, self._folders = gan, dict(folders)
        self._steps = snapshot_steps(updates, every)
        self._labels: dict[str, np.ndarray] = {}
        self._tokens: dict[str, TokenizedCorpus] = {}
        for name, part in parts.items():
            self._labels[name], shown = judged_rows(part, gan.recipe)
            self._tokens[name] = text_rows(gan.model, name, shown)
        self.look(0)

    def look(self, step: int) -> None:
        """Write the snapshots of an update if it is time for them."""
        if step not in self._steps:
            return
        models = task_models(self._gan)
        for name, tokens in self._tokens.items():
            if not len(tokens):
                continue
            autocast = as_embedded(self._gan.model, self._gan.recipe.encoder.precision)
            rows = np.arange(len(tokens))
            real = row_vectors(self._gan.model, name, tokens, rows, autocast=autocast).numpy()
            fake = models[name].sample(self._labels[name], seed=self._gan.recipe.seed)
            _write(self._folders[name], step, fake=fake, labels=self._labels[name], real=real)


def judged_rows(parts: Parts, recipe: Recipe) -> tuple[np.ndarray, Corpus]:
    """Return the classes of the fakes that a finished generator is judged on, and real rows.

    The real rows, :data:`MOST_ROWS` at most, are the first of those that it is judged on.
    """
    labeled = parts.train.select(parts.split.labeled)
    corpora = parts.held_out() | {"train": labeled}
    # Rows are drawn whatever their vectors are: here they are their numbers.
    numbered = {
        name: HeldOut(np.arange(len(corpus))[:, np.newaxis], corpus.labels)
        for name, corpus in corpora.items()
    }
    known = numbered.pop("train")
    rows = TrainingRows(known.vectors, known.labels, parts.task.classes)
    reference = reference_for(rows, numbered, parts, recipe)
    return reference.labels, corpora[reference.on].select(reference.vectors[:MOST_ROWS, 0])


def end_series(folder: Path, judged: Path, step: int) -> None:
    """Let a series end with what the generator is judged on; what was written after that goes.

    Args:
        folder: Of the snapshots; where there is none, nothing is done.
        judged: Where vectors and labels of real rows and fakes have been written.
        step: The update whose weights were kept.
    """
    if not folder.is_dir():
        return
    real, fake = (load_file(judged / f"{kind}.safetensors") for kind in ("real", "fake"))
    _write(folder, step, fake=fake["vectors"], labels=fake["labels"], real=real["vectors"])
    for file in folder.glob(snapshot_name("*")):
        if file.name > snapshot_name(step):
            file.unlink()


def _write(
    folder: Path, step: int, *, fake: np.ndarray, labels: np.ndarray, real: np.ndarray
) -> None:
    tensors = {"vectors": fake[:MOST_ROWS], "labels": labels[:MOST_ROWS], "real": real[:MOST_ROWS]}
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / snapshot_name(step), save(tensors))
