"""Early warning of a generator that collapses, while it is trained.

At the start real rows are put against real rows, which gives the limits; then, now and again, fakes
of the averaged generators are put against the same rows. Every random number is of a stream of the
watch's own and the same at every look: training does not notice it, a resumed run sees what the
uninterrupted one sees, and what changes between two looks is the generator.
Shapes: E members, M fakes, N rows, D embedding, Z noise.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call

from acgan_bert.ensemble import Ensemble
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.players import Players
from acgan_bert.real_rows import RealRows
from acgan_bert.trainer import STOPPED, Watch
from analysis.metrics.gauge import HIGH, LEAST_ROWS, LOW, Gauge

logger = logging.getLogger(__name__)

PREFIX = "collapse/"
WARNINGS = f"{PREFIX}warnings"
"""Groups of fakes, all or one class of a member, that are beyond a limit."""
STREAM = 0x5EE
"""Keeps the watch's random streams apart from those of training."""
PARTINGS = 2
"""Ways to part the real rows that a look averages over; limits are of twenty."""
MOST_SAID = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Fakes that are looked at together, and the gauge that measures them."""

    member: int
    name: str
    rows: np.ndarray
    gauge: Gauge


class CollapseWatch:
    """Looks at the fakes of every member of an ensemble, as a ``watch`` of the trainer.

    All fakes of a member are held against rows of any class, and those of a class with 30 labelled
    rows against these.

    Args:
        classes: Names of the classes, for the warning.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._groups: list[_Group] | None = None
        self._labels_EM, self._noise_EMZ = np.zeros((0, 0), dtype=np.int64), torch.zeros(0)
        self._said: set[tuple[int, str]] = set()

    def __call__(self, ensemble: Ensemble) -> dict[str, float]:
        """Calibrate at the first call; then look where it is time to."""
        watch = ensemble.recipe.watch
        if not watch.every_steps:
            return {}
        if self._groups is None:
            self._groups = self._calibrate(ensemble)
            return {}
        if not _due(ensemble):
            return {}
        found = self.look(ensemble)
        return found | ({STOPPED: 1.0} if watch.stop and found[WARNINGS] else {})

    def look(self, ensemble: Ensemble) -> dict[str, float]:
        """Measure the fakes, and say in the log what lies beyond its limit.

        Returns:
            ``collapse/NAME`` of all fakes, of the member that is worst, for each measure that has
            a value; and ``collapse/warnings``, how many groups of fakes are beyond a limit.
        """
        fakes_EMD = self._fakes(ensemble.players)
        found, said = {}, {}
        for group in self._groups or ():
            fakes = fakes_EMD[group.member, group.rows]
            values = group.gauge.read(fakes, rng=own_stream(0), partings=PARTINGS)
            if not group.name:
                found[group.member] = values
            if words := beyond_words(group.gauge, values):
                said[group.member, group.name] = words
        self._warn(ensemble.step_number, said)
        return worst(list(found.values())) | {WARNINGS: float(len(said))}

    def _warn(self, step: int, said: Mapping[tuple[int, str], str]) -> None:
        """Tell the log of groups that were not in the last warning."""
        if said.keys() - self._said:
            parts = [
                f"member {member}{f', class {name}' if name else ''}: {text}"
                for (member, name), text in said.items()
            ]
            more = f"; and {len(parts) - MOST_SAID} more" if len(parts) > MOST_SAID else ""
            logger.warning(
                "step %d: the generator may be collapsing: %s%s",
                step,
                "; ".join(parts[:MOST_SAID]),
                more,
            )
        self._said = set(said)

    def _calibrate(self, ensemble: Ensemble) -> list[_Group]:
        """Draw noise and classes of the fakes, and put real rows against real rows."""
        rows, width = ensemble.recipe.watch.rows, ensemble.shape.noise_width
        draw = torch.rand if ensemble.recipe.generator.noise == "uniform" else torch.randn
        streams = [own_torch_stream(member.stream) for member in ensemble.members]
        self._noise_EMZ = torch.stack([draw((rows, width), generator=own) for own in streams])
        uniform = ensemble.recipe.semisupervised.fake_labels == "uniform"
        labels_EN = ensemble.labels_EN.cpu().numpy()
        shares = [_shares(own, len(self.classes), uniform=uniform) for own in labels_EN]
        asked = [own_stream(1).choice(len(of), rows, p=of) for of in shares]
        self._labels_EM = np.stack(asked)
        gauges: dict[tuple[bytes, int], Gauge | None] = {}
        groups = []
        for member, labels in enumerate(labels_EN):
            for label in range(-1, len(self.classes)):
                key = (b"" if label < 0 else labels.tobytes(), label)
                mine = np.flatnonzero((asked[member] == label) | (label < 0))
                if key not in gauges:  # members with the same labels share their gauges
                    of_class = np.flatnonzero((labels == label) | (label < 0))
                    gauges[key] = _gauge(ensemble.real, of_class, len(mine))
                if (gauge := gauges[key]) is not None:
                    name = "" if label < 0 else self.classes[label]
                    groups.append(_Group(member, name, mine, gauge))
        return groups

    @torch.no_grad()
    def _fakes(self, players: Players) -> np.ndarray:
        """Draw fakes (E, M, D) from the averaged generators; the noise is always the same."""
        labels_EM1 = torch.from_numpy(self._labels_EM).unsqueeze(-1)
        condition_EMK = one_hot_condition(labels_EM1, (len(self.classes),))
        was_training = players.generator.training
        players.generator.eval()
        inputs = (self._noise_EMZ.to(players.device), condition_EMK.to(players.device))
        fakes_EMD = functional_call(players.generator, players.averages[0], inputs)
        players.generator.train(was_training)
        return np.asarray(fakes_EMD.double().cpu())


