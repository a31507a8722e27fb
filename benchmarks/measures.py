"""Fréchet distance, kernel distance and PRDC of real rows against fakes: time, memory, agreement.

Run from the repository root, with the extra ``test``:
``python -m benchmarks.measures --out measures.json``. The reference is what one would write: the
square root of the product of covariances by scipy, full kernel matrices by scikit-learn, and the
prdc package. Each contestant runs in a process of its own, in turn with the others, once a round;
peak memory is that process' largest resident set, libraries included.
``--rows 100000 --only ours`` finishes in the memory of a laptop; one full matrix would take 80 GB.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from analysis import frechet_distance, kernel_distance, measure_together, prdc

Vectors = np.ndarray
SHARES = ("precision", "recall", "density", "coverage")
OURS, SEPARATE, REFERENCE = "ours", "ours, one by one", "scipy, scikit-learn, prdc"
PACKAGES = ("numpy", "scipy", "scikit-learn", "prdc")
NEIGHBORS = 5


def ours(real: Vectors, fake: Vectors) -> dict[str, float]:
    """Measure in one pass."""
    found = measure_together(real, fake, k=NEIGHBORS)
    shares = {name: getattr(found.prdc, name) for name in SHARES}
    return {"frechet": found.frechet.value, "kernel": found.kernel_distance} | shares


def separate(real: Vectors, fake: Vectors) -> dict[str, float]:
    """Measure with three calls."""
    shares = prdc(real, fake, k=NEIGHBORS)
    distances = {"frechet": frechet_distance(real, fake), "kernel": kernel_distance(real, fake)}
    return distances | {name: getattr(shares, name) for name in SHARES}


def reference(real: Vectors, fake: Vectors) -> dict[str, float]:
    """Measure as formulas are written, with other people's code."""
    import prdc as package
    from scipy.linalg import sqrtm
    from sklearn.metrics.pairwise import polynomial_kernel

    first, second = np.cov(real.T), np.cov(fake.T)
    shift = real.mean(axis=0) - fake.mean(axis=0)
    root = np.real(sqrtm(first @ second))
    frechet = float(shift @ shift + np.trace(first + second - 2.0 * root))
    kernel = -2.0 * float(polynomial_kernel(real, fake).mean())
    for rows in (real, fake):
        own = polynomial_kernel(rows)
        kernel += float(own.sum() - np.trace(own)) / (len(rows) * (len(rows) - 1))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        shares = package.compute_prdc(real, fake, nearest_k=NEIGHBORS)
    return {"frechet": frechet, "kernel": kernel} | {n: float(shares[n]) for n in SHARES}


CONTESTANTS: dict[str, Callable[[Vectors, Vectors], dict[str, float]]] = {
    OURS: ours,
    SEPARATE: separate,
    REFERENCE: reference,
}


def draw(rows: int, features: int) -> tuple[Vectors, Vectors]:
    """Draw vectors with the decaying spectrum of sentence embeddings, and fakes a little off."""
    rng = np.random.default_rng(0)
    deviations = np.arange(1, features + 1) ** -0.5
    real, fake = (rng.normal(size=(rows, features)) * deviations for _ in range(2))
    fake *= 0.97
    fake += 0.02
    return real, fake


def run_one(name: str, rows: int, features: int) -> None:
    """Be the fresh process: measure once and print the record."""
    real, fake = draw(rows, features)
    wall, cpu = time.perf_counter(), time.process_time()
    values = CONTESTANTS[name](real, fake)
    unit = 1 if sys.platform == "darwin" else 1024
    record = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30,
        "values": values,
    }
    print(json.dumps(record))


def measure(name: str, options: argparse.Namespace) -> dict:
    """Start a fresh process and return its record."""
    sizes = ["--rows", str(options.rows), "--features", str(options.features)]
    command = [sys.executable, "-m", "benchmarks.measures", "--one", name, *sizes]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def summarize(records: dict[str, list[dict]]) -> dict[str, dict]:
    """Return medians of each contestant, and ratios to the reference within rounds."""
    summary = {}
    for name, own in records.items():
        summary[name] = {
            key: statistics.median(one[key] for one in own) for key in ("wall", "cpu", "peak_gib")
        }
        for key in ("wall", "cpu") if REFERENCE in records else ():
            pairs = zip(own, records[REFERENCE], strict=True)
            ratio = statistics.median(other[key] / one[key] for one, other in pairs)
            summary[name][f"{key}_ratio"] = ratio
        if REFERENCE in records:
            expected = records[REFERENCE][0]["values"]
            gaps = [abs(value - expected[key]) for key, value in own[0]["values"].items()]
            summary[name]["largest_difference"] = max(gaps)
    return summary


def print_summary(summary: dict[str, dict], options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"{options.rows} x {options.features} real rows against as many fakes, float64")
    print(f"{'':28}{'wall s':>9}{'CPU s':>9}{'peak GiB':>10}{'faster':>9}{'CPU':>7}{'differs':>10}")
    for name, row in summary.items():
        line = f"{name:28}{row['wall']:9.2f}{row['cpu']:9.2f}{row['peak_gib']:10.2f}"
        if "wall_ratio" in row:
            line += f"{row['wall_ratio']:8.1f}x{row['cpu_ratio']:6.1f}x"
            line += f"{row['largest_difference']:10.1e}"
        print(line)


def main() -> None:
    """Measure, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file for the record")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CONTESTANTS, help="measure one contestant")
    parser.add_argument("--one", choices=CONTESTANTS, help="be one contestant's process")
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.rows, options.features)
        return
    names = [options.only] if options.only else list(CONTESTANTS)
    records: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            records[name].append(measure(name, options))
    summary = summarize(records)
    print_summary(summary, options)
    if options.out is not None:
        settings = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": options.rows,
            "features": options.features,
            "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
            "load": os.getloadavg(),
            "versions": {name: version(name) for name in PACKAGES},
        }
        record = {"settings": settings, "summary": summary, "rounds": records}
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
