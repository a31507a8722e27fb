"""Memory that the texts of a corpus take, while they are read and afterwards, a sentence.

Run from the repository: ``python -m benchmarks.corpus_memory --out corpus_memory.json``. The file
is made for the occasion: sentences of 95 characters with a label, in a temporary folder. Bytes are
those of the process beyond what it had before it read, its largest resident set and the last one.
"""

import argparse
import json
import os
import resource
import tempfile
from pathlib import Path

from mtl.files import write_json
from mtl.text.data import read_corpus

CHARACTERS = 95


def write_sentences(file: Path, rows: int) -> None:
    """Write a CSV file of different sentences."""
    lines = (f"{f'sentence {row} of many ':-<{CHARACTERS}},{row % 5}" for row in range(rows))
    file.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")


def resident() -> int:
    """Return the bytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.csv"
        write_sentences(file, arguments.rows)
        read_corpus("demo:sentiment")  # libraries are loaded by then
        before = resident()
        corpus = read_corpus(str(file))
        kept = resident() - before
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = {
        "rows": len(corpus),
        "characters": CHARACTERS,
        "peak bytes a row": round(peak / len(corpus)),
        "kept bytes a row": round(kept / len(corpus)),
    }
    print(json.dumps(found, indent=1))
    if arguments.out:
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
