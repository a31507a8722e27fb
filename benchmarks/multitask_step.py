"""One multitask update against the plain summed loss and TorchJD; then the speed of training.

Run from the repository root, with the extras ``offline`` and ``test``:
``python -m benchmarks.multitask_step --out multitask_step.json``. A model in the shape of BERT-base
takes steps of three tasks (batch 8, length 32), AdamW included; then see
:mod:`benchmarks.multitask_training`. Peak memory is the largest resident set of a fresh process
that takes two steps, libraries, weights and moments included: differences alone mean anything.
The time's reference is the faster of two ways to sum the losses.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torchjd.aggregation import PCGrad
from torchjd.autojac import jac_to_grad, mtl_backward
from transformers import BertConfig, BertModel

from benchmarks.multitask_training import (
    alternate,
    measure_training,
    print_training,
    ratios,
)
from mtl.bert.encoder import TextEncoder, load_encoder
from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel
from mtl.companion import Part
from mtl.losses import cross_entropy
from mtl.step import MultitaskStep
from mtl.surgery import make_surgery
from mtl.text.collate import TokenBatch
from mtl.text.tasks import Task
from mtl.text.tokens import TaskBatch

NAMES, CLASSES = ("first", "second", "third"), 5
ROWS, LENGTH = 8, 32
SUMMED, JOINT = "summed loss, three passes", "summed loss, one batch of 24"
OURS = "ours, PCGrad"
PACKAGES = ("torch", "transformers", "torchjd")


class Steps:
    """A model of three tasks, a batch of each, and the ways to make one update of them."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        bert = BertModel(BertConfig(), add_pooling_layer=False)  # its defaults are BERT-base
        tokenizer = load_encoder("offline").tokenizer
        encoder = TextEncoder(bert, tokenizer, name="random", pooling="mean", max_length=LENGTH)
        classes = tuple(map(str, range(CLASSES)))
        task = partial(Task, arity=1, output="classes", classes=classes)
        tasks = {name: task(name=name) for name in NAMES}
        heads = {name: HeadSettings() for name in NAMES}
        self.model = MultitaskModel(encoder, tasks, heads, ModelSettings()).train()
        self.batches = {name: random_batch() for name in NAMES}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, fused=True)
        self.pcgrad, self.gradvac = self.ours("pcgrad"), self.ours("gradvac")

    @property
    def copy_gib(self) -> float:
        """GiB of one gradient of what the tasks share."""
        return sum(p.numel() for _, p in self.model.shared_parameters()) * 4 / 2**30

    def take(self, name: str) -> None:
        """Make one update."""
        self.optimizer.zero_grad()
        CONTESTANTS[name](self)
        self.optimizer.step()

    def summed(self) -> None:
        """Run one backward pass of the sum of three losses."""
        torch.stack([self.loss(name) for name in NAMES]).sum().backward()

    def joint(self) -> None:
        """Encode all rows together; every task has its share of them."""
        ids_BL = torch.cat([batch.singles.input_ids_BL for batch in self.batches.values()])
        h_BD = self.model.encoder(tokens(ids_BL))
        losses = [
            cross_entropy(self.model.heads[name](part_BD), self.batches[name].labels_B)
            for name, part_BD in zip(NAMES, h_BD.split(ROWS), strict=True)
        ]
        torch.stack(losses).sum().backward()

    def separate(self) -> None:
        """Run one backward pass a task, into the same gradient."""
        for name in NAMES:
            self.loss(name).backward()

    def ours(self, surgery: str) -> Callable[[], object]:
        """Return the step of the trainer, with a surgery."""
        losses = {name: partial(self.part_loss, name) for name in NAMES}
        step = MultitaskStep(self.model, losses, None)
        groups = max(step.groups) + 1
        step.surgery = make_surgery(surgery, tasks=len(NAMES), seed=0, groups=groups)
        turn = {name: [Part(batch, 1.0, 1.0)] for name, batch in self.batches.items()}
        return lambda: step.gradients(turn)

    def torchjd(self) -> None:
        """Follow TorchJD's documentation of multitask learning."""
        features = [self.model.encode(name, self.batches[name])[0] for name in NAMES]
        losses = [
            cross_entropy(self.model.heads[name](h_BD), self.batches[name].labels_B)
            for name, h_BD in zip(NAMES, features, strict=True)
        ]
        mtl_backward(losses, features=features)
        jac_to_grad([parameter for _, parameter in self.model.shared_parameters()], PCGrad())

    def loss(self, name: str) -> torch.Tensor:
        """Return the loss of one task."""
        batch = self.batches[name]
        return cross_entropy(self.model(name, batch), batch.labels_B)

    def part_loss(self, name: str, part: Part) -> dict[str, torch.Tensor]:
        """Return the loss of one task, as a step asks for it."""
        return {name: cross_entropy(self.model(name, part.batch), part.batch.labels_B)}


