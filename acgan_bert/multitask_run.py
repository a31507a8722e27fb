"""A run of the multitask BERT: a contrastive stage where asked for, training, scores of all tasks.

Rows whose labels were not drawn take part in the contrastive stage, and in the game of the GAN
where the recipe has one beside.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch

from acgan_bert.encoding import open_encoder
from acgan_bert.joint import JointGAN
from acgan_bert.joint_run import finish_players, judged_parts, unlabeled_rows
from acgan_bert.multitask_settings import (
    contrastive_settings,
    head_settings,
    loop_settings,
    model_settings,
    read_task,
    task_data,
    task_recipes,
)
from acgan_bert.parts import Parts
from acgan_bert.progress import Stages
from acgan_bert.recipe import Recipe
from acgan_bert.rundir import (
    CHECKPOINT,
    CONFLICTS,
    CONTRASTIVE,
    EMBEDDINGS,
    METRICS,
    MODEL,
    RESULT,
    SERIES,
    MetricsLog,
    StepLog,
)
from acgan_bert.scores import calibration_note
from acgan_bert.snapshots_beside import end_series, series_beside
from acgan_bert.trackers import Tracker
from acgan_bert.watch_beside import watched
from mtl.bert.encoder import TextEncoder
from mtl.bert.model import MultitaskModel, pair_input, parameter_counts
from mtl.evaluate import calibrate, evaluate
from mtl.files import write_json
from mtl.loop import Outcome, train_multitask
from mtl.pretraining import pretrain
from mtl.processes import is_main
from mtl.scores import overall_scores
from mtl.settings import TaskData
from mtl.surgery import make_surgery
from mtl.text.data import Corpus
from mtl.text.tokens import TokenizedCorpus
from mtl.trainer import MultitaskTrainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class MultitaskJob:
    """What a run of the multitask BERT works on."""

    recipe: Recipe
    parts: Mapping[str, Parts]
    encoder: TextEncoder

    @classmethod
    def read(cls, recipe: Recipe) -> Self:
        """Read and check the data of every task and open the encoder.

        Raises:
            InputError: Something is wrong with one of them.
        """
        tasks = task_recipes(recipe).items()
        parts = {name: read_task(name, task, seed=recipe.seed) for name, task in tasks}
        return cls(recipe, parts, open_encoder(recipe.encoder))

    @property
    def hashes(self) -> Mapping[str, Mapping[str, str]]:
        """Source and SHA-256 of each part of the data, such as ``sentiment.train``."""
        return {
            f"{name}.{part}": entry
            for name, parts in self.parts.items()
            for part, entry in parts.hashes.items()
        }

    def split_json(self) -> dict[str, Any]:
        """Give the ids of the rows of each part, by task."""
        return {name: parts.split_json() for name, parts in self.parts.items()}

    def work(self, out: Path, stages: Stages, tracker: Tracker | None) -> None:
        """Do everything that follows reading, but for the pictures; the result is written last."""
        notes = [note for parts in self.parts.values() for note in parts.notes]
        for note in notes:
            logger.info("%s", note)
        model, data = self._build(), self._data(unlabeled=self._beside() > 0)
        evaluations = self._check(model, data)
        self._pretrain(model, out, stages)
        gan = JointGAN(model, data, self.recipe) if self.recipe.gan else None
        look = self._series(gan, data, out, evaluations)
        outcome = self._train(_Training(model, data, gan, look), out, stages, tracker)
        if not is_main():
            return
        with stages("calibrate"):
            calibrated = _calibrated(model, data)
        model.save_pretrained(out / MODEL)
        result: dict[str, Any] = {
            "name": out.name,
            "tasks": {name: parts.task.to_json() for name, parts in self.parts.items()},
        }
        with stages("score"):
            result["test"] = _with_overall(self._scores(model, "test"))
        result["dev"] = _with_overall(outcome.scores | calibrated)
        result["temperature"] = dict(model.temperatures)
        result["best_update"] = outcome.best_update
        result["parameters"] = parameter_counts(model)
        result["labels"] = {name: parts.split.counts() for name, parts in self.parts.items()}
        notes += self._calibration_notes(model)
        if gan is not None:
            with stages("measure"):
                finished = finish_players(gan, data, self.parts, out=out)
            for name in data:
                end_series(out / SERIES / name, out / EMBEDDINGS / name, outcome.best_update)
            result["generator"], said = finished
            notes += said
        write_json(out / RESULT, result | {"seconds": stages.seconds, "notes": notes})

    def _check(self, model: MultitaskModel, data: Mapping[str, TaskData]) -> tuple[int, int]:
        """Refuse now what training would refuse only after the stage ahead, or the GAN's start.

        Returns:
            The updates that there will be, and those from one evaluation to the next.
        """
        loop = loop_settings(self.recipe)
        if self.recipe.gan:  # its losses are merged along, and there are several in any turn
            make_surgery(loop.surgery, tasks=2 * len(data) + 1, seed=loop.seed)
            loop = replace(loop, surgery="sum")
        trainer = MultitaskTrainer(model, data, loop)
        return trainer.updates, loop.evaluate_every or trainer.schedule.turns_per_epoch

    def _series(
        self,
        gan: JointGAN | None,
        data: Mapping[str, TaskData],
        out: Path,
        evaluations: tuple[int, int],
    ) -> Callable[[int], None]:
        """Keep real rows and fakes of each task as both move, where they will be drawn."""
        if gan is None or not is_main():
            return lambda _: None
        parts = {
            name: judged_parts(self.parts[name], task.train.corpus, seed=self.recipe.seed)
            for name, task in data.items()
        }
        folders = {name: out / SERIES / name for name in data}
        return series_beside(gan, parts, folders, *evaluations)

    def _calibration_notes(self, model: MultitaskModel) -> list[str]:
        """Say of each class task whether its probabilities were calibrated."""
        notes = []
        for name, temperature in model.temperatures.items():
            parts = self.parts[name]
            dev_rows, tested = 0 if parts.dev is None else len(parts.dev), parts.test is not None
            note = calibration_note(temperature, dev_rows=dev_rows, tested=tested)
            notes.append(f"{name}: {note}")
        return notes

    def _build(self) -> MultitaskModel:
        """Build the model; its first weights follow from the seed."""
        tasks = task_recipes(self.recipe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            return MultitaskModel(
                self.encoder,
                {name: parts.task for name, parts in self.parts.items()},
                {name: head_settings(task) for name, task in tasks.items()},
                model_settings(self.recipe),
            )

    def _data(self, *, unlabeled: bool) -> dict[str, TaskData]:
        """Tokenize the training rows of every task, and its dev rows."""
        data = {}
        for name, task in task_recipes(self.recipe).items():
            parts = self.parts[name]
            rows = parts.rows() if unlabeled else parts.split.labeled
            dev = None if parts.dev is None else self._tokens(name, parts.dev)
            train = self._tokens(name, parts.hidden().select(rows))
            data[name] = replace(task_data(task, train, dev), unlabeled_rows=self._beside())
        return data

    def _beside(self) -> int:
        """Return the rows without a label in each batch: those of the GAN."""
        return unlabeled_rows(self.recipe) if self.recipe.gan else 0

    def _tokens(self, name: str, corpus: Corpus) -> TokenizedCorpus:
        head = head_settings(task_recipes(self.recipe)[name])
        encoder = self.encoder
        return TokenizedCorpus(
            corpus, encoder.tokenizer, pair_input=pair_input(head), max_length=encoder.max_length
        )

    def _pretrain(self, model: MultitaskModel, out: Path, stages: Stages) -> None:
        settings = contrastive_settings(self.recipe)
        if settings.kind == "none":
            return
        record = MetricsLog(out / CONTRASTIVE)
        with stages("pretrain") as advance:
            pretrain(
                model,
                self._data(unlabeled=True),
                settings,
                record=record,
                checkpoint=out / CHECKPOINT / "contrastive",
                progress=advance,
            )
        stages.seconds["pretrain"] = round(record.seconds(), 3)

    def _train(
        self, training: "_Training", out: Path, stages: Stages, tracker: Tracker | None
    ) -> Outcome:
        """Train, from the checkpoint where there is one."""
        metrics, conflicts = MetricsLog(out / METRICS, tracker=tracker), StepLog(out / CONFLICTS)

        def record(row: dict[str, Any]) -> None:
            conflicts.append(row["step"], row.pop("conflicts"))
            metrics(row)
            training.look(row["step"])

        with stages("train") as advance:
            outcome = train_multitask(
                training.model,
                training.data,
                loop_settings(self.recipe),
                record=watched(record, training.gan),
                checkpoint=out / CHECKPOINT / "training",
                progress=advance,
                companion=training.gan,
            )
        stages.seconds["train"] = round(metrics.seconds(), 3)
        return outcome

    def _scores(self, model: MultitaskModel, part: str) -> dict[str, dict[str, Any]]:
        """Score a held-out part of every task that has it."""
        corpora = {name: parts.held_out().get(part) for name, parts in self.parts.items()}
        return {
            name: evaluate(model, name, self._tokens(name, corpus))
            for name, corpus in corpora.items()
            if corpus is not None
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """What is trained, and on what."""

    model: MultitaskModel
    data: Mapping[str, TaskData]
    gan: JointGAN | None
    look: Callable[[int], None]
    """Called with the number of each update after which there is a record."""


def _calibrated(model: MultitaskModel, data: Mapping[str, TaskData]) -> dict[str, dict[str, Any]]:
    """Fit the temperature of each class task that has dev rows; returns their scores under it."""
    return {
        name: calibrate(model, name, task.dev)
        for name, task in data.items()
        if name in model.temperatures and task.dev is not None
    }


def _with_overall(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {**scores, "overall": overall_scores(scores)} if scores else {}
