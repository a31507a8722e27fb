"""Real embeddings in the players' coordinates: all of them at hand, or as batches ask for them.

Shapes: N rows, D embedding.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from acgan_bert.devices import CPU
from acgan_bert.gan.space import PrincipalSpace
from mtl.rows import Rows, blocks, is_held


class RealRows:
    """Fits the coordinates to all rows, and gives rows in them.

    Rows that :func:`mtl.rows.is_held` allows to be held are standardized once. Of more, nothing is
    kept: a batch is read from where the rows are and standardized, whatever their number. Both
    give the same numbers: a row's coordinates do not depend on the rows beside it.

    Args:
        vectors: (N, D) float32, as the encoder gave them.
        space: Coordinates that are given; None: they are fitted to the rows.

    Attributes:
        space: The coordinates.
        device: Where rows are given.
    """

    def __init__(self, vectors: Rows, space: PrincipalSpace | None = None) -> None:
        self._vectors, self._coordinates_ND, self.device = vectors, torch.empty(0), CPU
        self.space = PrincipalSpace.fit_blocks(_Blocks(vectors)) if space is None else space
        self.standardize()

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return self._vectors.shape

    def standardize(self) -> None:
        """Do once what can be done once; to be called again where :attr:`space` was changed."""
        if is_held(self.shape):
            (block_ND,) = _Blocks(self._vectors)
            self._coordinates_ND = self.space.standardize(block_ND).to(self.device)

    def to(self, device: torch.device) -> None:
        """Give rows on another device from now on; rows that are held move there."""
        self.device = device
        self._coordinates_ND = self._coordinates_ND.to(device)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Return principal coordinates (..., D), float32, of rows (...); a mask will do."""
        if is_held(self.shape):
            return self._coordinates_ND[rows if isinstance(rows, slice) else rows.to(self.device)]
        wanted = self._vectors[rows if isinstance(rows, slice) else rows.cpu().numpy()]
        read = torch.from_numpy(np.array(wanted, dtype=np.float32))
        return self.space.standardize(read).to(self.device)


class _Blocks:
    """Blocks of rows as tensors, as often as they are gone through."""

    def __init__(self, vectors: Rows) -> None:
        self._vectors = vectors

    def __iter__(self) -> Iterator[Tensor]:
        return (torch.from_numpy(block) for _, block in blocks(self._vectors))
