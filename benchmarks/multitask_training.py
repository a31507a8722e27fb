"""Training speed on real texts: the trainer against a plain loop; run by ``multitask_step``.

The packaged encoder is trained on SST sentences. The plain loop has its rows tokenized, and padded
to 64, beforehand; in a round it shows the rows of the trainer's batches, before they are dealt out
by length. Tokens per second are those of the texts, padding not counted. In each round every
contestant has a turn and is compared with the reference of that round, so that whatever else the
machine does falls on both; medians over rounds count.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mtl.bert.encoder import load_encoder
from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel
from mtl.settings import LoopSettings, TaskData
from mtl.text.collate import TokenBatch
from mtl.text.data import Corpus, read_corpus
from mtl.text.tokens import BUCKET_BATCHES, TaskBatch, TokenizedCorpus
from mtl.trainer import MultitaskTrainer

SST = Path(__file__).resolve().parents[2] / "shared" / "data" / "ids-sst-train.csv"
PADDED = 64
PLAIN = f"padded to {PADDED}, float32"
TOKEN_KEYS = ("input_ids", "attention_mask", "token_type_ids")


class Seconds(NamedTuple):
    """What one turn took."""

    wall: float
    cpu: float
    """Of all threads; a busy machine changes it less."""


def alternate(
    contestants: dict[str, Callable[[], object]], rounds: int
) -> dict[str, list[Seconds]]:
    """Time all contestants in each round, after one that does not count."""
    times: dict[str, list[Seconds]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            took = Seconds(time.perf_counter() - wall, time.process_time() - cpu)
            times[name].append(took)
    return {name: each[1:] for name, each in times.items()}


def ratios(times: list[Seconds], reference: list[Seconds]) -> tuple[float, float]:
    """Return the medians over rounds of the ratios of wall and of CPU time."""
    pairs = list(zip(times, reference, strict=True))
    wall = statistics.median(one.wall / other.wall for one, other in pairs)
    return wall, statistics.median(one.cpu / other.cpu for one, other in pairs)


def trainer_of(corpus: Corpus, batch_size: int, precision: str) -> MultitaskTrainer:
    """Make the trainer of one task on the packaged encoder."""
    torch.manual_seed(0)
    encoder = load_encoder("offline", max_length=PADDED)
    rows = TokenizedCorpus(corpus, encoder.tokenizer, pair_input="joined", max_length=PADDED)
    tasks, heads = {"sentiment": corpus.task}, {"sentiment": HeadSettings()}
    model = MultitaskModel(encoder, tasks, heads, ModelSettings())
    settings = LoopSettings(epochs=100, batch_size=batch_size, precision=precision, clip=0.0)
    return MultitaskTrainer(model, {"sentiment": TaskData(train=rows)}, settings)


def padded_loop(corpus: Corpus, trainer: MultitaskTrainer) -> Callable[[], None]:
    """Return a plain loop over the rows of the trainer's batches, padded beforehand."""
    model = trainer_of(corpus, 1, "no").model.train()
    limits = {"truncation": True, "padding": "max_length", "max_length": PADDED}
    encoded = model.encoder.tokenizer(list(corpus.texts), **limits, return_tensors="pt")
    labels = torch.from_numpy(corpus.labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, fused=True)
    plain = trainer.rows["sentiment"].plain
    batches = iter(range(sys.maxsize))

    def run() -> None:
        for _ in range(BUCKET_BATCHES):
            rows = plain.batch(next(batches))
            batch = TokenBatch(*(encoded[key][rows] for key in TOKEN_KEYS), rows)
            labels_B = labels[rows]
            optimizer.zero_grad()
            whole = TaskBatch(batch, None, labels_B, None)
            vectors = model.encode("sentiment", whole, model.embed(whole))  # padding and all
            logits_BC = model.heads["sentiment"](*vectors)
            torch.nn.functional.cross_entropy(logits_BC, labels_B).backward()
            optimizer.step()

    return run


def measure_training(batch_size: int, rounds: int) -> dict:
    """Return tokens per second, padding not counted; all loops see the same rows in a round."""
    corpus = read_corpus(str(SST) if SST.exists() else "demo:sentiment")
    trainers = {
        f"trainer, {name}": trainer_of(corpus, batch_size, precision)
        for name, precision in (("float32", "no"), ("bfloat16", "bf16"))
    }

    def advance(trainer: MultitaskTrainer) -> None:
        for _ in range(BUCKET_BATCHES):
            trainer.advance()

    one = next(iter(trainers.values()))
    plain, lengths = one.rows["sentiment"].plain, one.data["sentiment"].train.lengths
    contestants: dict[str, Callable[[], object]] = {PLAIN: padded_loop(corpus, one)}
    contestants |= {name: partial(advance, trainer) for name, trainer in trainers.items()}
    times = alternate(contestants, rounds)
    numbers = np.arange(BUCKET_BATCHES, BUCKET_BATCHES * (rounds + 1)).reshape(rounds, -1)
    counts = [sum(int(lengths[plain.batch(k)].sum()) for k in turn) for turn in numbers]
    return {
        "corpus": Path(corpus.source).name,
        "batch_size": batch_size,
        "tokens": counts,
        "tokens per second": {
            name: statistics.median(n / t.wall for n, t in zip(counts, each, strict=True))
            for name, each in times.items()
        },
        "times faster": {name: ratios(times[PLAIN], each) for name, each in times.items()},
        "seconds": times,
    }


def print_training(record: dict) -> None:
    """Print tokens per second as a table."""
    print(f"training MiniLM on {record['corpus']}, batch {record['batch_size']}")
    print(f"{'':30}{'tokens/s':>9}{'times faster':>14}{'in CPU time':>13}")
    for name, speed in record["tokens per second"].items():
        wall, cpu = record["times faster"][name]
        print(f"{name:30}{speed:9.0f}{wall:14.2f}{cpu:13.2f}")
