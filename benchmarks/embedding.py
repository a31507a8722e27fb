"""Embedding speed against ``SentenceTransformer.encode``: same model, same texts, same cores.

Run from the repository root, with the extras ``offline`` and ``bench``:
``python -m benchmarks.embedding --out embedding.json``. The runs are interleaved, so that
whatever else the machine does falls on both; what counts is the ratio of the medians.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from mtl.bert.embed import embed_corpus, resolve_precision
from mtl.bert.encoder import load_encoder
from mtl.bert.sources import packaged_folder
from mtl.text.data import Corpus, read_corpus

SST = Path(__file__).resolve().parents[2] / "shared" / "data" / "ids-sst-train.csv"
PEER = "SentenceTransformer.encode"
OURS = "embed_corpus"
PACKAGES = ("torch", "transformers", "sentence-transformers", "numpy")


def main() -> None:
    """Measure, print the table, write the record."""
    options = read_options()
    corpus = load_corpus(options.rows)
    encoder = load_encoder("offline")
    peer = SentenceTransformer(str(packaged_folder()), device="cpu")

    def ours(precision: str) -> np.ndarray:
        budget = options.token_budget
        return embed_corpus(
            corpus, encoder, precision=precision, token_budget=budget, cache=None
        ).vectors

    contestants: dict[str, Callable[[], np.ndarray]] = {
        PEER: lambda: peer.encode(list(corpus.texts)),
        OURS: lambda: ours("auto"),
        f"{OURS} (float32)": lambda: ours("float32"),
    }
    seconds, vectors = measure(contestants, repeats=options.repeats)
    rows = summarize(seconds, vectors)
    source = Path(corpus.source).name
    record = {
        "what": f"embedding {len(corpus)} texts of {source} with all-MiniLM-L6-v2",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{processor()}, {torch.get_num_threads()} threads",
        "versions": {name: version(name) for name in PACKAGES},
        "precision": resolve_precision("auto", encoder.device),
        "token_budget": options.token_budget,
        "repeats": options.repeats,
        "results": rows,
    }
    print_table(record)
    if options.out is not None:
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--token_budget", type=int, default=8192)
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the record")
    return parser.parse_args()


def load_corpus(rows: int) -> Corpus:
    """Take the first SST sentences, or those of the built-in corpus where SST is not there."""
    corpus = read_corpus(str(SST) if SST.exists() else "demo:sentiment")
    return corpus.select(range(min(rows, len(corpus))))


def measure(
    contestants: dict[str, Callable[[], np.ndarray]], *, repeats: int
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Time every contestant in turn, again and again, after one run that is not counted."""
    vectors = {name: run() for name, run in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds, vectors


def summarize(seconds: dict[str, list[float]], vectors: dict[str, np.ndarray]) -> list[dict]:
    """Return a row per contestant: median, ratio to the peer, distance from its unit vectors."""
    reference = unit(vectors[PEER])
    slowest = statistics.median(seconds[PEER])
    return [
        {
            "name": name,
            "median_seconds": statistics.median(times),
            "all_seconds": times,
            "times_faster": slowest / statistics.median(times),
            "max_difference": float(np.abs(unit(vectors[name]) - reference).max()),
        }
        for name, times in seconds.items()
    ]


def processor() -> str:
    """Name the processor, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1, as the peer does to its own."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def print_table(record: dict) -> None:
    """Print the record for a reader."""
    print(f"{record['what']}; {record['machine']}; {record['precision']}")
    print(f"{'':32}{'median s':>10}{'times faster':>14}{'max difference':>16}")
    for row in record["results"]:
        print(
            f"{row['name']:32}{row['median_seconds']:10.2f}{row['times_faster']:14.2f}"
            f"{row['max_difference']:16.1e}"
        )


if __name__ == "__main__":
    main()
