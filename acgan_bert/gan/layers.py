"""Layers with a leading members axis: E independent networks computed as one program.

A single GAN is an ensemble of one. Members may differ in depth and width: narrower members are
padded with zero weights, whose activations and gradients are exactly zero, and shallower members
pass through the extra layers unchanged. Shapes: E members, B batch, I inputs, O outputs.
Every random number of member e comes from its own stream, so it never sees who else is there.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from acgan_bert.gan.streams import MemberStreams


class MemberLinear(nn.Module):
    """Apply y = x W + b with each member's own W and b.

    Args:
        in_widths: Inputs of each member, length E; 0: the member has no such layer.
        out_widths: Outputs of each member, length E; 0 likewise.
        streams: Source of the initial weights, uniform in ±1/√in as in ``torch.nn.Linear``.
        bias: Whether to add b.
        spectral_norm: Whether to divide W by its largest singular value (Miyato et al. 2018),
            found by one step of power iteration per training pass.
        padded_width: Width to which both sides are padded at least, for the members that lack
            this layer and pass their own width on.
    """

    def __init__(
        self,
        in_widths: Sequence[int],
        out_widths: Sequence[int],
        streams: MemberStreams,
        *,
        bias: bool = True,
        spectral_norm: bool = False,
        padded_width: int = 0,
    ) -> None:
        super().__init__()
        self.spectral_norm = spectral_norm
        inputs, outputs = max(padded_width, *in_widths), max(padded_width, *out_widths)

        def uniform(
            rows: Sequence[int], padded_rows: int
        ) -> Callable[[torch.Generator, int], Tensor]:
            def sample(stream: torch.Generator, e: int) -> Tensor:
                bound = 1.0 / math.sqrt(max(1, in_widths[e]))
                padded = torch.zeros(padded_rows, outputs)
                drawn = torch.rand(rows[e], out_widths[e], generator=stream)
                padded[: rows[e], : out_widths[e]] = (2.0 * drawn - 1.0) * bound
                return padded

            return sample

        self.left_E1I: Tensor
        self.weight_EIO = nn.Parameter(streams.draw(uniform(in_widths, inputs)))
        one = [1] * len(in_widths)
        self.bias_E1O = nn.Parameter(streams.draw(uniform(one, 1))) if bias else None

        if spectral_norm:
            first_E1I = torch.ones(len(in_widths), 1, inputs)
            self.register_buffer("left_E1I", nn.functional.normalize(first_E1I, dim=-1))

    def forward(self, x_EBI: Tensor) -> Tensor:
        """Map (E, B, I) to (E, B, O)."""
        weight_EIO = self._normalized() if self.spectral_norm else self.weight_EIO
        if self.bias_E1O is None:
            return torch.bmm(x_EBI, weight_EIO)
        return torch.baddbmm(self.bias_E1O, x_EBI, weight_EIO)

    def _normalized(self) -> Tensor:
        with torch.no_grad():
            right_E1O = nn.functional.normalize(torch.bmm(self.left_E1I, self.weight_EIO), dim=-1)
            left_E1I = nn.functional.normalize(torch.bmm(right_E1O, self.weight_EIO.mT), dim=-1)
            if self.training:
                self.left_E1I.copy_(left_E1I)
        sigma_E11 = torch.bmm(torch.bmm(left_E1I, self.weight_EIO), right_E1O.mT)
        return self.weight_EIO / sigma_E11.clamp_min(1e-12)

    def extra_repr(self) -> str:
        """Show the sizes when a model is printed."""
        members, inputs, outputs = self.weight_EIO.shape
        return f"members={members}, in_features={inputs}, out_features={outputs}"


def linears(layers: nn.ModuleList) -> list[MemberLinear]:
    """Return the layers of a list by their type, which ``ModuleList`` forgets."""
    return [cast(MemberLinear, layer) for layer in layers]


class MemberDropout(nn.Module):
    """Drop units with each member's own probability, mask drawn from its own stream.

    Args:
        probabilities: Probability of each member, length E.
        widths: Units of each member that may be dropped; the padding beyond draws nothing.
        streams: The members' random streams.
        padded_width: Width W of the layer.
    """

    level_E11: Tensor
    scale_E11: Tensor

    def __init__(
        self,
        probabilities: Sequence[float],
        widths: Sequence[int],
        streams: MemberStreams,
        *,
        padded_width: int,
    ) -> None:
        super().__init__()
        self.probabilities, self.widths = tuple(probabilities), tuple(widths)
        self.padded = padded_width
        self.bytes = streams.ahead(self._bytes)
        levels = [min(255, max(1, round(256 * (1 - p)))) if p else 256 for p in probabilities]
        level_E11 = torch.tensor(levels, dtype=torch.int16).view(-1, 1, 1)
        self.register_buffer("level_E11", level_E11, persistent=False)
        self.register_buffer("scale_E11", 256.0 / level_E11, persistent=False)

    def forward(self, h_EBW: Tensor) -> Tensor:
        """Scale the kept units so that the mean stays; the identity in evaluation and at p = 0.

        One random byte a unit, eight to a draw, is several times faster than ``bernoulli_`` and
        gives the probability to 1/256; the scale is the inverse of what is really kept.
        """
        if not self.training or not any(self.probabilities):
            return h_EBW
        bytes_EBW = self.bytes.take(h_EBW.shape[1]).to(h_EBW.device)
        return h_EBW * ((bytes_EBW < self.level_E11) * self.scale_E11)

    def _bytes(self, stream: torch.Generator, e: int, rows: int) -> Tensor:
        used = self.widths[e] if self.probabilities[e] else 0
        whole = torch.empty(-(-rows * used // 8), dtype=torch.int64)
        bytes_N = whole.random_(-(2**63), None, generator=stream).view(torch.uint8)
        return nn.functional.pad(bytes_N[: rows * used].view(rows, used), (0, self.padded - used))

    def extra_repr(self) -> str:
        """Show the probabilities when a model is printed."""
        return f"probabilities={self.probabilities}"


@dataclass(frozen=True, slots=True)
class MLPSize:
    """Hidden layers of the members: each tuple has length E."""

    depths: tuple[int, ...]
    """Hidden layers, at least 1."""
    widths: tuple[int, ...]
    """Units per hidden layer."""
    dropouts: tuple[float, ...]
    """Dropout probabilities."""
    spectral_norm: bool = False
    """Whether weights are divided by their largest singular value."""


class MemberMLP(nn.Module):
    """Stack hidden layers ``dropout(leaky_relu(linear))``, depth and width free per member.

    Args:
        in_width: Inputs, the same for all members.
        size: Depths, widths and dropouts of the members.
        streams: The members' random streams, for weights and dropout masks.
        slope: Negative slope of the leaky ReLU.
    """

    reached_LE: Tensor

    def __init__(
        self,
        in_width: int,
        size: MLPSize,
        streams: MemberStreams,
        *,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.slope = slope
        depths, widths = size.depths, size.widths
        self.linears, self.dropouts = nn.ModuleList(), nn.ModuleList()
        reached = [[depth > level for depth in depths] for level in range(max(depths))]
        inputs = [in_width] * len(widths)
        for level, row in enumerate(reached):
            outputs = [width if here else 0 for width, here in zip(widths, row, strict=True)]
            used = [width if here else 0 for width, here in zip(inputs, row, strict=True)]
            self.linears.append(
                MemberLinear(
                    used,
                    outputs,
                    streams,
                    spectral_norm=size.spectral_norm,
                    padded_width=max(widths) if level else 0,
                )
            )
            dropout = MemberDropout(size.dropouts, outputs, streams, padded_width=max(widths))
            self.dropouts.append(dropout)
            inputs = list(widths)
        self.register_buffer("reached_LE", torch.tensor(reached), persistent=False)
        self.common = [all(row) for row in reached]

    def forward(self, x_EBI: Tensor) -> Tensor:
        """Map (E, B, I) to hidden features (E, B, W)."""
        h_EBW = x_EBI
        levels = zip(self.linears, self.dropouts, self.reached_LE, self.common, strict=True)
        for linear, dropout, reached_E, common in levels:
            deeper_EBW = dropout(nn.functional.leaky_relu(linear(h_EBW), self.slope))
            if common:
                h_EBW = deeper_EBW
            else:  # a shallower member passes through the layers that it lacks
                h_EBW = torch.where(reached_E[:, None, None], deeper_EBW, h_EBW)
        return h_EBW
