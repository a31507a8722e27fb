"""What the game beside the multitask BERT leaves: for each task a GAN of its own.

One generator serves all tasks, told apart by its condition. With that of one task filled in, what
is left is a generator of that task's classes alone; likewise with the discriminator's heads. A
score task's fakes of a bucket have the score at its middle.
Shapes: E members, I inputs, K condition, C classes of a task, S score tasks.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from acgan_bert.gan.generator import INPUT_WEIGHTS
from acgan_bert.joint import JointGAN
from acgan_bert.joint_rows import bucket_scores
from acgan_bert.model import GANModel

_BY_TASK = ("heads", "skips", "rivals")


def task_models(gan: JointGAN) -> dict[str, GANModel]:
    """Cut the averaged players apart, by task."""
    states = gan.players.averaged_states()
    generator, discriminator = ({k: v.cpu() for k, v in state.items()} for state in states)
    space = deepcopy(gan.space).cpu()
    return {
        name: GANModel(
            replace(gan.shape, classes=(kind.num_classes,), scores=0),
            kind.classes,
            space,
            _generator_of(gan, name, generator),
            _discriminator_of(gan, name, discriminator),
        )
        for name, kind in gan.tasks.items()
    }


def _columns(gan: JointGAN, task: str) -> tuple[int, int]:
    """Return where a task's classes begin in the condition, and where they end."""
    place, counts = gan.places[task], gan.shape.classes
    return sum(counts[:place]), sum(counts[: place + 1])


def _generator_of(gan: JointGAN, task: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep the rows of the input that noise and the task's classes enter by."""
    noise, (start, stop) = gan.shape.noise_width, _columns(gan, task)
    found = dict(state)
    for name in INPUT_WEIGHTS:
        if name not in state:
            continue
        noise_EIO, classes_EIO, scores_EIO = state[name].split(
            [noise, sum(gan.shape.classes), gan.shape.scores], dim=1
        )
        own_EIO = classes_EIO[:, start:stop]
        if task in gan.scored:
            middle_C = bucket_scores(torch.arange(stop - start), torch.tensor(0.5), gan.tasks[task])
            row_EO = scores_EIO[:, gan.scored[task]]
            own_EIO = own_EIO + middle_C.view(1, -1, 1) * row_EO.unsqueeze(1)
        found[name] = torch.cat([noise_EIO, own_EIO], dim=1)
    return found


def _discriminator_of(gan: JointGAN, task: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep the trunk, the source, and what is the task's own."""
    place, (start, stop) = gan.places[task], _columns(gan, task)
    found = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "projection":
            found[name] = value[..., start:stop]
        elif part in _BY_TASK:
            number, _, rest = rest.partition(".")
            if int(number) == place:
                found[f"{part}.0.{rest}"] = value
        elif part != "scores":
            found[name] = value
    return found
