"""SetFit (Tunstall et al. 2022) as a baseline: its own package, on the same rows and encoder.

The settings are those of the paper (section 4): 20 iterations of pairs, one epoch, batches of 16
pairs, body learning rate 2e-5, logistic regression on top. The package's own default, every pair of
labelled rows, grows with the square of their number.
"""

import importlib.util
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from acgan_bert.recipe import Recipe
from mtl.bert.encoder import TextEncoder
from mtl.bert.sources import OFFLINE, packaged_folder, quiet_transformers
from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task

SETFIT = "setfit"
ITERATIONS = 20


def check_setfit(task: Task) -> None:
    """Check that the package is there and can do a task.

    Raises:
        InputError: It is not installed, or rows are pairs.
    """
    if task.arity != 1:
        raise InputError(
            "report.baselines: setfit reads single texts, here are pairs; leave it out"
        )
    if importlib.util.find_spec(SETFIT) is None:
        raise InputError(
            "report.baselines: setfit is not installed; run pip install -c constraints.txt -e "
            '".[setfit]", or leave it out'
        )


def setfit_probabilities(
    rows: Corpus, asked: Corpus, encoder: TextEncoder, recipe: Recipe
) -> np.ndarray:
    """Train SetFit and let it judge.

    Args:
        rows: The labelled rows.
        asked: N rows to judge.
        encoder: Its name says which files to begin with.
        recipe: Of the run, for its seed.

    Returns:
        Class probabilities (N, C).
    """
    # Imported here: the package is optional, and takes seconds to import.
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel, Trainer, TrainingArguments
    from setfit import logging as setfit_logging

    setfit_logging.set_verbosity_error()
    folder = str(packaged_folder()) if encoder.name == OFFLINE else encoder.name
    with _kept_quiet(encoder.device), TemporaryDirectory() as temporary:
        # SetFitModel.from_pretrained would unpickle a head that lies in the folder.
        body = SentenceTransformer(folder, device=str(encoder.device), trust_remote_code=False)
        body.max_seq_length = encoder.max_length
        model = SetFitModel(body, LogisticRegression())
        arguments = TrainingArguments(
            output_dir=temporary,
            num_iterations=ITERATIONS,
            seed=recipe.seed,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            show_progress_bar=False,
        )
        pairs = Dataset.from_dict({"text": list(rows.texts), "label": rows.labels.tolist()})
        trainer = Trainer(model=model, args=arguments, train_dataset=pairs)
        _silence(trainer)
        trainer.train()
        judged = model.predict_proba(list(asked.texts), as_numpy=True)
    spread = np.zeros((len(asked), asked.task.num_classes))
    spread[:, model.model_head.classes_] = judged
    return spread


@contextmanager
def _kept_quiet(device: torch.device) -> Iterator[None]:
    """Let SetFit neither print nor warn, nor leave its seed in global random numbers."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown, state = not are_progress_bars_disabled(), random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 (SetFit seeds the old one)
    disable_progress_bars()
    try:
        with (
            quiet_transformers(),
            warnings.catch_warnings(),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if shown:
            enable_progress_bars()


def _silence(trainer: Any) -> None:  # noqa: ANN401 - SetFit has no types
    """Take away the callbacks that draw bars and print."""
    from transformers import PrinterCallback, ProgressCallback

    for callback in (PrinterCallback, ProgressCallback):
        trainer.st_trainer.remove_callback(callback)