def together(*watches: Watch | None) -> Watch:
    """Return one watch that asks several in turn; None among them is passed over."""
    asked = [watch for watch in watches if watch is not None]

    def watch(ensemble: Ensemble) -> dict[str, float]:
        return {key: value for each in asked for key, value in each(ensemble).items()}

    return watch


def _due(ensemble: Ensemble) -> bool:
    """Say whether this evaluation is the first one since it was time to look, or the last."""
    step, training = ensemble.step_number, ensemble.recipe.training
    every, evaluations = ensemble.recipe.watch.every_steps, training.eval_every_steps
    before = (step - 1) // evaluations * evaluations
    return step == training.steps or step // every > before // every


def _shares(labels: np.ndarray, classes: int, *, uniform: bool) -> np.ndarray:
    """Return the shares of the classes among fakes, (C,), as training draws them."""
    if uniform:
        return np.full(classes, 1.0 / classes)
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    return np.asarray(counts / counts.sum())


def _gauge(real: RealRows, rows: np.ndarray, fakes: int) -> Gauge | None:
    """Return a gauge over twice as many real rows; None where there are too few of either."""
    if len(rows) < 2 * LEAST_ROWS or fakes < LEAST_ROWS:
        return None
    rng = own_stream(2)
    chosen = torch.from_numpy(rows[rng.permutation(len(rows))[: 2 * fakes]])
    return Gauge(real[chosen].double().cpu().numpy(), fakes, rng=rng)


def beyond_words(gauge: Gauge, values: Mapping[str, float]) -> str:
    """Say which measures lie beyond their limits, and by how much; '' where none does."""
    return ", ".join(
        f"{name} {values[name]:.2f} (limit {gauge.limits[name]:.2f})"
        for name in gauge.beyond(values)
    )


def worst(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the worst value of each measure over members; what has none is left out."""
    ends = dict.fromkeys(LOW, min) | dict.fromkeys(HIGH, max)
    worst = {name: end([of[name] for of in found]) for name, end in ends.items() if found}
    return {f"{PREFIX}{name}": value for name, value in worst.items() if np.isfinite(value)}


def own_stream(number: int) -> np.random.Generator:
    """Return one of the watch's own streams, the same at every call."""
    return np.random.default_rng((STREAM, number))


def own_torch_stream(seed: int) -> torch.Generator:
    """Return a stream of the member's own that is not the one it trains by."""
    return torch.Generator().manual_seed(int(np.random.default_rng((STREAM, seed)).integers(2**62)))
