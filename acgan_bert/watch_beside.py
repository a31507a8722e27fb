"""The early warning beside an encoder that is trained, as :mod:`acgan_bert.watch` on a frozen one.

Real rows move with the encoder, so they are put against each other anew at every evaluation; they
are those whose movement is recorded, embedded for that already. Classes have too few of them to be
looked at one by one.
Shapes: M fakes, N rows, T tasks, C classes, K condition, S score tasks.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.joint import JointGAN
from acgan_bert.joint_rows import bucket_scores
from acgan_bert.watch import WARNINGS, beyond_words, own_stream, own_torch_stream, worst
from analysis.metrics.gauge import LEAST_ROWS, Gauge

logger = logging.getLogger(__name__)

Record = Callable[[dict[str, Any]], None]


def watched(record: Record | None, gan: JointGAN | None) -> Record | None:
    """Return a record function that first adds what is seen of the fakes to every row."""
    if record is None or gan is None or not gan.recipe.watch.every_steps:
        return record
    watch = JointWatch(gan)

    def record_watched(row: dict[str, Any]) -> None:
        record(row | watch.look(int(row["step"])))

    return record_watched


class JointWatch:
    """Looks at the fakes of every task.

    Args:
        gan: What is trained; the rows whose movement it records are the real ones.
    """

    def __init__(self, gan: JointGAN) -> None:
        self.gan = gan
        self._said: set[str] = set()

    def look(self, step: int) -> dict[str, float]:
        """Measure the fakes, and say in the log what lies beyond its limit.

        Returns:
            ``collapse/NAME`` of the task that is worst, for each measure that has a value, and
            ``collapse/warnings``, how many tasks are beyond a limit; empty where no task has 30
            rows.
        """
        found, said = [], {}
        for task in self.gan.tasks:
            real_ND = self.gan.probe.latest[task].double().numpy()
            if len(real_ND) < 2 * LEAST_ROWS:
                continue
            gauge = Gauge(real_ND, len(real_ND) // 2, rng=own_stream(2))
            values = gauge.read(self._fakes(task, gauge.size), rng=own_stream(0))
            found.append(values)
            if words := beyond_words(gauge, values):
                said[task] = f"task {task}: {words}"
        if said.keys() - self._said:
            parts = "; ".join(said.values())
            logger.warning("update %d: the generator may be collapsing: %s", step, parts)
        self._said = set(said)
        return worst(found) | {WARNINGS: float(len(said))} if found else {}

    @torch.no_grad()
    def _fakes(self, task: str, rows: int) -> np.ndarray:
        """Draw fakes (M, D) of a task from the averaged generator, always of the same noise."""
        gan, rng = self.gan, own_stream(1)
        place, width = gan.places[task], gan.shape.noise_width
        labels = gan.probe.tokens[task].corpus.labels
        counts = np.bincount(labels[labels >= 0], minlength=gan.game.classes[place]) * 1.0
        if gan.recipe.semisupervised.fake_labels == "uniform" or not counts.any():
            counts[:] = 1.0
        asked_M = torch.from_numpy(rng.choice(len(counts), rows, p=counts / counts.sum()))
        labels_EMT = torch.full((1, rows, len(gan.tasks)), -1)
        labels_EMT[0, :, place] = asked_M
        condition_EMK = one_hot_condition(labels_EMT, gan.game.classes)
        if gan.scored:
            scores_EMS = torch.zeros(1, rows, len(gan.scored))
            if task in gan.scored:
                within_M = torch.from_numpy(rng.random(rows, dtype=np.float32))
                scores = bucket_scores(asked_M, within_M, gan.tasks[task])
                scores_EMS[0, :, gan.scored[task]] = scores
            condition_EMK = torch.cat([condition_EMK, scores_EMS], dim=-1)
        draw = torch.rand if gan.recipe.generator.noise == "uniform" else torch.randn
        noise_EMZ = draw((1, rows, width), generator=own_torch_stream(gan.recipe.seed))
        return self._generate(noise_EMZ, condition_EMK)

    def _generate(self, noise_EMZ: Tensor, condition_EMK: Tensor) -> np.ndarray:
        players = self.gan.players
        was_training = players.generator.training
        players.generator.eval()
        inputs = (noise_EMZ.to(players.device), condition_EMK.to(players.device))
        fakes_EMD: Tensor = functional_call(players.generator, players.averages[0], inputs)
        players.generator.train(was_training)
        return np.asarray(fakes_EMD[0].double().cpu())
