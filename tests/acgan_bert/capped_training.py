"""Train on a stored matrix with less memory than it takes; for a process of its own.

``python -m tests.acgan_bert.capped_training FOLDER BYTES`` prints one JSON object.
"""

import json
import resource
import sys
from pathlib import Path
from unittest import mock

import numpy as np

from acgan_bert.trainer import HeldOut, TrainingRows, train_gan
from mtl import rows as of_rows
from mtl.bert.store import read_matrix
from mtl.rows import select
from tests.toy import tiny_recipe


def train(matrix):
    """Train on all rows but the first, of which a few are labelled; returns the dev accuracy."""
    truth = (np.arange(len(matrix)) % 2).astype(np.int64)
    labels = np.where(np.arange(len(matrix)) < 40, truth, -1)
    used = select(matrix, np.arange(1, len(matrix)))
    records = []
    train_gan(
        TrainingRows(used, labels[1:], ("even", "odd")),
        tiny_recipe(),
        dev=HeldOut(matrix[:2000], truth[:2000]),
        record=records.append,
    )
    return records[-1]["dev_accuracy"]


def main():
    """Cap what this process may hold beyond what it holds; try without streaming, then with."""
    folder, cap = Path(sys.argv[1]), int(sys.argv[2])
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    before = 1024 * int(status["VmData"].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (before + cap, before + cap))
    matrix = read_matrix(folder)
    try:
        with mock.patch.object(of_rows, "HELD_BYTES", sys.maxsize):
            held = train(matrix)
    except MemoryError as error:
        held = f"{type(error).__name__}: {error}"
    print(json.dumps({"held": held, "streamed": train(matrix)}))


if __name__ == "__main__":
    main()
