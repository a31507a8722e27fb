"""What the tests of both adapters, experts and PALs, have in common: tasks, a batch, a property."""

import torch

from mtl.text.collate import TokenBatch
from tests.properties import snapshot

TASKS = ("sentiment", "similarity")
IDS_BL = torch.tensor([[2, 40, 41, 42, 43, 3], [2, 44, 3, 0, 0, 0]])
BATCH = TokenBatch(IDS_BL, (IDS_BL != 0).long(), None, [0, 1])


def assert_first_task_trains_its_own(encoder, adapters, use):
    """Hold that training the first task moves all its own adapters, and nothing else in them.

    Args:
        encoder: What reads the batch.
        adapters: The module that holds the adapters of all tasks.
        use: Makes those of a task the active ones, as a context.
    """
    mine = f".{TASKS[0]}."
    before = snapshot(adapters)
    trained = [parameter for parameter in adapters.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1)
    for _ in range(2):  # the second map starts at zero: the first step moves no other
        optimizer.zero_grad()
        with use(TASKS[0]):
            loss = encoder(BATCH).square().sum()
        loss.backward()
        for name, parameter in adapters.named_parameters():
            assert (parameter.grad is not None) == (mine in name), name
        optimizer.step()
    now = adapters.state_dict()
    moved = {key for key, value in now.items() if not torch.equal(value, before[key])}
    assert moved == {key for key in before if mine in key}
