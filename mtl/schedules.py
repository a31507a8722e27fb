"""Which tasks' batches make the next update: pure functions of seed, epoch and index; no torch.

A *turn* is a tuple of task names; one batch of each makes ONE update. No order stops at the
smallest set: small sets start over, in passes that :class:`CircularRows` draws.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl.choices import suggestion
from mtl.errors import InputError

Turn = tuple[str, ...]

KINDS = {
    "sequential": "in each epoch every batch of one task, then every batch of the next",
    "round-robin": "the tasks by turns in a fixed order, an update each",
    "interleaved": "one batch of every task in each update, to the end of the largest set",
    "proportional": "one task an update, as often as its set is large",
    "square-root": "one task an update, as often as the square root of its set is large",
    "annealed": "from proportional in the first epoch to nearly equal shares in the last",
    "pairs": "two tasks an update, the given pairs by turns",
}
"""Orders of the tasks by name, a line each."""

_TURNS, _ROWS = 0, 1  # independent streams of one seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """An order of the tasks' batches; :func:`make_schedule` makes it and explains the kinds.

    Args:
        kind: A name in ``KINDS``.
        batches: What one pass over each task takes, in the order of the tasks.
        epochs: How many epochs there are, numbered from 0.
        seed: What shuffles the sampled kinds.
        cycle: The turns that repeat; empty where an epoch is not a repetition.
        turns: Updates in an epoch; 0 for as many as pass over every set.
    """

    kind: str
    batches: Mapping[str, int]
    epochs: int
    seed: int
    cycle: tuple[Turn, ...] = ()
    turns: int = 0

    @property
    def turns_per_epoch(self) -> int:
        """How many updates an epoch has; with a cycle, enough that no set is cut short."""
        if self.turns:
            return self.turns
        if not self.cycle:
            return sum(self.batches.values())
        uses = Counter(task for turn in self.cycle for task in turn)
        return len(self.cycle) * max(-(-self.batches[task] // uses[task]) for task in uses)

    @property
    def tasks_per_turn(self) -> int:
        """How many tasks an update has batches of."""
        return len(self.cycle[0]) if self.cycle else 1

    def turn(self, epoch: int, index: int) -> Turn:
        """Return the tasks of one update.

        Args:
            epoch: From 0 to ``epochs`` - 1.
            index: From 0 to ``turns_per_epoch`` - 1.
        """
        if not (0 <= epoch < self.epochs and 0 <= index < self.turns_per_epoch):
            raise IndexError(f"turn {index} of epoch {epoch} is outside the schedule")
        if self.cycle:
            return self.cycle[index % len(self.cycle)]
        quotas = self._quotas(epoch)
        if self.kind == "sequential":
            place = int(np.searchsorted(np.cumsum(quotas), index, side="right"))
        else:
            place = int(_shuffled(quotas, self.seed, epoch)[index])
        return (tuple(self.batches)[place],)

    def served(self, epoch: int, index: int) -> dict[str, int]:
        """Count the batches that each task gave before a turn: the number of its next batch.

        So a run resumes from its step alone: epoch, index = divmod(step, turns_per_epoch).
        """
        counts = dict.fromkeys(self.batches, 0)
        for step in range(epoch * self.turns_per_epoch + index):
            for task in self.turn(*divmod(step, self.turns_per_epoch)):
                counts[task] += 1
        return counts

    def _quotas(self, epoch: int) -> tuple[int, ...]:
        """Share an epoch's turns among the tasks, in proportion to (batches of the task)^α."""
        alpha = {"square-root": 0.5, "annealed": 1 - 0.8 * epoch / max(1, self.epochs - 1)}
        sizes = tuple(self.batches.values())
        return _apportioned(self.turns_per_epoch, sizes, alpha.get(self.kind, 1.0))


def make_schedule(
    kind: str,
    batches_per_epoch: Mapping[str, int],
    epochs: int,
    seed: int,
    pairs: Sequence[tuple[str, str]] = (),
    turns: int = 0,
) -> Schedule:
    """Order the batches of several tasks.

    * ``sequential``: one task after another within each epoch (the first approach of He and Zhao).
    * ``round-robin``: McCann et al. 2018: fixed order, an update a batch, to the end of the largest
      set.
    * ``interleaved``: He and Zhao, eq. 1: as many batches of each task as the largest has; a turn
      holds one of each, so that their losses are summed.
    * ``proportional``, ``square-root``, ``annealed``: Stickland and Murray 2019 (PALs), section
      3.3: shares N^α with α = 1, ½, or 1 - 0.8 (e - 1) / (E - 1) in epoch e of E. They draw each
      turn independently; here every epoch holds exactly these shares, to one turn and at least
      one, in random order. It has as many turns as one pass over all sets has batches.
    * ``pairs``: arXiv 2408.15265: (sentiment, paraphrase), then (similarity, paraphrase); any
      pairs, in the order given, until every set has been passed over.

    Args:
        kind: A name in ``KINDS``.
        batches_per_epoch: Batches in one pass over each task.
        epochs: How many epochs; annealing spans them.
        seed: What shuffles the sampled kinds.
        pairs: For ``pairs`` only.
        turns: Updates in an epoch, of the same shares; 0 for as many as pass over every set.

    Raises:
        InputError: The kind is unknown, a task has no batch, or the pairs do not fit the tasks.

    Example:
        >>> schedule = make_schedule("round-robin", {"sentiment": 2, "paraphrase": 3}, 1, seed=0)
        >>> schedule.turns_per_epoch, schedule.turn(0, 5)
        (6, ('paraphrase',))
    """
    if kind not in KINDS:
        raise InputError(
            f"the order of tasks {kind!r} is unknown; {suggestion(kind, KINDS)}"
            f"there are {', '.join(KINDS)}"
        )
    if not batches_per_epoch or epochs < 1:
        raise InputError(
            f"there are {len(batches_per_epoch)} tasks and {epochs} epochs; give 1 or more of each"
        )
    for task, count in batches_per_epoch.items():
        if count < 1:
            raise InputError(f"task {task!r} has {count} batches; give it data, or leave it out")
    tasks = tuple(batches_per_epoch)
    cycles = {
        "round-robin": tuple((task,) for task in tasks),
        "interleaved": (tasks,),
        "pairs": _checked_pairs(kind, pairs, tasks),
    }
    least = len(cycles.get(kind, tasks))  # an update a task, or each turn of the cycle
    if 0 < turns < least:
        raise InputError(
            f"an epoch of {turns} updates is too short for the order {kind!r} of these tasks; "
            f"give {least} or more, or 0 for a pass over every set"
        )
    return Schedule(
        kind=kind,
        batches=dict(batches_per_epoch),
        epochs=epochs,
        seed=seed,
        cycle=cycles.get(kind, ()),
        turns=turns,
    )


