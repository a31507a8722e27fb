"""Shared fixtures: a fixed seed, a cache of the test's own, no hub, and tiny encoders.

Several workers share the tests where all are run (pytest-xdist). What takes long to import is
imported in the fixtures: the process that hands out the tests needs none of it.
"""

import copy
import gc
import os
import random

import pytest

# Before any import of huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Before any import of NumPy or torch: one thread for each worker, which tiny arrays keep busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a few short texts are not worth other threads

gc.disable()  # until everything is imported
MOST_WORKERS = 4
"""Each worker imports everything again: ten seconds and half a gigabyte."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return a worker for each core where all tests are run, none where files or folders are."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    return workers if everything and workers > 1 else 0


def pytest_collection_finish():
    """Spare the garbage collector what was imported: it would look through it again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _same_start(monkeypatch, tmp_path_factory):
    """Seed every global stream, and keep the user's embedding cache out of the tests."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may draw from the global stream
    if torch.cuda.is_available():
        torch.manual_seed(0)
    else:  # the same, without the stack trace that torch keeps for a GPU that may come
        torch.default_generator.manual_seed(0)
    monkeypatch.setenv("ACGAN_BERT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """Folder of a tiny BERT (D = 16), as a user would have one. Do not write into it."""
    from mtl.bert.toy import write_toy

    folder = tmp_path_factory.mktemp("toy-encoder")
    write_toy(folder)
    return folder


@pytest.fixture(scope="session")
def _toy():
    from mtl.bert.toy import toy_encoder

    return toy_encoder()


@pytest.fixture
def encoder(_toy):
    """Tiny BERT with mean pooling (D = 16), fresh for each test."""
    return copy.deepcopy(_toy)
