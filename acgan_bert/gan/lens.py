"""What the discriminator sees of an embedding: its direction, with the spectrum evened by choice.

Sentence encoders put meaning into directions, and their leading principal components carry most of
what few labels can find. The lens scales embeddings to unit norm, centers them and multiplies each
principal component by its variance to the power ``spectrum / 2``. It is fixed before training from
all real rows, labelled or not, and differentiable, so a generator can learn through it.
Shapes: E members, B batch, D embedding.
"""

import math

import torch
from torch import Tensor, nn


class Lens(nn.Module):
    """Map standardized embeddings to the discriminator's view of them.

    Args:
        center_D: Mean of the real embeddings, by which they were standardized.
        scale: Divisor by which they were standardized.
        unit_norm: Whether only the direction is seen.
        view_mean_D: Mean of the real rows' directions.
        view_DD: Symmetric map applied to centered directions.
        identity: Whether the view is the standardized embedding itself, so that nothing is to do.
    """

    center_D: Tensor
    view_mean_D: Tensor
    view_DD: Tensor

    def __init__(
        self,
        center_D: Tensor,
        scale: float,
        *,
        unit_norm: bool,
        view_mean_D: Tensor,
        view_DD: Tensor,
        identity: bool = False,
    ) -> None:
        super().__init__()
        self.scale, self.unit_norm, self.identity = scale, unit_norm, identity
        self.register_buffer("center_D", center_D)
        self.register_buffer("view_mean_D", view_mean_D)
        self.register_buffer("view_DD", view_DD)

    @classmethod
    def fit(cls, embeddings_ND: Tensor, *, unit_norm: bool, spectrum: float) -> "Lens":
        """Fit center, scale and view on all real embeddings, in float64.

        Args:
            embeddings_ND: Real embeddings as the encoder gave them.
            unit_norm: Whether only the direction is seen.
            spectrum: 0 keeps the principal components as they are; 1 weighs each by its standard
                deviation once more. Coordinates of the view have mean square 1.
        """
        x_ND = embeddings_ND.double()
        center_D = x_ND.mean(0)
        scale = float((x_ND - center_D).square().mean().sqrt().clamp_min(1e-12))
        directions_ND = nn.functional.normalize(x_ND, dim=-1) if unit_norm else x_ND
        view_mean_D = directions_ND.mean(0)
        centered_ND = directions_ND - view_mean_D
        variance_D, axes_DD = torch.linalg.eigh(centered_ND.mT @ centered_ND / len(x_ND))
        variance_D = variance_D.clamp_min(1e-12)  # a constant coordinate has none
        gain_D = (variance_D / variance_D.mean()) ** (spectrum / 2)
        power = float((gain_D.square() * variance_D).mean())
        view_DD = (axes_DD * gain_D) @ axes_DD.mT / math.sqrt(power)
        return cls(
            center_D.float(),
            scale,
            unit_norm=unit_norm,
            view_mean_D=view_mean_D.float(),
            view_DD=view_DD.float(),
            identity=not unit_norm and spectrum == 0,
        )

    def standardize(self, embeddings: Tensor) -> Tensor:
        """Center and scale embeddings (..., D) so that their coordinates have mean square 1."""
        return (embeddings - self.center_D) / self.scale

    def restore(self, standardized: Tensor) -> Tensor:
        """Undo :meth:`standardize`."""
        return standardized * self.scale + self.center_D

    def forward(self, standardized: Tensor) -> Tensor:
        """Return the view (..., D) of standardized embeddings (..., D)."""
        if self.identity:
            return standardized
        x = self.restore(standardized)
        if self.unit_norm:
            x = nn.functional.normalize(x, dim=-1)
        return (x - self.view_mean_D) @ self.view_DD
