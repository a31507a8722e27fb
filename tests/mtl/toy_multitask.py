"""A toy model of the built-in tasks, and a few rows of each."""

import numpy as np
import torch

from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel, pair_input
from mtl.bert.toy import toy_encoder
from mtl.settings import LoopSettings, TaskData
from mtl.text.data import read_corpus
from mtl.text.tokens import TokenizedCorpus

NAMES = ("sentiment", "paraphrase", "similarity")
HEADS = {
    "sentiment": HeadSettings(dropout=0.1),
    "paraphrase": HeadSettings(kind="binary", pair="cross", dropout=0.1),
    "similarity": HeadSettings(kind="cosine-affine"),
}
CORPORA = {
    name: {part: read_corpus(f"demo:{name}", split=part) for part in ("train", "dev")}
    for name in NAMES
}
PAIRS = (("sentiment", "paraphrase"), ("similarity", "paraphrase"))
LOOP = LoopSettings(epochs=2, updates_per_epoch=4, batch_size=6, evaluate_every=2, head_rate=1e-2)


def build(heads=HEADS, rows=40, dropout=True, names=NAMES, seed=0, **settings):
    """Return a toy model of the tasks and their rows."""
    torch.manual_seed(seed)
    tasks = {name: CORPORA[name]["train"].task for name in names}
    encoder = toy_encoder()
    model = MultitaskModel(encoder, tasks, heads, ModelSettings(**settings))
    if not dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    data = {}
    for name in names:
        parts = {
            part: TokenizedCorpus(
                CORPORA[name][part].select(np.arange(rows)),
                encoder.tokenizer,
                pair_input=pair_input(heads[name]),
                max_length=32,
            )
            for part in ("train", "dev")
        }
        data[name] = TaskData(train=parts["train"], dev=parts["dev"])
    return model, data
