"""The gradients of several tasks: inner products, weighted sum, and a record of their conflicts.

Two tasks conflict where their gradients' inner product is negative (Yu et al. 2020, definition 1).
Shapes: ``G`` groups, ``T`` tasks, ``P`` parameters.
"""

import itertools
import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Gradients = Sequence[Sequence[Tensor | None]]
"""T tasks by P parameters; None where a task does not reach a parameter."""

WHOLE = "all"
_BLOCK_CPU, _BLOCK = 2**17, 2**22  # elements a task: a core's cache; few launches elsewhere
_LAYER = re.compile(r"\blayers?\.(\d+)\.")


def group_grams(gradients: Gradients, groups: Sequence[int] | None = None) -> Tensor:
    """Return the inner products of the tasks' gradients, by group of parameters.

    Blocks are widened to float64 in a small buffer: float32 products overflow on large gradients
    and lose what opposite ones cancel, and no gradient is copied whole. None counts as zero.

    Args:
        gradients: T tasks by P parameters.
        groups: The group of each parameter, 0 … G - 1; one group for all if not given.

    Returns:
        gram_GTT in float64 on the CPU, with shape (G, T, T).
    """
    columns = list(zip(*gradients, strict=True))
    groups = [0] * len(columns) if groups is None else groups
    tasks, num_groups = len(gradients), max(groups, default=0) + 1
    device = next((g.device for column in columns for g in column if g is not None), None)
    block = _BLOCK_CPU if device is None or device.type == "cpu" else _BLOCK
    gram_GTT = torch.zeros(num_groups, tasks, tasks, dtype=torch.float64, device=device)
    buffer_TX = torch.empty(tasks, block, dtype=torch.float64, device=device)
    for group, column in zip(groups, columns, strict=True):
        vectors = [None if g is None else g.detach().reshape(-1) for g in column]
        length = max((len(vector) for vector in vectors if vector is not None), default=0)
        for start in range(0, length, block):
            part_TX = buffer_TX[:, : min(block, length - start)]
            for i, vector in enumerate(vectors):
                if vector is None:
                    part_TX[i].zero_()
                else:
                    part_TX[i].copy_(vector[start : start + block])
                    # Half of a matrix product, and in half its time: libraries tile for wide ones.
                    gram_GTT[group, i, : i + 1].addmv_(part_TX[: i + 1], part_TX[i])
    gram_GTT += gram_GTT.tril(-1).mT
    return gram_GTT.cpu()


def gram_matrix(gradients: Gradients) -> Tensor:
    """Return the inner products over all parameters, (T, T) in float64 on the CPU."""
    return group_grams(gradients)[0]


def combine(
    gradients: Gradients, weights: Tensor, groups: Sequence[int] | None = None
) -> list[Tensor | None]:
    """Return Σᵢ wᵢ gᵢ, written over the tensors of the first task that reaches each parameter.

    Args:
        gradients: T tasks by P parameters; the first tensor of each parameter is overwritten.
        weights: (T,), or (G, T) where ``groups`` gives the row of each parameter.
        groups: The group of each parameter.

    Returns:
        P tensors; None where no task reaches the parameter.
    """
    weights_GT = weights.reshape(-1, len(gradients)).tolist()
    columns = list(zip(*gradients, strict=True))
    combined: list[Tensor | None] = []
    for group, column in zip(groups or [0] * len(columns), columns, strict=True):
        total: Tensor | None = None
        for weight, gradient in zip(weights_GT[group], column, strict=True):
            if gradient is None:
                continue
            if total is None:
                total = gradient.mul_(weight)
            else:
                total.add_(gradient, alpha=weight)
        combined.append(total)
    return combined


def aggregate_jacobian(
    gradients: Gradients, aggregate: Callable[[Tensor], Tensor]
) -> list[Tensor | None]:
    """Return what ``aggregate`` makes of the whole Jacobian: for methods that no weights express.

    Args:
        gradients: T tasks by P parameters; None counts as zero.
        aggregate: Takes (T, N) to (N,), N being the numbers in all parameters that a task reaches.

    Returns:
        P tensors; None where no task reaches the parameter.
    """
    columns = zip(*gradients, strict=True)
    models = [next((g for g in column if g is not None), None) for column in columns]
    rows = [
        torch.cat(
            [
                (torch.zeros_like(model) if g is None else g).reshape(-1)
                for g, model in zip(task, models, strict=True)
                if model is not None
            ]
        )
        for task in gradients
    ]
    sizes = [model.numel() for model in models if model is not None]
    pieces = iter(aggregate(torch.stack(rows)).split(sizes))
    return [None if model is None else next(pieces).view_as(model) for model in models]


