"""Which pack is next, how far the study is, and how long the rest will take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from acgan_bert.studies.folder import Study
from acgan_bert.studies.packing import Pack

LOOK_AGAIN_SECONDS = 1.0
"""Between two looks at a pack that another process holds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a study is: rows done, in training, failed, and in all."""

    done: int
    running: int
    failed: int
    total: int
    seconds_left: float | None
    """None until something has been trained to judge by."""

    def __str__(self) -> str:
        """Say it on one line."""
        failed = f", {self.failed} failed" if self.failed else ""
        left = "" if self.seconds_left is None else f", about {_words(self.seconds_left)} left"
        return f"{self.done} of {self.total} rows done, {self.running} in training{failed}{left}"


Watch = Callable[[Standing], None]


class Schedule:
    """Hands out the packs of a study, the most costly first, each once; tells how far it is.

    Packs that another process holds come back later: either they are done then, or they are free.

    Args:
        study: Its rows that are done stay done; those that failed are tried again.
        watch: Told whenever something changes.
    """

    def __init__(self, study: Study, watch: Watch) -> None:
        self._study, self._watch = study, watch
        left = [pack for pack in study.packs if study.missing(pack)]
        self._pending = sorted(left, key=lambda pack: -pack.cost)
        self._held: list[tuple[float, Pack]] = []
        self._running: dict[str, tuple[Pack, float]] = {}
        self._tried: set[str] = set()
        self._done = {row for row in study.rows if study.done(row)}
        self._started = self._told = time.monotonic()
        self._spent = 0.0
        self._total_cost = sum(pack.cost for pack in left)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, and nothing is being done."""
        return not (self._pending or self._held or self._running)

    def next(self) -> Pack | None:
        """Return a pack to train, or None where there is none at present."""
        now = time.monotonic()
        free = [pack for since, pack in self._held if now - since >= LOOK_AGAIN_SECONDS]
        if free:
            self._held = [(since, pack) for since, pack in self._held if pack not in free]
            self._pending += free
        while self._pending:
            pack = self._pending.pop(0)
            if self._study.missing(pack):
                self._running[pack.id] = (pack, 0.0)
                self.tell()
                return pack
            self._note(pack)
        return None

    def share(self, pack: Pack, share: float) -> None:
        """Note how much of a pack is done."""
        self._running[pack.id] = (pack, share)
        if time.monotonic() - self._told >= LOOK_AGAIN_SECONDS:
            self.tell()

    def ended(self, pack: Pack, *, taken: bool) -> None:
        """Note that a pack came to its end, or that another process holds it."""
        del self._running[pack.id]
        self._note(pack)
        if taken:
            self._spent += pack.cost
            self._tried.update(pack.rows)
        else:
            self._held.append((time.monotonic(), pack))
        self.tell()

    def again(self, pack: Pack) -> None:
        """Put a pack back whose worker was lost."""
        del self._running[pack.id]
        self._pending.insert(0, pack)

    def tell(self) -> None:
        """Tell how far the study is."""
        for pack, _ in self._running.values():
            self._note(pack)
        self._told = time.monotonic()
        failed = sum(row not in self._done for row in self._tried)
        running = sum(
            row not in self._done for pack, _ in self._running.values() for row in pack.rows
        )
        total = len(self._study.rows)
        self._watch(Standing(len(self._done), running, failed, total, self._left()))

    def _note(self, pack: Pack) -> None:
        """Look which rows of a pack are done; all rows of a large study would be too many."""
        self._done |= {row for row in pack.rows if self._study.done(row)}

    def _left(self) -> float | None:
        spent = self._spent + sum(pack.cost * share for pack, share in self._running.values())
        if not spent:
            return None
        return (time.monotonic() - self._started) * (self._total_cost - spent) / spent


def _words(seconds: float) -> str:
    """Round a time to what a reader needs.

    Example:
        >>> [_words(value) for value in (40.0, 400.0, 40_000.0)]
        ['40 s', '7 min', '11 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