@dataclass(frozen=True, slots=True)
class CircularRows:
    """The rows of each batch of one task, pass after pass, each pass in an order of its own.

    Every row comes once a pass. The batch that ends a pass begins the next, so that all batches
    are of one size; it alone, or one larger than the set, may hold a row twice.

    Args:
        rows: How many rows the task has.
        batch_size: Rows in each batch.
        seed: What shuffles; give every task its own.

    Raises:
        InputError: There is no row, or the batch size is below 1.

    Example:
        >>> rows = CircularRows(rows=5, batch_size=2, seed=0)
        >>> sorted(rows.batch(0).tolist() + rows.batch(1).tolist() + rows.batch(2).tolist()[:1])
        [0, 1, 2, 3, 4]
    """

    rows: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.batch_size < 1:
            raise InputError(
                f"a task has {self.rows} rows for batches of {self.batch_size}; "
                "give 1 or more of each"
            )

    @property
    def batches_per_epoch(self) -> int:
        """How many batches show every row at least once."""
        return -(-self.rows // self.batch_size)

    def batch(self, index: int) -> NDArray[np.int64]:
        """Return the rows of batch ``index``, counted from 0 over all passes, (batch_size,)."""
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        passes, places = np.divmod(places, self.rows)
        return np.concatenate(
            [
                _pass_order(self.rows, self.seed, number)[places[passes == number]]
                for number in range(int(passes[0]), int(passes[-1]) + 1)
            ]
        )


def _checked_pairs(
    kind: str, pairs: Sequence[tuple[str, str]], tasks: Sequence[str]
) -> tuple[Turn, ...]:
    """Return the pairs as turns; refuse unknown or equal members, and tasks that are left out."""
    if (kind == "pairs") != bool(pairs):
        wrong = "needs pairs of tasks" if kind == "pairs" else "takes no pairs"
        raise InputError(f"the order of tasks {kind!r} {wrong}, and there are {len(pairs)}")
    for pair in pairs:
        for task in pair:
            if task not in tasks:
                raise InputError(
                    f"pair {tuple(pair)}: no task {task!r}; {suggestion(task, tasks)}"
                    f"there are {', '.join(tasks)}"
                )
        if len(pair) != 2 or pair[0] == pair[1]:
            raise InputError(f"pair {tuple(pair)}: give two different tasks")
    unpaired = [task for task in tasks if pairs and all(task not in pair for pair in pairs)]
    if unpaired:
        raise InputError(f"task {unpaired[0]!r} is in no pair; pair it, or leave the task out")
    return tuple(tuple(pair) for pair in pairs)


@functools.lru_cache(maxsize=8)
def _apportioned(turns: int, sizes: tuple[int, ...], alpha: float) -> tuple[int, ...]:
    """Share turns in proportion to size^α by the largest remainders, at least one to each."""
    shares = np.asarray(sizes, dtype=np.float64) ** alpha
    exact = shares / shares.sum() * turns
    quotas = np.maximum(np.floor(exact).astype(np.int64) - len(sizes), 1)  # never above turns
    for _ in range(turns - int(quotas.sum())):
        quotas[np.argmax(exact - quotas)] += 1
    return tuple(quotas.tolist())


@functools.lru_cache(maxsize=2)
def _shuffled(quotas: tuple[int, ...], seed: int, epoch: int) -> NDArray[np.int64]:
    """Return an epoch's turns as places of tasks, each as often as its quota."""
    turns = np.repeat(np.arange(len(quotas)), quotas)
    return np.random.default_rng((seed, _TURNS, epoch)).permutation(turns)


@functools.lru_cache(maxsize=32)  # two passes of a batch, for every task of a run
def _pass_order(rows: int, seed: int, number: int) -> NDArray[np.int64]:
    """Return the order of the rows in one pass, (rows,)."""
    return np.random.default_rng((seed, _ROWS, number)).permutation(rows)
