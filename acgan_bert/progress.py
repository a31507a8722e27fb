"""What a long job says while it runs, and how long each of its stages took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Takes the units of a stage that are done, and how many there are where that is new."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Tell of them."""


class Progress(Protocol):
    """Whoever shows progress; the command line gives one that draws bars."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage of ``total`` units; None where that is not known."""

    def advance(self, done: int, total: int | None = None) -> None:
        """Say how many units of the stage are done in all, and of how many where that is new."""


class Stages:
    """Names the stages of a job as they begin, and keeps their seconds.

    Args:
        progress: Who is told; None for nobody.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Run a stage; yields what takes the units done."""
        if self._progress is not None:
            self._progress.stage(name, total)
        start = time.monotonic()
        yield self._advance
        self.seconds[name] = round(time.monotonic() - start, 3)

    def _advance(self, done: int, total: int | None = None) -> None:
        if self._progress is not None:
            self._progress.advance(done, total)
