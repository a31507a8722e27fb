"""What the rows of a study cost: processor seconds of a member's step by depth, and of measuring.

Run from the repository root: ``python -m benchmarks.study_cost --out study-cost.json``. Seconds are
the processor's, of one thread, so that whatever else the machine does hardly matters; vectors are
random, of the sizes of SST-5 by the packaged encoder. The last part sets what
:mod:`acgan_bert.studies.packing` orders by, parameters times rows, beside the seconds found.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from acgan_bert.ensemble import Ensemble
from acgan_bert.judge import judge
from acgan_bert.member import Member
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from acgan_bert.studies.measuring import GeneratorBench
from acgan_bert.studies.sizes import DataSize, player_sizes
from acgan_bert.trainer import HeldOut, TrainingRows
from mtl.text.data import Corpus
from mtl.text.splits import Split
from mtl.text.tasks import Task

ROWS, TEST_ROWS, WIDTH, CLASSES = 8544, 1101, 384, 5
DEPTHS, MEMBERS = (1, 4, 8), (1, 8, 32)


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Return the processor seconds of one call."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times


def rows_of_data() -> TrainingRows:
    """Return random vectors, one in twenty labelled."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    labels = np.where(rng.random(ROWS) < 0.05, rng.integers(0, CLASSES, ROWS), -1)
    return TrainingRows(vectors, labels, tuple("abcde"))


def step_seconds(
    rows: TrainingRows, recipe: Recipe, members: int, steps: int
) -> tuple[float, float]:
    """Return the seconds of making an ensemble, and of a member's step."""
    made = [Member(recipe, rows.labels, seed) for seed in range(members)]
    started = time.process_time()
    ensemble = Ensemble(rows.vectors, made, num_classes=CLASSES)
    beginning = time.process_time() - started
    ensemble.step()
    return beginning, seconds_of(ensemble.step, steps) / members


def measuring_seconds(rows: TrainingRows) -> dict[str, float]:
    """Return the seconds of measuring a generator: at first, of each row, and by all of `train`."""
    rng, recipe = np.random.default_rng(1), Recipe()
    real = rng.standard_normal((TEST_ROWS, WIDTH)).astype(np.float32)
    labels = rng.integers(0, CLASSES, TEST_ROWS)
    started = time.process_time()
    bench = GeneratorBench(rows, {"test": HeldOut(real, labels)}, parts_of(rows, labels), recipe)
    beginning = time.process_time() - started
    fake = rng.standard_normal(bench.reference.vectors.shape).astype(np.float32)
    return {
        "of a draw of labels": beginning,
        "of a row": seconds_of(lambda: bench.measure(fake), 3),
        "by all measures": seconds_of(lambda: judge(bench.reference, fake, rows, seed=0), 1),
    }


def parts_of(rows: TrainingRows, test_labels: NDArray[np.int64]) -> Parts:
    """Return texts, all empty, for the rows."""
    task = Task(name="sentiment", arity=1, output="classes", classes=rows.classes)

    def corpus(labels: NDArray[np.int64]) -> Corpus:
        ids = tuple(map(str, range(len(labels))))
        return Corpus(task, "random", ids, ("",) * len(labels), None, labels, None, ())

    known = rows.labels >= 0
    split = Split(labeled=np.flatnonzero(known), unlabeled=np.flatnonzero(~known))
    train, test = corpus(rows.labels), corpus(test_labels)
    return Parts(
        train=train,
        split=split,
        dev=None,
        test=test,
        notes=(),
        hashes={},
        pool=train,
        taken=frozenset(),
    )


def main() -> None:
    """Measure, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, size = rows_of_data(), DataSize(ROWS, WIDTH, CLASSES)
    records = []
    with threadpool_limits(limits=1):
        cases = [(depth, 8) for depth in DEPTHS] + [(1, members) for members in MEMBERS]
        for depth, members in dict.fromkeys(cases):
            recipe = apply(Recipe(), {"generator.depth": depth, "discriminator.depth": depth})
            beginning, step = step_seconds(rows, recipe, members, options.steps)
            work = sum(player_sizes(recipe, size)) * recipe.training.batch_size
            records.append(
                {
                    "depth": depth,
                    "members": members,
                    "seconds to begin": round(beginning, 3),
                    "milliseconds of a member's step": round(1e3 * step, 2),
                    "parameters times rows, per second": round(work / step),
                }
            )
            print(records[-1], flush=True)
        measuring = {key: round(value, 2) for key, value in measuring_seconds(rows).items()}
    print({"seconds of measuring a generator": measuring}, flush=True)
    if options.out:
        record = {"torch": torch.__version__, "steps": records, "seconds of measuring": measuring}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
