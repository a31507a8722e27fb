"""Train toys in however many processes run this, and leave in a folder what each process found."""

import copy
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mtl import loop
from mtl.files import write_json
from mtl.loop import train_multitask
from mtl.pretraining import ContrastiveSettings, pretrain
from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import LOOP, build

SETTINGS = replace(LOOP, surgery="pcgrad", batch_size=8, encoder_rate=1e-3, checkpoint_every=1)
STAGE = ContrastiveSettings(kind="both", updates=3, batch_size=8, precision="no")


class Killed(Exception):
    pass


class Killable(MultitaskTrainer):
    """Dies before its sixth update, in every process."""

    def advance(self):
        if self.update_number == 5:
            raise Killed
        return super().advance()


RANK = int(os.environ.get("RANK", "0"))
# Made before processes join: from then on transformers writes the toy's files in the main one only.
# Heads start at random, in each process differently: the main one's must count.
MODEL, DATA = build(dropout=False, seed=RANK)


def start():
    return copy.deepcopy(MODEL), DATA


def weights(model):
    return {name: value.detach() for name, value in model.named_parameters()}


def leave(folder, name, model, **others):
    save_file(weights(model) | others, folder / f"{name}-{RANK}.safetensors")


def updates(folder):
    trainer = MultitaskTrainer(*start(), SETTINGS)
    for _ in range(4):
        losses = trainer.advance()
    leave(folder, "updates", trainer.model, **losses)
    write_json(folder / f"processes-{RANK}.json", trainer.accelerator.num_processes)


def run(folder, name, model, checkpoint=None):
    """Train to the end; leave the weights, what was recorded, and how often this one evaluated."""
    records, evaluated, evaluate = [], [], loop.evaluate

    def counted(*given, **settings):
        evaluated.append(given[1])
        return evaluate(*given, **settings)

    loop.evaluate = counted
    outcome = train_multitask(model, DATA, SETTINGS, record=records.append, checkpoint=checkpoint)
    loop.evaluate = evaluate
    leave(folder, name, model)
    found = {"records": records, "evaluated": len(evaluated), "best": outcome.best_update}
    write_json(folder / f"{name}-{RANK}.json", found | {"scores": outcome.scores})


def killed_run(folder):
    loop.MultitaskTrainer = Killable
    try:
        train_multitask(*start(), SETTINGS, checkpoint=folder / "checkpoint")
    except Killed:
        loop.MultitaskTrainer = MultitaskTrainer
    model, _ = start()
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)  # what it starts with must not matter
    run(folder, "resumed", model, folder / "checkpoint")


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    updates(folder)
    if "RANK" not in os.environ:
        return
    run(folder, "whole", start()[0])
    killed_run(folder)
    model, data = start()
    pretrain(model, data, STAGE, checkpoint=folder / "contrastive")
    leave(folder, "contrastive", model)


if __name__ == "__main__":
    main()
