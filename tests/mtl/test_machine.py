"""What a run computes on: patience with the main process, and streams of the device in use."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
import torch

from mtl.machine import join_processes, update_stream


def test_processes_wait_for_a_long_evaluation():
    """The usual patience, 10 minutes with NCCL, ends while the main process scores dev."""
    assert join_processes().init_handler.timeout >= timedelta(hours=12)


@pytest.mark.parametrize(("device", "expected"), [("cpu", []), ("cuda:1", ["cuda:1"])])
def test_the_stream_of_an_update_keeps_the_state_of_its_own_device_alone(
    monkeypatch, device, expected
):
    kept = []

    @contextmanager
    def fork_rng(devices=None):
        kept.extend(map(str, devices))
        yield

    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    with update_stream(torch.device(device), 0, 0):
        pass
    assert kept == expected


def test_the_stream_of_an_update_follows_from_its_key():
    def drawn(*key):
        with update_stream(torch.device("cpu"), *key):
            return torch.rand(3).tolist()

    before = torch.get_rng_state()
    found = [drawn(0, 0, 0), drawn(1, 0, 0), drawn(0, 1, 0), drawn(0, 0, 1)]
    assert len({tuple(numbers) for numbers in found}) == 4
    assert drawn(0, 0, 0) == found[0]
    assert torch.equal(torch.get_rng_state(), before)
