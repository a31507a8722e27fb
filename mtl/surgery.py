"""Gradient surgery as a map from inner products to weights: Gram matrix (T, T) -> weights (T,).

What PCGrad and GradVac return is always Σ wᵢ gᵢ, and w depends on the inner products alone: so
the algorithms run on a T x T matrix in float64, and the gradients are read once and written once.
Sources: Yu et al. 2020 (PCGrad), algorithm 1; Wang et al. 2020 (GradVac), algorithm 1.
Shapes: ``T`` tasks, ``P`` parameters, ``G`` groups of parameters.
"""

import importlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mtl.choices import suggestion
from mtl.conflicts import Gradients, aggregate_jacobian, combine, group_grams
from mtl.errors import InputError

SURGERIES = ("sum", "pcgrad", "gradvac")
"""Surgeries by name; ``torchjd:NAME`` is any aggregator of TorchJD that keeps no state."""

_TORCHJD = "torchjd:"
# What TorchJD asks for without a default: the values of the papers' own experiments.
_TORCHJD_SETTINGS: dict[str, dict[str, float]] = {
    "CAGrad": {"c": 0.4},
    "FairGrad": {"alpha": 1.0},
    "Krum": {"n_byzantine": 0},
    "TrimmedMean": {"trim_number": 1},
}
_PARALLEL = 1e-12  # 1 - |cosine| below which two gradients lie on one line, but for rounding
_MOST_ALIGNED = 0.999  # a correction lengthens a gradient at most 1 / √(1 - 0.999²) = 22 times


