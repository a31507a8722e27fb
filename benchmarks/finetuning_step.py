"""What does the GAN cost beside an encoder that is trained, and how busy is the machine with it?

Run from the repository root, with the extra ``offline``::

    python -m benchmarks.finetuning_step --out runs/records/speed/finetuning_step.json

An encoder in the shape of BERT-base with random weights is trained on texts of one length, where
there is a GPU on that: alone, with a linear head, and with AC-GAN-BERT on it, half of a batch
without labels. Matrix products in bfloat16 take a turn in every round; operations of the encoder
are counted forward and backward, its attention included, and put against that rate. Medians over
rounds count. ``--layers 2 --width 128 --batch 16`` is a try on a small machine.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from transformers import BertConfig, BertModel

from acgan_bert.joint import JointGAN
from acgan_bert.multitask_settings import loop_settings, model_settings
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from benchmarks.multitask_training import alternate
from mtl.bert.encoder import TextEncoder, load_encoder
from mtl.bert.heads import HeadSettings
from mtl.bert.model import MultitaskModel
from mtl.files import write_json
from mtl.machine import join_processes
from mtl.settings import TaskData
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus
from mtl.trainer import MultitaskTrainer

CLASSES, BATCHES = 5, 4
ALONE, BESIDE, PRODUCTS = "encoder and head", "AC-GAN-BERT", "matrix products"
KEYS = MappingProxyType({"multitask.head_learning_rate": 1e-4, "multitask.warmup_share": 0.0})


def random_corpus(rows: int, length: int, *, labeled: int) -> Corpus:
    """Make texts of one length, special tokens included; of the last rows nobody knows the class.

    Args:
        rows: How many.
        length: Tokens of each.
        labeled: Rows with a label.
    """
    stream = np.random.default_rng(0)
    letters = stream.choice(list("abcdefghijklmnopqrstuvwxyz"), (rows, length - 2))
    labels = np.where(np.arange(rows) < labeled, np.arange(rows) % CLASSES, -1)
    task = Task(name="task", arity=1, output="classes", classes=tuple(map(str, range(CLASSES))))
    ids, texts = tuple(map(str, range(rows))), tuple(map(" ".join, letters))
    return Corpus(task, "random", ids, texts, None, labels, None)


def trainer_of(arguments: argparse.Namespace, recipe: Recipe, *, beside: bool) -> MultitaskTrainer:
    """Make what is trained, with a GAN beside the encoder or with a head on it."""
    torch.manual_seed(0)
    heads = max(1, arguments.width // 64)
    shape = {"hidden_size": arguments.width, "num_hidden_layers": arguments.layers}
    inner = {"intermediate_size": 4 * arguments.width, "num_attention_heads": heads}
    bert = BertModel(BertConfig(**shape, **inner), add_pooling_layer=False)
    tokenizer, longest = load_encoder("offline").tokenizer, arguments.length
    encoder = TextEncoder(bert, tokenizer, name="random", pooling="mean", max_length=longest)
    half = arguments.batch // 2
    rows, labeled = BATCHES * arguments.batch, BATCHES * (half if beside else arguments.batch)
    corpus = random_corpus(rows, arguments.length, labeled=labeled)
    tokens = TokenizedCorpus(corpus, tokenizer, pair_input="joined", max_length=longest)
    kind = HeadSettings(kind="none") if beside else HeadSettings()
    tasks = {"task": corpus.task}
    model = MultitaskModel(encoder, tasks, {"task": kind}, model_settings(recipe))
    data = {"task": TaskData(train=tokens, unlabeled_rows=half if beside else 0)}
    gan = JointGAN(model, data, recipe) if beside else None
    return MultitaskTrainer(model, data, loop_settings(recipe), gan)


def operations(arguments: argparse.Namespace) -> float:
    """Count the encoder's operations a token, forward and backward.

    Six for each weight of its layers, and twelve for each token looked at, layer and width.
    """
    weights = 12 * arguments.layers * arguments.width**2
    return 6.0 * weights + 12.0 * arguments.layers * arguments.width * arguments.length


def waited(run: Callable[[], object]) -> Callable[[], None]:
    """Return what runs something and waits until a GPU has done it."""

    def run_and_wait() -> None:
        run()
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()

    return run_and_wait


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Let everything take a turn in each round."""
    updates = arguments.updates * (arguments.rounds + 1)
    recipes = {
        name: apply(
            load_recipe("finetune"),
            {
                **KEYS,
                "multitask.batch_size": arguments.batch // (2 if name == BESIDE else 1),
                "multitask.updates_per_epoch": updates,
                "multitask.epochs": 1,
                "multitask.precision": "bf16",
            },
        )
        for name in (ALONE, BESIDE)
    }
    trainers = {n: trainer_of(arguments, r, beside=n == BESIDE) for n, r in recipes.items()}
    device, size = join_processes().device, arguments.matrix
    one, other = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))

    def advance(trainer: MultitaskTrainer) -> None:
        for _ in range(arguments.updates):
            trainer.advance()

    contestants = {n: waited(partial(advance, t)) for n, t in trainers.items()}
    contestants[PRODUCTS] = waited(lambda: [one @ other for _ in range(10)])
    times = alternate(contestants, arguments.rounds)
    seconds = {name: statistics.median(t.wall for t in each) for name, each in times.items()}
    rate = 10 * 2.0 * size**3 / seconds[PRODUCTS]
    tokens = arguments.updates * arguments.batch * arguments.length
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        **{key: value for key, value in vars(arguments).items() if key != "out"},
        "tokens per second": {name: tokens / seconds[name] for name in trainers},
        "share of the matrix rate": {
            name: tokens * operations(arguments) / seconds[name] / rate for name in trainers
        },
        "times as long with the GAN": seconds[BESIDE] / seconds[ALONE],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--length", type=int, default=64, help="tokens of a text")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--updates", type=int, default=2, help="of a turn; 20 on a GPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--matrix", type=int, default=2048, help="width of matrices; 8192 on a GPU")
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    arguments = parser.parse_args()
    record = measure(arguments)
    for name, value in record.items():
        print(f"{name}: {value}")
    if arguments.out:
        write_json(arguments.out, record)


if __name__ == "__main__":
    main()