CONTESTANTS: dict[str, Callable[[Steps], object]] = {
    SUMMED: Steps.summed,
    JOINT: Steps.joint,
    "separate backward passes": Steps.separate,
    OURS: lambda steps: steps.pcgrad(),
    "ours, GradVac": lambda steps: steps.gradvac(),
    "TorchJD, PCGrad": Steps.torchjd,
}


def tokens(ids_BL: torch.Tensor) -> TokenBatch:
    """Make a batch without padding."""
    return TokenBatch(ids_BL, torch.ones_like(ids_BL), None, np.arange(len(ids_BL)))


def random_batch() -> TaskBatch:
    """Draw the rows of a task."""
    ids_BL = torch.randint(1000, BertConfig().vocab_size, (ROWS, LENGTH))
    return TaskBatch(tokens(ids_BL), None, torch.randint(CLASSES, (ROWS,)), None)


def peak_gib(name: str) -> float:
    """Take two steps in a fresh process and return its largest resident set."""
    command = [sys.executable, "-m", "benchmarks.multitask_step", "--peak", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(name: str) -> None:
    """Be the fresh process."""
    steps = Steps()
    for _ in range(2):
        steps.take(name)
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30)


def measure_steps(rounds: int) -> dict:
    """Return time and memory of each way to make a step."""
    # Before this process grows: a child starts with the peak of its parent.
    peaks = {name: peak_gib(name) for name in CONTESTANTS}
    steps = Steps()
    times = alternate({name: partial(steps.take, name) for name in CONTESTANTS}, rounds)
    best = min((SUMMED, JOINT), key=lambda name: statistics.median(t.wall for t in times[name]))
    to_best, to_three = (
        {name: ratios(each, times[reference]) for name, each in times.items()}
        for reference in (best, SUMMED)
    )
    return {
        "reference": best,
        "copy_gib": steps.copy_gib,
        "peak_gib": peaks,
        "copies": {name: (peaks[name] - peaks[best]) / steps.copy_gib for name in CONTESTANTS},
        "ratios": to_best,
        "ratios to three passes": to_three,
        "seconds": times,
    }


def print_steps(record: dict) -> None:
    """Print time and memory as a table."""
    print(f"a step of three tasks, {ROWS} x {LENGTH} tokens each, BERT-base with random weights")
    print(f"{'':30}{'median s':>9}{'time':>7}{'CPU time':>10}{'peak GiB':>10}{'copies':>8}")
    for name, times in record["seconds"].items():
        wall, cpu = record["ratios"][name]
        print(
            f"{name:30}{statistics.median(t.wall for t in times):9.2f}{wall:7.2f}{cpu:10.2f}"
            f"{record['peak_gib'][name]:10.2f}{record['copies'][name]:+8.1f}"
        )
    print(f"copies: gradients ({record['copy_gib']:.2f} GiB each) over the peak of the reference,")
    wall, cpu = record["ratios to three passes"][OURS]
    print(f"{record['reference']}; {OURS} over {SUMMED}: {wall:.2f}, CPU time {cpu:.2f}\n")


def main() -> None:
    """Measure, print the tables, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file for the record")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", choices=CONTESTANTS, help="print one contestant's memory only")
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak)
        return
    steps = measure_steps(options.rounds)
    print_steps(steps)
    training = [measure_training(batch_size, options.rounds) for batch_size in (8, 32)]
    for record in training:
        print_training(record)
    if options.out is not None:
        settings = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "threads": torch.get_num_threads(),
            "load": os.getloadavg(),
            "versions": {name: version(name) for name in PACKAGES},
        }
        record = {"settings": settings, "steps": steps, "training": training}
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
