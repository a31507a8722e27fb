"""What is predicted from a text: the name, arity, output, classes, loss and metric of one task."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtl.errors import InputError

Output = Literal["classes", "score"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One thing to predict from one sentence or from a pair of them.

    A score task also has classes: its unit buckets, so that stratified draws, class-conditional
    generators and tables treat it as any other.

    Args:
        name: What the task is called in results, such as ``sentiment``.
        arity: Sentences per row, 1 or 2.
        output: ``classes`` or ``score``.
        classes: Names of the classes; for a score task the whole numbers in the middle of its
            buckets, low to high.
        low: Lowest score; unused by a class task.
        high: Highest score; unused by a class task.

    Raises:
        InputError: A value is outside what is said above.

    Example:
        >>> task = Task(name="similarity", arity=2, output="score",
        ...             classes=("0", "1", "2", "3"), low=0.0, high=3.0)
        >>> task.loss, task.metric, task.num_classes
        ('mean_squared_error', 'pearson', 4)
        >>> task.bucket([0.4, 2.5, 9.0, float("nan")])
        array([ 0,  3,  3, -1])
    """

    name: str
    arity: Literal[1, 2]
    output: Output
    classes: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.arity not in (1, 2):
            raise InputError(f"task {self.name!r}: arity is {self.arity!r}; give 1 or 2")
        if self.output not in ("classes", "score"):
            raise InputError(
                f"task {self.name!r}: output is {self.output!r}; give 'classes' or 'score'"
            )
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f"task {self.name!r}: a class is named twice in {self.classes}")
        if self.output == "score" and not self.low < self.high:
            raise InputError(
                f"task {self.name!r}: the score range {self.low} to {self.high} is empty"
            )
        if self.output == "score" and not self._unit_buckets():
            raise InputError(
                f"task {self.name!r}: the buckets of its score are {', '.join(self.classes)}; give "
                "whole numbers in a row, such as 0, 1, 2"
            )

    def _unit_buckets(self) -> bool:
        try:
            found = [int(name) for name in self.classes]
        except ValueError:
            return False
        return bool(found) and found == list(range(found[0], found[0] + len(found)))

    @property
    def loss(self) -> Literal["cross_entropy", "mean_squared_error"]:
        """Name of the loss that fits the output."""
        return "cross_entropy" if self.output == "classes" else "mean_squared_error"

    @property
    def metric(self) -> Literal["accuracy", "pearson"]:
        """Name of the metric that is reported first."""
        return "accuracy" if self.output == "classes" else "pearson"

    @property
    def num_classes(self) -> int:
        """How many classes, or buckets of the score, there are."""
        return len(self.classes)

    @property
    def first_bucket(self) -> int:
        """The score in the middle of the first bucket."""
        return int(self.classes[0])

    def bucket(self, scores: ArrayLike) -> NDArray[np.int64]:
        """Round each score to its nearest unit bucket, halves up, ends clipped.

        Args:
            scores: (N,) scores; NaN where a row is unlabelled.

        Returns:
            (N,) indices into ``classes``; -1 for NaN.
        """
        values = np.asarray(scores, dtype=np.float64)
        missing = np.isnan(values)
        nearest = np.floor(np.where(missing, self.low, values) + 0.5) - self.first_bucket
        clipped = np.clip(nearest, 0, self.num_classes - 1).astype(np.int64)
        return np.where(missing, np.int64(-1), clipped)

    def to_json(self) -> dict[str, Any]:
        """Give the fields as what ``json.dumps`` takes."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Make the task that ``to_json`` described.

        Raises:
            InputError: The fields are not those of a task.
        """
        try:
            return cls(**{**fields, "classes": tuple(str(name) for name in fields["classes"])})
        except (KeyError, TypeError) as error:
            raise InputError(
                f"task: {dict(fields)!r} does not describe one ({error}); "
                "expected name, arity, output, classes, low, high"
            ) from error
