"""The discriminator: embedding -> source score, and one auxiliary head per task.

A task of scores has two: classes, which are buckets of the score, and the score itself.

*Source:* Odena et al. 2017 (auxiliary classifier), Miyato & Koyama 2018 (projection), Gong et al.
2019 and Hou et al. 2022 (the second, "rival" class head of TAC-GAN and ADC-GAN).
Shapes: E members, B batch, D embedding, W hidden, C classes of a task, K classes of all tasks,
S score tasks.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from acgan_bert.gan.layers import MemberLinear, MemberMLP, MLPSize
from acgan_bert.gan.streams import MemberStreams


class Judgment(NamedTuple):
    """What the discriminator says of a batch."""

    features_EBW: Tensor
    """Last hidden layer."""
    source_EB: Tensor
    """Logit of being real."""
    classes: tuple[Tensor, ...]
    """Class logits (E, B, C) of each task."""
    rivals: tuple[Tensor, ...]
    """Second class logits (E, B, C) of each task; empty unless the objective asks for them."""
    proxies: tuple[Tensor, ...]
    """Class directions (E, C, W) of each task, the weights of the second heads."""
    units_E: Tensor
    """Each member's own hidden units; the rest of W is padding."""
    scores_EBS: Tensor
    """Scores; S is 0 without score tasks."""

    def split(self, rows: int) -> tuple["Judgment", "Judgment"]:
        """Return the judgments of the first rows and of the rest."""

        def parts(tensors: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
            halves = [torch.split(t, [rows, t.shape[1] - rows], dim=1) for t in tensors]
            return [tuple(half[side] for half in halves) for side in (0, 1)]

        whole = parts((self.features_EBW, self.source_EB, self.scores_EBS))
        sides = zip(whole, parts(self.classes), parts(self.rivals), strict=True)
        first, rest = (
            Judgment(
                features_EBW, source_EB, classes, rivals, self.proxies, self.units_E, scores_EBS
            )
            for (features_EBW, source_EB, scores_EBS), classes, rivals in sides
        )
        return first, rest


class Discriminator(nn.Module):
    """Judge embeddings: an MLP trunk, a source head and class heads.

    A class head sees the trunk's features and, with ``linear_skip``, the embedding itself, so that
    the classifier holds logistic regression as a special case. What a member sees of an embedding
    is its :meth:`view`: principal coordinates, each times a gain of its own (``gain_ED``, fixed
    before training; 1 unless :mod:`acgan_bert.starts` sets it).

    Args:
        embedding_width: Width D of an embedding.
        classes: Number of classes of each task.
        scores: Number S of score tasks.
        size: Depths, widths and dropouts of the members.
        streams: The members' random streams.
        linear_skip: Whether class heads also see the embedding.
        projection: Whether the source score has a projection term for the condition.
        rival: Whether each task has a second class head (TAC-GAN, ADC-GAN, ReACGAN).
    """

    units_E: Tensor
    gain_ED: Tensor

    def __init__(
        self,
        *,
        embedding_width: int,
        classes: Sequence[int],
        size: MLPSize,
        streams: MemberStreams,
        scores: int = 0,
        linear_skip: bool = True,
        projection: bool = False,
        rival: bool = False,
    ) -> None:
        super().__init__()
        members, widths = len(size.depths), size.widths

        def heads(inputs: Sequence[int], *, bias: bool = True) -> nn.ModuleList:
            return nn.ModuleList(
                MemberLinear(inputs, [count] * members, streams, bias=bias) for count in classes
            )

        self.register_buffer("units_E", torch.tensor(widths).float(), persistent=False)
        self.register_buffer("gain_ED", torch.ones(members, embedding_width))
        self.trunk = MemberMLP(embedding_width, size, streams)
        self.source = MemberLinear(widths, [1] * members, streams)
        self.heads = heads(widths)
        self.scores = MemberLinear(widths, [scores] * members, streams) if scores else None
        self.skips = heads([embedding_width] * members, bias=False) if linear_skip else None
        self.rivals = heads(widths) if rival else None
        self.projection = (
            MemberLinear(widths, [sum(classes)] * members, streams, bias=False)
            if projection
            else None
        )

    def view(self, x: Tensor) -> Tensor:
        """Weigh the coordinates of embeddings, (E, B, D) or (B, D), as each member sees them."""
        return x * self.gain_ED.unsqueeze(1)

    def forward(self, x_EBD: Tensor, condition_EBK: Tensor | None = None) -> Judgment:
        """Judge views of embeddings (E, B, D).

        Args:
            x_EBD: What :meth:`view` returned, with noise or without.
            condition_EBK: Class probabilities of all tasks side by side. With a projection, the
                source score gains Σ_k condition_k (v_k · features).
        """
        h_EBW = self.trunk(x_EBD)
        source_EB = self.source(h_EBW).squeeze(-1)
        if self.projection is not None and condition_EBK is not None:
            source_EB = source_EB + (self.projection(h_EBW) * condition_EBK).sum(-1)
        classes = tuple(head(h_EBW) for head in self.heads)
        if self.skips is not None:
            classes = tuple(
                logits + skip(x_EBD) for logits, skip in zip(classes, self.skips, strict=True)
            )
        second = cast(Sequence[MemberLinear], () if self.rivals is None else self.rivals)
        rivals = tuple(head(h_EBW) for head in second)
        proxies = tuple(head.weight_EIO.mT for head in second)
        scores_EBS = h_EBW[..., :0] if self.scores is None else self.scores(h_EBW)
        return Judgment(h_EBW, source_EB, classes, rivals, proxies, self.units_E, scores_EBS)


def one_hot_condition(labels_EBT: Tensor, classes: Sequence[int]) -> Tensor:
    """Turn labels (E, B, T) into the condition (E, B, K); -1 becomes a block of zeros."""
    tables = (_one_hot_table(count, labels_EBT.device) for count in classes)
    blocks = [table[labels_EBT[..., t] + 1] for t, table in enumerate(tables)]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=-1)


@lru_cache(maxsize=32)
def _one_hot_table(count: int, device: torch.device) -> Tensor:
    """Return the one-hot rows of the labels -1, 0, …, count - 1."""
    return torch.eye(count + 1, device=device)[:, 1:].contiguous()
