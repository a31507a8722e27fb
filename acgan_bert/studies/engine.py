"""Processes of this machine: workers that each train one pack after another.

A worker claims its pack and writes its rows, so that nothing is lost with whoever started it; it
ends by itself within a step of its parent's end.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from acgan_bert.studies.bench import Bench
from acgan_bert.studies.folder import Study
from acgan_bert.studies.packing import Pack
from acgan_bert.studies.schedule import LOOK_AGAIN_SECONDS, Schedule
from acgan_bert.studies.work import threads_limited, train_pack

MOST_LOSSES = 3
"""Workers that one pack may cost before its rows count as failed."""
_TELL_SECONDS = 0.5


def work_on(study: Study, pack: Pack, bench: Bench, tell: Callable[[float], None]) -> bool:
    """Train what a pack is missing and write it; False where another process holds the pack."""
    with study.claim(pack) as folder:
        if folder is None:
            return False
        wanted = study.missing(pack)
        tasks = [(study.rows[row], study.recipe_of(row)) for row in pack.rows]
        outcomes = train_pack(
            pack.kind,
            tasks,
            wanted=wanted,
            bench=bench,
            work=folder,
            tell=tell,
            apart=any(study.failed(row) for row in pack.rows),
        )
        for row, found in outcomes if wanted else ():
            if isinstance(found, str):
                study.write_failure(row, found)
            else:
                study.write_row(row, found)
        if not study.missing(pack):
            study.clear(pack)
    return True


def run_here(study: Study, schedule: Schedule, bench: Bench) -> None:
    """Train all packs in this process."""
    with threads_limited(study.threads):
        while not schedule.over:
            pack = schedule.next()
            if pack is None:
                time.sleep(LOOK_AGAIN_SECONDS)
                continue
            taken = work_on(study, pack, bench, partial(schedule.share, pack))
            schedule.ended(pack, taken=taken)


def run_processes(study: Study, schedule: Schedule, *, workers: int) -> None:
    """Train all packs in processes of their own."""
    pool = _Pool(study, schedule)
    try:
        while not schedule.over:
            pool.fill(workers)
            pool.listen()
    finally:
        pool.stop()


class _Pool:
    """Workers with their pipes, and what each is at."""

    def __init__(self, study: Study, schedule: Schedule) -> None:
        self._study, self._schedule = study, schedule
        self._workers: dict[Connection, BaseProcess] = {}
        self._at: dict[Connection, Pack] = {}
        self._losses: Counter[str] = Counter()

    def fill(self, workers: int) -> None:
        """Give every idle worker a pack; start workers for packs that are left."""
        while (pack := self._next(workers)) is not None:
            idle = [pipe for pipe in self._workers if pipe not in self._at]
            pipe = idle[0] if idle else self._start()
            self._at[pipe] = pack
            try:
                pipe.send(self._study.packs.index(pack))
            except ConnectionError:  # it was lost while it had nothing to do
                self._lost(pipe, pack)

    def _next(self, workers: int) -> Pack | None:
        return self._schedule.next() if len(self._at) < workers else None

    def _start(self) -> Connection:
        context = get_context("spawn")  # a fork of a process with threads may hang
        ours, theirs = context.Pipe()
        arguments = (theirs, str(self._study.folder), self._study.threads)
        process = context.Process(target=_worker, args=arguments, daemon=True)
        before = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = str(self._study.threads)
        # Ctrl-C is for us, from the first moment: a worker that is still importing would answer
        # with a traceback. Starting the tracker, as the first process would, unblocks the signal.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if before is None:
                del os.environ["OMP_NUM_THREADS"]
            else:
                os.environ["OMP_NUM_THREADS"] = before
        theirs.close()
        self._workers[ours] = process
        return ours

    def listen(self) -> None:
        """Hear what workers say, or that one is gone."""
        if not self._at:
            time.sleep(LOOK_AGAIN_SECONDS)
        for pipe in wait(list(self._at), timeout=LOOK_AGAIN_SECONDS):
            assert isinstance(pipe, Connection)
            pack = self._at[pipe]
            try:
                told = pipe.recv()
            except (EOFError, OSError):
                self._lost(pipe, pack)
                continue
            if isinstance(told, float):
                self._schedule.share(pack, told)
            else:
                del self._at[pipe]
                self._schedule.ended(pack, taken=told)

    def _lost(self, pipe: Connection, pack: Pack) -> None:
        process = self._workers.pop(pipe)
        process.join()
        pipe.close()
        del self._at[pipe]
        self._losses[pack.id] += 1
        if self._losses[pack.id] < MOST_LOSSES:
            self._schedule.again(pack)
            return
        for row in self._study.missing(pack):
            self._study.write_failure(
                row,
                f"its worker ended {MOST_LOSSES} times with exit code {process.exitcode}; "
                "there may be too little memory or disk: use fewer --workers, or free some",
            )
        self._schedule.ended(pack, taken=True)

    def stop(self) -> None:
        """End all workers; what they were at has its checkpoint."""
        for pipe, process in self._workers.items():
            pipe.close()
            process.terminate()
        for process in self._workers.values():
            process.join()


def _worker(pipe: Connection, folder: str, threads: int) -> None:
    """Train the packs whose places come through a pipe, until it closes."""
    parent, last = os.getppid(), 0.0

    def tell(share: float) -> None:
        nonlocal last
        if os.getppid() != parent:
            raise SystemExit
        if time.monotonic() - last > _TELL_SECONDS:
            last = time.monotonic()
            try:
                pipe.send(share)
            except ConnectionError:  # an error here would be taken for one of the row
                raise SystemExit from None

    study, bench = Study.read(Path(folder)), Bench()
    with threads_limited(threads):
        while True:
            try:
                pack = study.packs[pipe.recv()]
                pipe.send(work_on(study, pack, bench, tell))
            except (EOFError, ConnectionError):
                return