def pcgrad_weights(gram_TT: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return w with Σᵢ gᵢᴾᶜ = Σᵢ wᵢ gᵢ (Yu et al. 2020, algorithm 1).

    Each task visits the *other* tasks, never itself, in a fresh random order, and is projected
    against their *original* gradients where the inner product is negative; then all are summed.
    A task whose ‖g‖² is zero or not finite is neither projected nor projected against.

    Args:
        gram_TT: Inner products gᵢ · gⱼ.
        generator: Draws the orders.

    Returns:
        weights_T in float64.

    Example:
        >>> gram_TT = torch.tensor([[1.0, -0.5], [-0.5, 1.0]])
        >>> pcgrad_weights(gram_TT, generator=torch.Generator())
        tensor([1.5000, 1.5000], dtype=torch.float64)
    """
    gram_TT = _usable(gram_TT)
    weights_TT = torch.eye(len(gram_TT), dtype=torch.float64)  # row i: gᵢᴾᶜ in terms of all g
    for i, weights_T in enumerate(weights_TT):
        for j in _others(i, len(gram_TT), generator):
            product = weights_T @ gram_TT[j]
            if product < 0:
                weights_T[j] -= product / gram_TT[j, j]
    return weights_TT.sum(dim=0)


def gradvac_weights(
    gram_TT: Tensor, targets_TT: Tensor, *, generator: torch.Generator, beta: float = 1e-2
) -> tuple[Tensor, Tensor]:
    """Return GradVac's weights and the moved targets (Wang et al. 2020, algorithm 1).

    With φ = cos(gᵢ′, gⱼ), gᵢ′ being gᵢ as changed so far and gⱼ the original: where φ < φ̂,
    gᵢ′ += ‖gᵢ′‖ (φ̂ √(1-φ²) - φ √(1-φ̂²)) / (‖gⱼ‖ √(1-φ̂²)) · gⱼ, which makes the cosine φ̂.

    Decided where the paper is silent: φ̂ ← (1-β) φ̂ + β φ takes the φ observed *before* the
    correction, corrected or not, and nothing where either gradient is zero or not finite. The
    formula uses φ̂ clamped to ±0.999, since it diverges at 1; the average itself is not clamped.
    A φ within 1e-12 of ±1 counts as ±1, so that opposite gradients leave zero and not noise.

    Args:
        gram_TT: Inner products gᵢ · gⱼ.
        targets_TT: φ̂ of task i (row) toward task j; zeros at the start.
        generator: Draws the orders.
        beta: Pace of the targets.

    Returns:
        weights_T and the new targets_TT, in float64.
    """
    gram_TT = _usable(gram_TT)
    moved_TT = targets_TT.to("cpu", torch.float64, copy=True)
    weights_TT = torch.eye(len(gram_TT), dtype=torch.float64)
    norms = gram_TT.diagonal().sqrt().tolist()
    for i, weights_T in enumerate(weights_TT):
        length = norms[i]  # ‖gᵢ′‖
        for j in _others(i, len(gram_TT), generator):
            if length == 0 or norms[j] == 0:
                continue
            cosine = _on_a_line(float(weights_T @ gram_TT[j]) / length / norms[j])
            target = min(max(float(moved_TT[i, j]), -_MOST_ALIGNED), _MOST_ALIGNED)
            moved_TT[i, j] += beta * (cosine - moved_TT[i, j])
            if cosine < target:
                sine, target_sine = math.sqrt(1 - cosine**2), math.sqrt(1 - target**2)
                pull = target * sine / target_sine - cosine
                weights_T[j] += length / norms[j] * pull
                length *= sine / target_sine
    return weights_TT.sum(dim=0), moved_TT


class Surgery:
    """A rule for weights, with its random stream and what it remembers between steps.

    Args:
        rule: Takes Gram matrices (G, T, T) to weights (G, T).
        generator: What the rule draws from.
        memory: Tensors that the rule changes in place.
        aggregate: Where there is no rule, since no weights express the method: takes the whole
            Jacobian, a row a task, to the update.
    """

    def __init__(
        self,
        rule: Callable[[Tensor], Tensor] | None,
        generator: torch.Generator,
        memory: dict[str, Tensor] | None = None,
        aggregate: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._rule, self._generator = rule, generator
        self._memory, self._aggregate = memory or {}, aggregate

    def weights(self, gram: Tensor) -> Tensor:
        """Return weights (T,) for a Gram matrix (T, T), or (G, T) for one a group (G, T, T)."""
        if self._rule is None:
            raise TypeError("no weights express this surgery; call merge")
        return self._rule(gram.reshape(-1, *gram.shape[-2:])).reshape(gram.shape[:-1])

    def merge(
        self, gradients: Gradients, groups: Sequence[int] | None = None
    ) -> tuple[list[Tensor | None], Tensor]:
        """Return the update, as :func:`combine` does, and gram_GTT for the record of conflicts."""
        gram_GTT = group_grams(gradients, groups)
        if self._aggregate is not None:  # a task absent from the turn has no row in the Jacobian
            present = [task for task in gradients if any(g is not None for g in task)]
            return aggregate_jacobian(present, self._aggregate), gram_GTT
        return combine(gradients, self.weights(gram_GTT), groups), gram_GTT

    def state(self) -> dict[str, Tensor]:
        """Return the place of the random stream and the memory, for a checkpoint."""
        memory = {key: value.clone() for key, value in self._memory.items()}
        return {"generator": self._generator.get_state(), **memory}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on, bit for bit, from a state that :meth:`state` returned."""
        self._generator.set_state(state["generator"].clone())
        for key, value in self._memory.items():
            value.copy_(state[key].view_as(value))  # never broadcast


def make_surgery(
    name: str,
    *,
    tasks: int,
    seed: int,
    groups: int = 1,
    turn: int = 0,
    beta: float = 1e-2,
) -> Surgery:
    """Make a surgery by its name.

    Args:
        name: One of ``SURGERIES``, or ``torchjd:NAME``.
        tasks: How many tasks, T. In a turn that lacks some, their gradients are all None.
        seed: Starts the surgery's own random stream; the same on every process.
        groups: How many groups of parameters; GradVac alone treats them apart.
        turn: How many tasks a turn has; 0: all.
        beta: Pace of GradVac's targets.

    Raises:
        InputError: There is no such surgery, or it does not fit the tasks.
    """
    listed = (*SURGERIES, f"{_TORCHJD}NAME")
    if name not in SURGERIES and not name.startswith(_TORCHJD):
        raise InputError(
            f"surgery {name!r} is unknown; {suggestion(name, listed)}there are {', '.join(listed)}"
        )
    if tasks < 2 and name != "sum":
        raise InputError(f"surgery {name!r} with {tasks} task; give another task, or surgery sum")
    if not 0 <= beta <= 1:
        raise InputError(f"surgery {name!r}: beta {beta}; give a beta from 0 to 1")
    generator = torch.Generator().manual_seed(seed)
    if name.startswith(_TORCHJD):
        return _torchjd_surgery(name, tasks, generator, turn=turn or tasks)
    if name == "gradvac":
        targets_GTT = torch.zeros(groups, tasks, tasks, dtype=torch.float64)
        rule = partial(_gradvac, targets_GTT=targets_GTT, generator=generator, beta=beta)
        return Surgery(rule, generator, {"targets_GTT": targets_GTT})
    if name == "pcgrad":
        return Surgery(_over_all(partial(pcgrad_weights, generator=generator)), generator)
    weights_T = torch.ones(tasks, dtype=torch.float64)
    return Surgery(_over_all(lambda gram_TT: weights_T), generator)


def _gradvac(
    gram_GTT: Tensor, *, targets_GTT: Tensor, generator: torch.Generator, beta: float
) -> Tensor:
    """Apply GradVac group by group, and move the targets in place."""
    weights = []
    for gram_TT, targets_TT in zip(gram_GTT, targets_GTT, strict=True):
        weights_T, moved_TT = gradvac_weights(gram_TT, targets_TT, generator=generator, beta=beta)
        targets_TT.copy_(moved_TT)
        weights.append(weights_T)
    return torch.stack(weights)


def _over_all(rule: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Make a rule of the whole vector: groups are summed, and share their weights."""
    return lambda gram_GTT: rule(gram_GTT.sum(dim=0)).repeat(len(gram_GTT), 1)


def _torchjd_surgery(name: str, tasks: int, generator: torch.Generator, *, turn: int) -> Surgery:
    """Wrap one of TorchJD's aggregators: its weights where it has them, itself where not."""
    aggregator, weighting = _torchjd_aggregator(name, turn)

    def drawn(rule: Callable[[Tensor], Tensor], matrix: Tensor) -> Tensor:
        """Let TorchJD, which draws from torch's global stream, draw from the surgery's own."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(generator.get_state())
            result = rule(matrix)
            generator.set_state(torch.get_rng_state())
        return result

    def weigh(gram_TT: Tensor) -> Tensor:
        """Weigh the tasks of this turn: an absent one would win where the least norm does."""
        gram_TT = _usable(gram_TT)
        present = gram_TT.diagonal().nonzero().squeeze(1)
        weights_T = torch.ones(tasks, dtype=torch.float64)
        if len(present) > 1:
            weights_T[present] = drawn(weighting, gram_TT[present][:, present])
        return weights_T

    if weighting is None:
        return Surgery(None, generator, aggregate=partial(drawn, aggregator))
    return Surgery(_over_all(weigh), generator)


def _torchjd_aggregator(name: str, tasks: int) -> tuple[Any, Any]:
    """Return an aggregator, tried once, and the part of it that weighs a Gram matrix, if any."""
    try:
        library = importlib.import_module("torchjd.aggregation")
    except ImportError as error:
        raise InputError(f"surgery {name!r} needs TorchJD; pip install torchjd") from error
    wanted = name.removeprefix(_TORCHJD)
    bases = {"Aggregator", "WeightedAggregator", "GramianWeightedAggregator"}
    kinds = {key: getattr(library, key) for key in sorted({*library.__all__} - bases)}
    kinds = {key: kind for key, kind in kinds.items() if issubclass(kind, library.Aggregator)}
    if wanted not in kinds:
        raise InputError(
            f"surgery {name!r}: TorchJD has no {wanted!r}; {suggestion(wanted, kinds)}"
            f"there are {', '.join(kinds)}"
        )
    try:
        aggregator = kinds[wanted](**_TORCHJD_SETTINGS.get(wanted, {}))
        with torch.random.fork_rng(devices=[]):
            aggregator(torch.eye(tasks))
    except (ImportError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"surgery {name!r} cannot be used with {tasks} tasks: {reason}") from error
    if hasattr(aggregator, "reset"):
        raise InputError(f"surgery {name!r} keeps a state that no checkpoint holds; try gradvac")
    if not isinstance(aggregator, library.WeightedAggregator):
        return aggregator, None
    # Those that do not weigh a Gramian (Mean, Random, Sum) look at the number of its rows alone.
    return aggregator, getattr(aggregator, "gramian_weighting", aggregator.weighting)


def _usable(gram_TT: Tensor) -> Tensor:
    """Return a float64 copy on the CPU, zero where ‖g‖² is zero or not finite."""
    gram_TT = gram_TT.detach().to("cpu", torch.float64)
    good_T = (gram_TT.diagonal() > 0) & gram_TT.diagonal().isfinite()
    return gram_TT.masked_fill(~(good_T.unsqueeze(0) & good_T.unsqueeze(1)), 0.0)


def _others(task: int, tasks: int, generator: torch.Generator) -> list[int]:
    """Return every task but one, in a fresh random order."""
    return [j for j in torch.randperm(tasks, generator=generator).tolist() if j != task]


def _on_a_line(cosine: float) -> float:
    """Take a cosine that is ±1 but for rounding to be ±1."""
    return math.copysign(1.0, cosine) if 1 - abs(cosine) < _PARALLEL else cosine
