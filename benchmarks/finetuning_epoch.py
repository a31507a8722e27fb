"""A fine-tuning epoch of AC-GAN-BERT against the loop of the GAN-BERT PyTorch port.

Run from the repository, with the data folder beside it::

    python -m benchmarks.finetuning_epoch --out runs/records/speed/finetuning_epoch.json

The port's loop, written anew after crux82/ganbert-pytorch: every text padded to 64 tokens, float32,
log(p + 1e-8), two optimizers, the generator's loss propagated first and the graph kept for the
discriminator's. Both loops see as many rows a step, for as many steps, of the same labels; the
port replicates labelled rows as its notebook does. Seconds are those of whole epochs by turns, so
that whatever else the machine does falls on both; the accuracy is that on dev after the last.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from acgan_bert.encoding import embed_rows, open_encoder
from acgan_bert.finetuning import finetune
from acgan_bert.parts import Parts, read_parts
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from mtl.files import write_json

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PADDED, NOISE, EPSILON = 64, 100, 1e-8
RATE = 5e-5
"""Of the port, for both of its optimizers."""


class Port(nn.Module):
    """The port's two networks beside the encoder."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(NOISE, width), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(width, width)
        )
        self.body = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Dropout(0.2)
        )
        self.logits = nn.Linear(width, classes + 1)
        self.classes = classes

    def losses(self, real_BD: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the generator's and the discriminator's loss; -1: no label."""
        noise_BZ = torch.rand(len(real_BD), NOISE)
        both_XW = self.body(torch.cat([real_BD, self.generator(noise_BZ)]))
        logits_XC = self.logits(both_XW)
        probabilities_XC = logits_XC.softmax(-1)
        real_BC, fake_BC = probabilities_XC.chunk(2)
        real_BW, fake_BW = both_XW.chunk(2)
        fooled = -torch.log(1 - fake_BC[:, -1] + EPSILON).mean()
        matched = (real_BW.mean(0) - fake_BW.mean(0)).square().mean()
        known_B = labels_B >= 0
        log_BC = log_softmax(logits_XC[: len(real_BD), :-1], dim=-1)
        picked_B = -(one_hot(labels_B.clamp_min(0), self.classes) * log_BC).sum(-1)[known_B]
        supervised = picked_B.mean() if known_B.any() else log_BC.sum() * 0.0
        unsupervised = -torch.log(1 - real_BC[:, -1] + EPSILON).mean()
        unsupervised = unsupervised - torch.log(fake_BC[:, -1] + EPSILON).mean()
        return fooled + matched, supervised + unsupervised


def train_port(recipe: Recipe, parts: Parts, steps: int) -> Callable[[], float]:
    """Train the port for some steps; returns what scores it on dev."""
    torch.manual_seed(recipe.seed)
    encoder = open_encoder(recipe.encoder)
    rows = parts.hidden().select(parts.rows())
    limits = {"truncation": True, "padding": "max_length", "max_length": PADDED}
    encoded = encoder.tokenizer(list(rows.texts), **limits, return_tensors="pt")
    dev = encoder.tokenizer(list(parts.dev.texts), **limits, return_tensors="pt")
    port = Port(encoder.dimension, parts.task.num_classes).train()
    model, batch_size = encoder.model.train(), recipe.training.batch_size
    judged = [*model.parameters(), *port.body.parameters(), *port.logits.parameters()]
    d_optimizer = torch.optim.AdamW(judged, lr=RATE)
    g_optimizer = torch.optim.AdamW(port.generator.parameters(), lr=RATE)
    labels = torch.from_numpy(rows.labels)
    pool = _replicated(rows.labels)
    stream = np.random.default_rng(recipe.seed)
    order = np.concatenate(
        [stream.permutation(pool) for _ in range(-(-steps * batch_size // len(pool)))]
    )
    for step in range(steps):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        states_BLD = model(**{key: value[chosen] for key, value in encoded.items()})[0]
        g_loss, d_loss = port.losses(states_BLD[:, 0], labels[chosen])
        g_optimizer.zero_grad()
        d_optimizer.zero_grad()
        g_loss.backward(retain_graph=True)
        d_loss.backward()
        g_optimizer.step()
        d_optimizer.step()

    @torch.no_grad()
    def score() -> float:
        model.eval(), port.eval()
        blocks = np.array_split(np.arange(len(parts.dev)), 20)
        found = [
            port.logits(port.body(model(**{k: v[b] for k, v in dev.items()})[0][:, 0]))[:, :-1]
            for b in blocks
        ]
        return float((torch.cat(found).argmax(-1).numpy() == parts.dev.labels).mean())

    return score


def _replicated(labels: np.ndarray) -> np.ndarray:
    """Repeat labelled rows log2(1 / their share) times, as the notebook balances its batches."""
    known, others = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    times = max(1, int(math.log2(len(labels) / len(known))))
    return np.concatenate([np.repeat(known, times), others])


def train_ours(recipe: Recipe, parts: Parts, steps: int) -> Callable[[], float]:
    """Train ours for as many steps; returns what scores it on dev."""
    encoder = open_encoder(recipe.encoder)
    recipe = apply(recipe, {"training.steps": steps, "training.eval_every_steps": steps})
    rows = parts.hidden().select(parts.rows())
    model, _ = finetune(recipe, rows, encoder)

    def score() -> float:
        vectors = embed_rows(parts.dev, encoder, recipe.encoder, cached=False).vectors
        return float((model.predict_proba(vectors).argmax(1) == parts.dev.labels).mean())

    return score


def measure(fraction: float, epochs: int, seeds: int, steps: int) -> dict:
    """Train both by turns, with several seeds, and compare seconds and accuracies."""
    found: dict[str, list[dict[str, float]]] = {"port": [], "ours": []}
    for seed in range(seeds):
        files = {f"data.{part}": str(DATA / f"ids-sst-{part}.csv") for part in ("train", "dev")}
        recipe = apply(load_recipe("finetune"), files | {"data.label_fraction": fraction})
        recipe = apply(recipe, {"seed": seed, "encoder.max_length": PADDED})
        parts = read_parts(recipe.data, seed=seed)
        per_epoch = -(-len(parts.rows()) // recipe.training.batch_size)
        count = steps or epochs * per_epoch
        for name, train in (("port", train_port), ("ours", train_ours)):
            begun = time.perf_counter()
            score = train(recipe, parts, count)
            seconds = (time.perf_counter() - begun) * per_epoch / count
            found[name].append({"seconds an epoch": seconds, "accuracy": score()})
            print(f"seed {seed}, {name}: {found[name][-1]}", flush=True)
    ratio = statistics.median(
        port["seconds an epoch"] / ours["seconds an epoch"]
        for port, ours in zip(found["port"], found["ours"], strict=True)
    )
    return {
        "label_fraction": fraction,
        "batch_size": recipe.training.batch_size,
        "steps": count,
        "runs": found,
        "times faster": ratio,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    parser.add_argument("--label_fraction", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="instead of whole epochs")
    arguments = parser.parse_args()
    record = measure(arguments.label_fraction, arguments.epochs, arguments.seeds, arguments.steps)
    print(json.dumps({key: value for key, value in record.items() if key != "runs"}, indent=1))
    if arguments.out:
        write_json(arguments.out, record)


if __name__ == "__main__":
    main()
