"""GAN training speed against a plain two-optimizer loop over the same cached embeddings.

Run from the repository root: ``python -m benchmarks.gan_step --out gan_step.json``. The plain loop
is what the published code does: a ``DataLoader`` of tensors, two ``nn.Sequential`` players, one
forward pass, two backward passes over a kept graph, two ``AdamW`` with their defaults. Both play
the published objective (K + 1 softmax with feature matching) at the paper's sizes. Runs are
interleaved, so that whatever else the machine does falls on both; the ratio of medians counts.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softmax
from torch.utils.data import DataLoader, TensorDataset

from acgan_bert.ensemble import Ensemble
from acgan_bert.member import Member
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import load_recipe

ROWS, WIDTH, CLASSES = 8544, 384, 5


class Players(nn.Module):
    """Generator and discriminator of the published setting, one hidden layer each."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        hidden, noise = recipe.generator.width, recipe.generator.noise_width
        self.generator = nn.Sequential(
            nn.Linear(noise + CLASSES, hidden), nn.LeakyReLU(0.2), nn.Dropout(0.2),
            nn.Linear(hidden, WIDTH),
        )  # fmt: skip
        self.trunk = nn.Sequential(nn.Linear(WIDTH, hidden), nn.LeakyReLU(0.2), nn.Dropout(0.2))
        self.head = nn.Linear(hidden, CLASSES + 1)


def plain_loop(data: TensorDataset, recipe: Recipe, steps: int) -> None:
    """Train one GAN for some steps as the published ports do."""
    device = recipe.training.device
    players, batch = Players(recipe).to(device), recipe.training.batch_size
    discriminator = [*players.trunk.parameters(), *players.head.parameters()]
    d_optimizer = torch.optim.AdamW(discriminator, lr=5e-5)
    g_optimizer = torch.optim.AdamW(players.generator.parameters(), lr=5e-5)
    done = 0
    while done < steps:
        for rows in DataLoader(data, batch_size=batch, shuffle=True, drop_last=True):
            real, labels = (part.to(device) for part in rows)
            noise = torch.rand(batch, recipe.generator.noise_width, device=device)
            fakes = torch.randint(CLASSES, (batch,), device=device)
            condition = nn.functional.one_hot(fakes, CLASSES).float()
            fake = players.generator(torch.cat([noise, condition], 1))
            features = players.trunk(torch.cat([real, fake]))
            logits = players.head(features)
            probabilities = softmax(logits, -1)
            real_features, fake_features = features[:batch], features[batch:]
            g_loss = -torch.log(1 - probabilities[batch:, -1] + 1e-8).mean()
            g_loss = g_loss + (real_features.mean(0) - fake_features.mean(0)).square().mean()
            known = labels >= 0
            d_loss = -torch.log(1 - probabilities[:batch, -1] + 1e-8).mean()
            d_loss = d_loss - torch.log(probabilities[batch:, -1] + 1e-8).mean()
            if known.any():
                d_loss = d_loss + cross_entropy(logits[:batch, :-1][known], labels[known])
            g_optimizer.zero_grad()
            d_optimizer.zero_grad()
            g_loss.backward(retain_graph=True)  # as published: each loss reaches both players
            d_loss.backward()
            g_optimizer.step()
            d_optimizer.step()
            d_loss.item(), g_loss.item()
            done += 1
            if done == steps:
                return


def prepared(
    vectors: np.ndarray, labels: np.ndarray, recipe: Recipe, members: int
) -> Callable[[int], None]:
    """Build an ensemble once; what is timed is its steps."""
    each = [Member(recipe, labels, seed) for seed in range(members)]
    ensemble = Ensemble(vectors, each, num_classes=CLASSES)

    def train(steps: int) -> None:
        for _ in range(steps):
            losses = ensemble.step()
        float(losses["loss_generator"].sum())  # a GPU is done when it has an answer

    return train


def median_seconds(contestants: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Time the contestants in turn, so that whatever else runs falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(
    vectors: np.ndarray, labels: np.ndarray, batch: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the ratios at one batch size."""
    data = TensorDataset(torch.from_numpy(vectors), torch.from_numpy(labels))
    recipe = load_recipe("paper")
    training = replace(recipe.training, batch_size=batch, device=options.device)
    recipe = replace(recipe, training=training)
    steps, members = options.steps, options.members
    one, many = (prepared(vectors, labels, recipe, count) for count in (1, members))

    def one_after_another() -> None:
        for _ in range(members):
            plain_loop(data, recipe, steps // 10)

    seconds = median_seconds(
        {
            "plain": lambda: plain_loop(data, recipe, steps),
            "ours": lambda: one(steps),
            "plain, one after another": one_after_another,
            "ours, as one program": lambda: many(steps // 10),
        },
        options.repeats,
    )
    together = seconds["plain, one after another"] / seconds["ours, as one program"]
    return {
        "batch_size": batch,
        "one GAN": seconds["plain"] / seconds["ours"],
        f"{members} members": together,
        "seconds": seconds,
    }


def main() -> None:
    """Measure, print the ratios, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of both")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    labels = np.where(rng.random(ROWS) < 0.05, rng.integers(0, CLASSES, ROWS), -1)
    records = []
    for batch in (8, 64):
        records.append(measure(vectors, labels, batch, options))
        print({k: round(v, 2) for k, v in records[-1].items() if k != "seconds"}, flush=True)
    if options.out:
        settings = {"threads": torch.get_num_threads(), "torch": torch.__version__}
        settings["device"] = options.device
        options.out.write_text(json.dumps({"settings": settings, "ratios": records}, indent=2))


if __name__ == "__main__":
    main()
