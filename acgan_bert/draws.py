"""What a step draws at random: the generator's noise, and noise on what the discriminator sees.

Shapes: E members, B batch, D embedding, Z noise.
"""

import torch
from torch import Tensor

from acgan_bert.gan.streams import MemberStreams
from acgan_bert.recipe import Recipe


def view_noise(recipe: Recipe, streams: MemberStreams, rows: int, width: int) -> Tensor | None:
    """Return noise for the views of real rows, then of as many fakes, (E, 2B, D); None: without."""
    sigma = recipe.discriminator.input_noise
    if not sigma:
        return None
    size = (2 * rows, width)
    return sigma * streams.draw(lambda stream, e: torch.randn(size, generator=stream))


def generator_noise(recipe: Recipe, streams: MemberStreams, rows: int, width: int) -> Tensor:
    """Return what fakes are made from beside their labels, (E, B, Z)."""
    sample = torch.rand if recipe.generator.noise == "uniform" else torch.randn
    return streams.draw(lambda stream, e: sample((rows, width), generator=stream))
