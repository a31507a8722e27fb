"""Shared fixtures: a fixed seed, a cache of the test's own, no hub, and tiny encoders."""

import os
import random

# Before any import of huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
import torch

from mtl.bert.encoder import TextEncoder
from mtl.bert.toy import toy_encoder


@pytest.fixture(autouse=True)
def _same_start(monkeypatch, tmp_path_factory):
    """Seed every global stream, and keep the user's embedding cache out of the tests."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may draw from the global stream
    torch.manual_seed(0)
    monkeypatch.setenv("ACGAN_BERT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """Folder of a tiny BERT (D = 16), as a user would have one. Do not write into it."""
    folder = tmp_path_factory.mktemp("toy-encoder")
    toy_encoder(folder)
    return folder


@pytest.fixture
def encoder() -> TextEncoder:
    """Tiny BERT with mean pooling (D = 16), fresh for each test."""
    return toy_encoder()
