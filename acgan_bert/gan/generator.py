"""The conditional generator: (noise, label) -> embedding.

*Source:* arXiv 2408.15265 (conditional generator over BERT embeddings); the label enters as a
one-hot vector beside the noise, one block of columns per task, as in Mirza & Osindero 2014.
Shapes: E members, B batch, Z noise, K condition (sum of the classes of all tasks), D embedding.
"""

import torch
from torch import Tensor, nn

from acgan_bert.gan.layers import MemberLinear, MemberMLP, MemberStreams, MLPSize


class Generator(nn.Module):
    """Map noise and condition to embeddings through an MLP.

    The output is linear plus a direct linear map of the condition, which lets the class means be
    learned at once and leaves the MLP the shape of each class.

    Args:
        embedding_width: Width D of an embedding.
        condition_width: Width K of the condition.
        noise_width: Width Z of the noise.
        size: Depths, widths and dropouts of the members.
        streams: The members' random streams.
    """

    def __init__(
        self,
        *,
        embedding_width: int,
        condition_width: int,
        noise_width: int,
        size: MLPSize,
        streams: MemberStreams,
    ) -> None:
        super().__init__()
        members = len(size.depths)
        self.body = MemberMLP(noise_width + condition_width, size, streams)
        self.output = MemberLinear(size.widths, [embedding_width] * members, streams)
        self.mean = MemberLinear(
            [condition_width] * members, [embedding_width] * members, streams, bias=False
        )

    def forward(self, noise_EBZ: Tensor, condition_EBK: Tensor) -> Tensor:
        """Return fake embeddings, shape (E, B, D)."""
        h_EBW = self.body(torch.cat([noise_EBZ, condition_EBK], dim=-1))
        return self.output(h_EBW) + self.mean(condition_EBK)
