from types import SimpleNamespace

import pytest
import torch

from acgan_bert import encoding
from acgan_bert.recipe import Recipe


@pytest.mark.parametrize(("rank", "place"), [(None, "cuda:0"), ("1", "cuda:1")])
def test_each_process_opens_the_encoder_on_a_gpu_of_its_own(monkeypatch, rank, place):
    """All of them were on the first."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    opened = SimpleNamespace(to=lambda device: device)
    monkeypatch.setattr(encoding, "load_encoder", lambda *_, **__: opened)
    assert encoding.open_encoder(Recipe().encoder) == torch.device(place)
