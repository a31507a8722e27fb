"""Few labels, many sentences: two-stream batches, pseudo-labels, and the labels of fakes.

A batch holds a fixed share of labelled rows, so that a handful of labels is seen in every step
without copying rows. Pseudo-labels come from the moving average of the discriminator (Tarvainen &
Valpola 2017), aligned with the labelled class shares (Berthelot et al. 2020, section 3.1).
Shapes: E members, B batch, C classes, N rows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from acgan_bert.devices import CPU
from acgan_bert.gan.streams import Ahead, MemberStreams


class TwoStreams:
    """Draw each batch's rows: labelled ones first, then unlabelled ones, with replacement.

    Args:
        labels: For each member the class of every row, (N,); -1: unlabelled; -2: not used.
        batch_size: Rows of a batch.
        labeled_share: Share of the batch drawn from the labelled rows; all of it where a member
            has no unlabelled row.
        streams: The members' random streams.
        device: Where the rows are drawn.
    """

    def __init__(
        self,
        labels: Sequence[np.ndarray],
        *,
        batch_size: int,
        labeled_share: float,
        streams: MemberStreams,
        device: torch.device = CPU,
    ) -> None:
        labeled = [torch.from_numpy(np.flatnonzero(row >= 0)) for row in labels]
        unlabeled = [torch.from_numpy(np.flatnonzero(row == -1)) for row in labels]
        if any(len(rows) == 0 for rows in labeled):
            raise ValueError("labels: a member has no labelled row")
        has_unlabeled_E1 = torch.tensor([[len(rows) > 0] for rows in unlabeled])
        self.has_unlabeled_E1 = has_unlabeled_E1.to(device)
        share = labeled_share if bool(has_unlabeled_E1.any()) else 1.0
        self.num_labeled = min(batch_size, max(1, round(share * batch_size)))
        # A member without unlabelled rows gets labelled ones in their place.
        others = [
            rows if len(rows) else known for rows, known in zip(unlabeled, labeled, strict=True)
        ]
        first_B = torch.arange(batch_size) < self.num_labeled
        self.sizes_EB = torch.where(first_B, _lengths(labeled), _lengths(others)).to(device)
        padded = max(len(rows) for rows in labeled)
        self.offsets_B = torch.where(first_B, 0, padded).to(device)
        self.rows_EN = torch.cat([_stacked(labeled), _stacked(others)], dim=1).to(device)
        self.numbers = streams.ahead(_numbers)

    def draw(self) -> Tensor:
        """Return row indices (E, B)."""
        # The remainder of a number below 2^63 is as good as uniform over any number of rows.
        places_EB = self.numbers.take(self.sizes_EB.shape[1]) % self.sizes_EB
        return self.rows_EN.gather(1, places_EB + self.offsets_B)


class PseudoLabels:
    """Turn the teacher's probabilities into targets and how far each is trusted.

    Args:
        shares_EC: Class shares of the labelled rows, to which predictions are aligned.
        threshold: Least aligned probability at which a row counts.
        alignment: Whether to align at all.
        momentum: Share of the running mean prediction that one batch replaces.
    """

    def __init__(
        self, shares_EC: Tensor, *, threshold: float, alignment: bool, momentum: float = 0.02
    ) -> None:
        self.shares_EC, self.mean_EC = shares_EC, shares_EC.clone()
        self.threshold, self.alignment, self.momentum = threshold, alignment, momentum

    def __call__(self, probabilities_EBC: Tensor) -> tuple[Tensor, Tensor]:
        """Return aligned probabilities (E, B, C) and trust (E, B), 1 above the threshold else 0."""
        if self.alignment:
            self.mean_EC.lerp_(probabilities_EBC.mean(1), self.momentum)
            ratio_EC = self.shares_EC / self.mean_EC.clamp_min(1e-3)
            probabilities_EBC = probabilities_EBC * ratio_EC.unsqueeze(1)
            probabilities_EBC = probabilities_EBC / probabilities_EBC.sum(-1, keepdim=True)
        trust_EB = (probabilities_EBC.amax(-1) >= self.threshold).float()
        return probabilities_EBC, trust_EB


def class_shares(labels: Sequence[np.ndarray], num_classes: int) -> Tensor:
    """Return the class shares among each member's labelled rows, (E, C)."""
    counts = [np.bincount(row[row >= 0], minlength=num_classes) for row in labels]
    return torch.tensor(np.stack([count / count.sum() for count in counts]), dtype=torch.float32)


def fake_labels(shares_EC: Tensor, streams: MemberStreams) -> Ahead:
    """Return a supply of the classes of fakes, drawn from class shares."""
    return streams.ahead(
        lambda stream, e, count: torch.multinomial(
            shares_EC[e], count, replacement=True, generator=stream
        )
    )


def ramp(step: int, warmup_steps: int) -> float:
    """Weight of pseudo-labels at a step: 0 for ``warmup_steps``, then linear to 1 in as many."""
    if warmup_steps == 0:
        return 1.0
    return min(1.0, max(0.0, (step - warmup_steps) / warmup_steps))


def _numbers(stream: torch.Generator, e: int, count: int) -> Tensor:
    return torch.empty(count, dtype=torch.int64).random_(generator=stream)


def _lengths(rows: Sequence[Tensor]) -> Tensor:
    return torch.tensor([[len(row)] for row in rows])


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    """Pad row indices of unequal number to (E, N); the padding is never drawn."""
    return pad_sequence(list(rows), batch_first=True)