def layer_groups(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Group parameters by where they lie in a transformer: embeddings, each layer, the rest.

    Args:
        names: The P names of the parameters, as ``named_parameters`` gives them.

    Returns:
        The group of each parameter, and the names of the groups, in order of appearance.

    Example:
        >>> layer_groups(["embeddings.word.weight", "encoder.layer.0.bias", "pooler.weight"])
        ([0, 1, 2], ['embeddings', 'layer 0', 'rest'])
    """
    labels = [_group_name(name) for name in names]
    groups = list(dict.fromkeys(labels))
    return [groups.index(label) for label in labels], groups


class ConflictRecord:
    """Cosines between the tasks' gradients, gathered over steps.

    A step in which a task has no gradient, or one that is not finite, does not count for its
    pairs. With several groups the whole vector is recorded too, under the group ``all``.

    Args:
        tasks: Names of the T tasks.
        groups: Names of the G groups; of none, the whole vector is the only one.
    """

    def __init__(self, tasks: Sequence[str], groups: Sequence[str] = ()) -> None:
        self.tasks = tuple(tasks)
        self.groups = (WHOLE, *groups) if len(groups) > 1 else (WHOLE,)
        self._totals = self._empty()

    def add(self, gram_GTT: Tensor) -> None:
        """Record one step.

        Args:
            gram_GTT: Inner products of the tasks' gradients by group, with shape (G, T, T).
        """
        gram_GTT = gram_GTT.detach().to("cpu", torch.float64)
        if len(self.groups) > 1:
            gram_GTT = torch.cat([gram_GTT.sum(dim=0, keepdim=True), gram_GTT])
        norm_GT = gram_GTT.diagonal(dim1=1, dim2=2).sqrt()
        cosine_GTT = gram_GTT / norm_GT.unsqueeze(1) / norm_GT.unsqueeze(2)
        counts_GTT = cosine_GTT.isfinite()
        cosine_GTT = cosine_GTT.clamp(-1.0, 1.0)
        known_GTT = cosine_GTT.masked_fill(~counts_GTT, 0.0)
        self._totals["steps_GTT"] += counts_GTT
        self._totals["conflicts_GTT"] += known_GTT < 0
        self._totals["sum_GTT"] += known_GTT
        lowest_GTT = torch.fmin(self._totals["lowest_GTT"], cosine_GTT)  # fmin passes over NaN
        self._totals["lowest_GTT"] = lowest_GTT

    def take(self) -> list[dict[str, str | int | float]]:
        """Return what was recorded since the last call, and begin anew.

        Returns:
            A row per pair of tasks and group: ``task_a``, ``task_b``, ``group``, ``steps``,
            ``conflict_share``, ``mean_cosine``, ``min_cosine``; none where no step counted.
        """
        steps, conflicts, sums, lowest = (value.tolist() for value in self._totals.values())
        self._totals = self._empty()
        return [
            {
                "task_a": self.tasks[a],
                "task_b": self.tasks[b],
                "group": group,
                "steps": count,
                "conflict_share": conflicts[g][a][b] / count,
                "mean_cosine": sums[g][a][b] / count,
                "min_cosine": lowest[g][a][b],
            }
            for g, group in enumerate(self.groups)
            for a, b in itertools.combinations(range(len(self.tasks)), 2)
            if (count := steps[g][a][b])
        ]

    def state(self) -> dict[str, Tensor]:
        """Return what was recorded since the last :meth:`take`, for a checkpoint."""
        return {key: value.clone() for key, value in self._totals.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` returned."""
        self._totals = {key: state[key].clone() for key in self._totals}

    def _empty(self) -> dict[str, Tensor]:
        shape = (len(self.groups), len(self.tasks), len(self.tasks))
        return {
            "steps_GTT": torch.zeros(shape, dtype=torch.int64),
            "conflicts_GTT": torch.zeros(shape, dtype=torch.int64),
            "sum_GTT": torch.zeros(shape, dtype=torch.float64),
            "lowest_GTT": torch.ones(shape, dtype=torch.float64),
        }


def _group_name(name: str) -> str:
    if found := _LAYER.search(name):
        return f"layer {found[1]}"
    return "embeddings" if "embeddings" in name else "rest"
