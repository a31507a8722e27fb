"""A toy model of the built-in tasks, and a few rows of each."""

import copy
from dataclasses import replace
from functools import cache

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
LOOP = LoopSettings(
    epochs=2,
    updates_per_epoch=4,
    batch_size=6,
    encoder_rate=2e-5,
    head_rate=1e-2,
    clip=1.0,
    evaluate_every=2,
    precision="no",
)


@cache
def encoder():
    return toy_encoder()


@cache
def tokens(name, part, pair_input, rows):
    corpus = CORPORA[name][part].select(np.arange(rows))
    return TokenizedCorpus(corpus, encoder().tokenizer, pair_input=pair_input, max_length=32)


def fresh(tokenized):
    """Copy what a test may change, the labels and scores; tokens stay."""
    copied, corpus = copy.copy(tokenized), tokenized.corpus
    scores = None if corpus.scores is None else corpus.scores.copy()
    copied.corpus = replace(corpus, labels=corpus.labels.copy(), scores=scores)
    return copied


def build(heads=HEADS, rows=40, dropout=True, names=NAMES, seed=0, **settings):
    """Return a toy model of the tasks and their rows."""
    torch.manual_seed(seed)
    tasks = {name: CORPORA[name]["train"].task for name in names}
    model = MultitaskModel(copy.deepcopy(encoder()), tasks, heads, ModelSettings(**settings))
    if not dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    data = {}
    for name in names:
        pair = pair_input(heads[name])
        train, dev = (fresh(tokens(name, part, pair, rows)) for part in ("train", "dev"))
        data[name] = TaskData(train=train, dev=dev)
    return model, data
