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

from acgan_bert.gan.layers import MemberStreams


class TwoStreams:
    """Draw each batch's rows: labelled ones first, then unlabelled ones, with replacement.

    Args:
        labels: For each member the class of every row, (N,); -1: unlabelled; -2: not used.
        batch_size: Rows of a batch.
        labeled_share: Share of the batch drawn from the labelled rows; all of it where a member
            has no unlabelled row.
    """

    def __init__(
        self, labels: Sequence[np.ndarray], *, batch_size: int, labeled_share: float
    ) -> None:
        labeled = [torch.from_numpy(np.flatnonzero(row >= 0)) for row in labels]
        unlabeled = [torch.from_numpy(np.flatnonzero(row == -1)) for row in labels]
        if any(len(rows) == 0 for rows in labeled):
            raise ValueError("labels: a member has no labelled row")
        self.has_unlabeled_E1 = torch.tensor([[len(rows) > 0] for rows in unlabeled])
        share = labeled_share if bool(self.has_unlabeled_E1.any()) else 1.0
        self.num_labeled = min(batch_size, max(1, round(share * batch_size)))
        # A member without unlabelled rows gets labelled ones in their place.
        others = [
            rows if len(rows) else known for rows, known in zip(unlabeled, labeled, strict=True)
        ]
        self.pools = [
            (self.num_labeled, [len(rows) for rows in labeled], _stacked(labeled)),
            (batch_size - self.num_labeled, [len(rows) for rows in others], _stacked(others)),
        ]

    def draw(self, streams: MemberStreams) -> Tensor:
        """Return row indices (E, B)."""
        picked = []
        for count, sizes, rows_EN in self.pools:

            def places(
                stream: torch.Generator, e: int, n: int = count, sizes: list[int] = sizes
            ) -> Tensor:
                return torch.randint(sizes[e], (n,), generator=stream)

            picked.append(rows_EN.gather(1, streams.draw(places)))
        return torch.cat(picked, dim=1)


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


def draw_fake_labels(shares_EC: Tensor, count: int, streams: MemberStreams) -> Tensor:
    """Draw the classes of fakes from class shares, (E, count, 1)."""

    def classes(stream: torch.Generator, e: int) -> Tensor:
        return torch.multinomial(shares_EC[e], count, replacement=True, generator=stream)

    return streams.draw(classes).unsqueeze(-1)


def ramp(step: int, warmup_steps: int) -> float:
    """Weight of pseudo-labels at a step: 0 for ``warmup_steps``, then linear to 1 in as many."""
    if warmup_steps == 0:
        return 1.0
    return min(1.0, max(0.0, (step - warmup_steps) / warmup_steps))


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    """Pad row indices of unequal number to (E, N); the padding is never drawn."""
    return pad_sequence(list(rows), batch_first=True)
