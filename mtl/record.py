"""What a training loop tells whoever runs it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Record = Callable[[dict[str, Any]], None]
"""Takes a mapping with its ``step``, the updates done."""
Progress = Callable[[int, int], None]
"""Takes the updates done, and those in all."""


class Means:
    """Means of named numbers since they were last taken; a checkpoint may come in between.

    Example:
        >>> means = Means()
        >>> means.add({"a": 1.0, "b": 5.0})
        >>> means.add({"a": 2.0})
        >>> means.take(), means.take()
        ({'a': 1.5, 'b': 5.0}, {})
    """

    def __init__(self) -> None:
        self._totals: dict[str, tuple[Tensor | float, int]] = {}

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """Count some numbers in."""
        for name, value in values.items():
            total, count = self._totals.get(name, (0.0, 0))
            # Added where it is, in float64: a GPU is waited for when the mean is taken.
            exact = value.detach().double() if isinstance(value, Tensor) else value
            self._totals[name] = total + exact, count + 1

    def take(self) -> dict[str, float]:
        """Return the means, and begin anew."""
        totals, self._totals = self._totals, {}
        return {name: float(total) / count for name, (total, count) in totals.items()}

    def state(self) -> dict[str, Tensor]:
        """Return what was counted, for a checkpoint."""
        return {
            name: torch.tensor([float(total), count], dtype=torch.float64)
            for name, (total, count) in self._totals.items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        pairs = {name: value.tolist() for name, value in state.items()}
        self._totals = {name: (total, int(count)) for name, (total, count) in pairs.items()}
