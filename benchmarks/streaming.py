"""What training on streamed rows costs beside holding them: memory, the beginning, a step.

Run from the repository root: ``python -m benchmarks.streaming --out streaming.json``. A matrix of
random rows is stored as the embedding cache stores one and trained on by recipe ``default``, twice:
with all rows held in memory, whatever their size, and streamed. Each in a process of its own.
Seconds are the processor's, of one thread; memory is what the process holds beyond what it held
with everything imported and the matrix mapped, without the pages of mapped files, which the system
takes back when it needs them.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from acgan_bert.ensemble import Ensemble
from acgan_bert.member import Member
from acgan_bert.recipe_io import load_recipe
from mtl import rows as of_rows
from mtl.bert.store import read_matrix, write_matrix

WIDTH, CLASSES, LABELED, PART = 384, 5, 1000, 20_000


class Peak:
    """Looks at this process's anonymous memory every few milliseconds, while its block lasts."""

    def __enter__(self) -> "Peak":
        self.before, self.ended = _held_bytes(), threading.Event()
        self.most = self.before
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self.ended.wait(0.005):
            self.most = max(self.most, _held_bytes())

    @property
    def megabytes(self) -> float:
        """What was added at most, in units of 10^6 bytes."""
        return (self.most - self.before) / 1e6


def _held_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measure(folder: Path, rows: int, steps: int, *, held: bool) -> dict[str, Any]:
    """Begin and train on the first rows of a stored matrix."""
    torch.set_num_threads(1)
    of_rows.HELD_BYTES = sys.maxsize if held else 0
    matrix = read_matrix(folder)
    assert matrix is not None
    recipe = load_recipe("default")
    with threadpool_limits(limits=1), Peak() as peak:
        labels = np.where(np.arange(rows) < LABELED, np.arange(rows) % CLASSES, -1)
        members = [Member(recipe, labels, seed) for seed in range(recipe.training.members)]
        started = time.process_time()
        ensemble = Ensemble(of_rows.select(matrix, np.arange(rows)), members, num_classes=CLASSES)
        beginning = time.process_time() - started
        ensemble.step()
        started = time.process_time()
        for _ in range(steps):
            ensemble.step()
        step = (time.process_time() - started) / steps
    return {
        "rows": rows,
        "held": held,
        "MB of rows": round(4 * rows * WIDTH / 1e6),
        "MB held at most": round(peak.megabytes),
        "seconds to begin": round(beginning, 2),
        "milliseconds of a step": round(1e3 * step, 1),
    }


def main() -> None:
    """Measure, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--most-held", type=int, default=300_000)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    records = []
    with tempfile.TemporaryDirectory() as temporary:
        for rows in options.rows:
            folder, rng = Path(temporary) / str(rows), np.random.default_rng(0)
            parts = (
                rng.standard_normal((PART, WIDTH)).astype(np.float32) for _ in range(rows // PART)
            )
            write_matrix(folder, lambda _, parts=parts: parts, shape=(rows // PART * PART, WIDTH))
            for held in [True, False] if rows <= options.most_held else [False]:
                with get_context("spawn").Pool(1) as pool:
                    records.append(
                        pool.apply(measure, (folder, rows, options.steps), {"held": held})
                    )
                print(records[-1], flush=True)
    if options.out:
        record = {"torch": torch.__version__, "records": records}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
