"""Train a toy for a few updates in however many processes run this; rank 0 writes the weights."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mtl.trainer import MultitaskTrainer
from tests.mtl.toy_multitask import LOOP, build


def main() -> None:
    torch.set_num_threads(1)
    settings = replace(LOOP, surgery="pcgrad", batch_size=8, encoder_rate=1e-3)
    trainer = MultitaskTrainer(*build(dropout=False), settings)
    for _ in range(4):
        trainer.advance()
    if trainer.accelerator.is_main_process:
        processes = str(trainer.accelerator.num_processes)
        weights = {name: value.detach() for name, value in trainer.model.named_parameters()}
        save_file(weights, Path(sys.argv[1]), metadata={"processes": processes})


if __name__ == "__main__":
    main()
