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
from threadpoolctl import threadpool_limits

from acgan_bert.ensemble import Ensemble
from acgan_bert.judge import Reference, judge
from acgan_bert.member import Member
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from acgan_bert.studies.sizes import DataSize, player_sizes
from acgan_bert.trainer import TrainingRows

ROWS, WIDTH, CLASSES = 8544, 384, 5
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


def measuring_seconds(rows: TrainingRows, fakes: int) -> float:
    """Return the seconds of measuring one generator on so many fakes."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, fakes)
    real, fake = (rng.standard_normal((fakes, WIDTH)).astype(np.float32) for _ in range(2))
    texts = [{"id": str(row), "text": "", "label": "a"} for row in range(fakes)]
    reference = Reference("test", real, labels, texts)
    return seconds_of(lambda: judge(reference, fake, rows, seed=0), 1)


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
        measuring = round(measuring_seconds(rows, Recipe().report.fakes), 2)
    print({"seconds of measuring a generator": measuring}, flush=True)
    if options.out:
        record = {"torch": torch.__version__, "steps": records, "seconds of measuring": measuring}
        options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
