"""The conditional generator: (noise, label) -> embedding.

*Source:* arXiv 2408.15265 (conditional generator over BERT embeddings); the label enters as a
one-hot vector beside the noise, one block of columns per task, as in Mirza & Osindero 2014.
Shapes: E members, B batch, Z noise, K condition (sum of the classes of all tasks), D embedding.
"""

import torch
from torch import Tensor, nn

from acgan_bert.gan.layers import MemberLinear, MemberMLP, MLPSize
from acgan_bert.gan.streams import MemberStreams

INPUT_WEIGHTS = ("body.linears.0.weight_EIO", "skip.weight_EIO")
"""Weights, in a generator's state, with a row for each number of noise and then of condition."""


class Generator(nn.Module):
    """Map noise and condition to embeddings: an MLP and, beside it, one linear map.

    The linear map alone is a class-conditional Gaussian: its condition rows are class means, its
    noise rows span a covariance common to all classes. The MLP adds what is not Gaussian.

    Args:
        embedding_width: Width D of an embedding.
        condition_width: Width K of the condition.
        noise_width: Width Z of the noise.
        size: Depths, widths and dropouts of the members.
        streams: The members' random streams.
        linear_skip: Whether the linear map is there.
    """

    def __init__(
        self,
        *,
        embedding_width: int,
        condition_width: int,
        noise_width: int,
        size: MLPSize,
        streams: MemberStreams,
        linear_skip: bool = True,
    ) -> None:
        super().__init__()
        members, inputs = len(size.depths), noise_width + condition_width
        self.body = MemberMLP(inputs, size, streams)
        self.output = MemberLinear(size.widths, [embedding_width] * members, streams)
        self.skip = (
            MemberLinear([inputs] * members, [embedding_width] * members, streams, bias=False)
            if linear_skip
            else None
        )

    def forward(self, noise_EBZ: Tensor, condition_EBK: Tensor) -> Tensor:
        """Return fake embeddings, shape (E, B, D)."""
        inputs_EBI = torch.cat([noise_EBZ, condition_EBK], dim=-1)
        fake_EBD = self.output(self.body(inputs_EBI))
        return fake_EBD if self.skip is None else fake_EBD + self.skip(inputs_EBI)
