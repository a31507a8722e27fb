"""AdamW for an ensemble: one fused call, with each member's own learning rate and clipping."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.optim.adamw import adamw


class Group(NamedTuple):
    """Parameters of shape (E, ...) and how they move."""

    parameters: list[nn.Parameter]
    learning_rates: Sequence[float]
    """Step size of each member."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""


class MemberAdamW:
    """Step all members at once.

    An AdamW update (Loshchilov & Hutter 2019, alg. 2) is linear in the learning rate once its
    moments are known. So the fused step is taken at the largest rate, and a member with a smaller
    one keeps that share of its movement: exact, and free when all rates are equal.

    Args:
        groups: What to move, and how.
        beta1: Decay of the first moment; that of the second is 0.99, as is usual for GANs.
        clip: Largest gradient norm of a member over all groups; 0: no clipping.
    """

    def __init__(self, groups: Sequence[Group], *, beta1: float, clip: float = 0.0) -> None:
        self.parameters = [p for group in groups for p in group.parameters]
        self.device = self.parameters[0].device
        self.clip = clip
        self.unclipped_norm_E: Tensor | None = None
        self.groups, self.beta1 = tuple(groups), beta1
        # The functional form of torch.optim.AdamW: around networks this small, the optimizer
        # object's own bookkeeping takes longer than the arithmetic.
        self.moments = [
            {
                "exp_avg": torch.zeros_like(p, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(p, requires_grad=False),
                "step": torch.zeros((), device=self.device),
            }
            for p in self.parameters
        ]
        self.shares = []
        for group in groups:
            largest = max(group.learning_rates)
            # Where all rates are 0 nothing moves, whatever the shares.
            share_E = torch.tensor([rate / (largest or 1.0) for rate in group.learning_rates])
            self.shares += [share_E.to(self.device)] * len(group.parameters)
        self.equal_rates = all(bool((share_E == 1.0).all()) for share_E in self.shares)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.unclipped_norm_E = None
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Clip each member's gradient, where asked, and update."""
        self.unclipped_norm_E = None
        if self.clip and self._is_above(norm_E := self.gradient_norm()):
            self.unclipped_norm_E = norm_E
            scale_E = (self.clip / norm_E.clamp_min(1e-12)).clamp_max(1.0)
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(_per_member(scale_E, parameter.grad))
        if self.equal_rates:
            self._update()
            return
        before = [p.detach().clone() for p in self.parameters]
        self._update()
        with torch.no_grad():
            for parameter, old, share_E in zip(self.parameters, before, self.shares, strict=True):
                parameter.copy_(torch.lerp(old, parameter, _per_member(share_E, old)))

    def gradient_norm(self) -> Tensor:
        """Return the norm of each member's gradient, (E,), as it was before any clipping."""
        if self.unclipped_norm_E is not None:
            return self.unclipped_norm_E
        gradients = [p.grad.flatten(1) for p in self.parameters if p.grad is not None]
        if not gradients:
            return torch.zeros_like(self.shares[0])
        return vector_norm(torch.stack([vector_norm(g, dim=1) for g in gradients]), dim=0)

    def state(self) -> dict[str, Tensor]:
        """Return moments and step counts by parameter position, for a checkpoint."""
        return {
            f"{index}.{name}": value
            for index, moments in enumerate(self.moments)
            for name, value in moments.items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned."""
        for index, moments in enumerate(self.moments):
            for name, value in moments.items():
                value.copy_(state[f"{index}.{name}"])

    def _is_above(self, norm_E: Tensor) -> bool:
        """Say whether anything may be clipped: a GPU is not waited for, a factor of 1 is cheap."""
        return self.device.type != "cpu" or bool((norm_E > self.clip).any())

    @torch.no_grad()
    def _update(self) -> None:
        """Take one AdamW step at each group's largest rate; what has no gradient stays."""
        start = 0
        for group in self.groups:
            own = range(start, start + len(group.parameters))
            start = own.stop
            moved = [
                (self.parameters[i], gradient, *self.moments[i].values())
                for i in own
                if (gradient := self.parameters[i].grad) is not None
            ]
            if not moved:
                continue
            parameters, gradients, means, squares, steps = map(list, zip(*moved, strict=True))
            adamw(
                parameters,
                gradients,
                means,
                squares,
                [],
                steps,
                fused=True,
                amsgrad=False,
                beta1=self.beta1,
                beta2=0.99,
                lr=max(group.learning_rates),
                weight_decay=group.weight_decay,
                eps=1e-8,
                maximize=False,
            )


def _per_member(values_E: Tensor, like: Tensor) -> Tensor:
    return values_E.to(like).view(-1, *[1] * (like.dim() - 1))
