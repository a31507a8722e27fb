"""The coordinates in which both players work: principal ones, centered and scaled.

The map from the encoder's space and back is a rotation, a shift and one factor, so distances keep
their proportions. What it buys: the discriminator can weigh principal components by one number
each. Encoders put much of what few labels can find into the leading ones, though not all encoders
and tasks do (see :mod:`acgan_bert.warm_start`, which averages over how much).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

LEAST_VARIANCE = 1e-3
"""Share of the mean variance below which a component counts as having this much: with fewer rows
than dimensions some have none, and a negative spectrum would raise nothing to infinity."""


class PrincipalSpace(nn.Module):
    """Map embeddings to standardized principal coordinates and back; all float64 inside.

    Args:
        center_D: Mean of the real embeddings.
        axes_DD: Principal axes in columns, by falling variance.
        variance_D: Variances of the coordinates, of mean about 1.
        scale: Divisor that gives coordinates mean square 1.
    """

    center_D: Tensor
    axes_DD: Tensor
    variance_D: Tensor

    def __init__(
        self, center_D: Tensor, axes_DD: Tensor, variance_D: Tensor, *, scale: float
    ) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("center_D", center_D)
        self.register_buffer("axes_DD", axes_DD)
        self.register_buffer("variance_D", variance_D)

    @classmethod
    def fit(cls, embeddings_ND: Tensor) -> "PrincipalSpace":
        """Fit to all real embeddings (N, D) as the encoder gave them, in float64."""
        return cls.fit_blocks([embeddings_ND])

    @classmethod
    def fit_blocks(cls, blocks: Iterable[Tensor]) -> "PrincipalSpace":
        """Fit to embeddings that come in blocks (n, D), holding one of them in float64 at a time.

        Args:
            blocks: At least one; gone through twice, for the mean and for what is about it.
        """
        rows, center_D = 0, torch.zeros(())
        for block_ND in blocks:
            rows, center_D = rows + len(block_ND), center_D + block_ND.double().sum(0)
        center_D = center_D / rows
        power, gram_DD = torch.zeros(()), torch.zeros(())
        for block_ND in blocks:
            centered_ND = block_ND.double() - center_D
            power = power + centered_ND.square().sum()
            gram_DD = gram_DD + centered_ND.mT @ centered_ND
        scale = float((power / (rows * len(center_D))).sqrt().clamp_min(1e-12))
        covariance_DD = gram_DD / (rows * scale**2)
        variance_D, axes_DD = torch.linalg.eigh(covariance_DD)
        axes_DD = axes_DD.flip(1).contiguous()  # as a loaded one is: same layout, same bits
        return cls(center_D, axes_DD, variance_D.flip(0).clamp_min(LEAST_VARIANCE), scale=scale)

    def standardize(self, embeddings: Tensor) -> Tensor:
        """Return principal coordinates (..., D), float32, of embeddings (..., D)."""
        # In float64, so that a row's coordinates do not depend on the rows beside it.
        return ((embeddings.double() - self.center_D) / self.scale @ self.axes_DD).float()

    def restore(self, coordinates: Tensor) -> Tensor:
        """Undo :meth:`standardize`."""
        return (coordinates.double() @ self.axes_DD.mT * self.scale + self.center_D).float()

    def gain(self, spectrum: float) -> Tensor:
        """Return the factors (D,) that weigh each coordinate by variance ** (spectrum / 2).

        Coordinates of real rows keep mean square 1, but for raised variances. 0 leaves them as
        they are, 1 weighs each by its standard deviation once more, -1 makes variances equal.
        """
        gain_D = self.variance_D ** (spectrum / 2)
        power = (gain_D.square() * self.variance_D).mean()
        return (gain_D / power.sqrt()).float()
