"""SMART: smoothness against the worst small perturbation, and steps that stay near an average.

Source: Jiang et al. 2020, "SMART: robust and efficient fine-tuning for pre-trained natural language
models through principled regularized optimization", algorithm 1 with p = ∞.
Deviation: the random start is projected into the ball too. Dropout: both terms compare the outputs
of one function f, so both passes need one mask (:class:`SameDropout`). With a fresh mask a pass, as
in the authors' code, the terms measure dropout instead (as R-Drop does, Liang et al. 2021): on
MiniLM at ε = 1e-5 that is some 3e-3, of which the perturbation makes 1e-7.
Shapes: ``B`` batch, ``L`` tokens, ``D`` embedding, ``C`` classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import log_softmax
from torch.utils.checkpoint import get_device_states, set_device_states

from mtl.errors import InputError

Divergence = Callable[[Tensor, Tensor], Tensor]
Result = TypeVar("Result")


def symmetric_kl(first_BC: Tensor, second_BC: Tensor) -> Tensor:
    """KL(P ‖ Q) + KL(Q ‖ P) = Σ_c (p_c - q_c) (log p_c - log q_c), every term of it ≥ 0.

    Of a head with one logit, (0, a) and (0, b), this is the paper's (σ(a) - σ(b)) (a - b).

    Args:
        first_BC: Logits of P, two columns at least.
        second_BC: Logits of Q.

    Returns:
        (B,) divergences.
    """
    first_BC, second_BC = log_softmax(first_BC, dim=-1), log_softmax(second_BC, dim=-1)
    return ((first_BC.exp() - second_BC.exp()) * (first_BC - second_BC)).sum(-1)


def squared_difference(first_B: Tensor, second_B: Tensor) -> Tensor:
    """(a - b)² of predicted scores, of their shape."""
    return (first_B - second_B).square()


DIVERGENCES: Mapping[str, Divergence] = {"classes": symmetric_kl, "score": squared_difference}
"""The divergence of the paper for each output of a task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ascent:
    """How the worst perturbation is sought; the defaults are the paper's (section 4).

    At ε = 1e-5 the terms are next to nothing, see above. The authors' code (MT-DNN,
    ``perturbation.py``) does not project: its perturbation is as large as its step, 1e-3, and of
    unit norm by token. ``epsilon=1e-3`` comes near it.

    Args:
        epsilon: Radius ε of the ball, in the L∞ norm.
        step_size: Step η along the gradient of unit L∞ norm.
        steps: Steps T_x̃; with 0 the perturbation is random.
        noise_variance: Variance σ² of the random start (``noise_var`` of the authors' code is σ).

    Raises:
        InputError: A value is out of range.
    """

    epsilon: float = 1e-5
    step_size: float = 1e-3
    steps: int = 1
    noise_variance: float = 1e-10

    def __post_init__(self) -> None:
        for name in ("steps", "noise_variance"):
            if getattr(self, name) < 0:
                raise InputError(f"smart.{name}: {getattr(self, name)}; use 0 or more")
        for name in ("epsilon", "step_size"):
            if getattr(self, name) <= 0:
                raise InputError(f"smart.{name}: {getattr(self, name)}; use more than 0")


def worst_perturbation(
    forward: Callable[[Tensor], Tensor],
    embeddings_BLD: Tensor,
    outputs: Tensor,
    *,
    divergence: Divergence,
    ascent: Ascent,
    generator: torch.Generator,
) -> Tensor:
    """Ascend the divergence within the ball (algorithm 1, lines 6 to 10).

    Gradients are taken with respect to the perturbation only: no parameter gets any. Each row's has
    L∞ norm 1 over its L x D numbers, so that a row does not depend on its neighbors.

    Args:
        forward: Maps embeddings to outputs.
        embeddings_BLD: Token embeddings.
        outputs: ``forward(embeddings_BLD)``, logits (B, C) or scores (B,).
        divergence: ℓ_s; maps two outputs to their divergence, row by row.
        ascent: Radius, step and start.
        generator: Draws the start, on its own device.

    Returns:
        A constant with shape (B, L, D), no number of it beyond ±ε.
    """
    clean_BLD, outputs = embeddings_BLD.detach(), outputs.detach()
    noise_BLD = torch.randn(
        clean_BLD.shape, generator=generator, device=generator.device, dtype=clean_BLD.dtype
    ).to(clean_BLD.device)
    ball = (-ascent.epsilon, ascent.epsilon)
    shift_BLD = (noise_BLD * ascent.noise_variance**0.5).clamp(*ball)
    for _ in range(ascent.steps):
        shift_BLD.requires_grad_()
        gap = divergence(forward(clean_BLD + shift_BLD), outputs).sum()
        (slope_BLD,) = torch.autograd.grad(gap, shift_BLD)
        steepest_B11 = slope_BLD.abs().amax((1, 2), keepdim=True)
        least = torch.finfo(slope_BLD.dtype).tiny  # a row without slope stays where it is
        step_BLD = ascent.step_size * slope_BLD / steepest_B11.clamp_min(least)
        shift_BLD = (shift_BLD.detach() + step_BLD).clamp(*ball)
    return shift_BLD


def smoothness(
    forward: Callable[[Tensor], Tensor],
    embeddings_BLD: Tensor,
    outputs: Tensor,
    *,
    divergence: Divergence,
    ascent: Ascent,
    generator: torch.Generator,
) -> Tensor:
    """R_s = Σ_i max_{‖x̃_i - x_i‖_∞ ≤ ε} ℓ_s(f(x̃_i), f(x_i)) / B (equation 1 and below).

    The gradient flows through both outputs and through the embeddings, not through the choice of
    the perturbation; so ``outputs``, which the task's loss needs anyway, come with their graph.
    In bfloat16 a perturbation of 1e-5 rounds away: run ``forward`` in float32.
    The arguments are those of :func:`worst_perturbation`.

    Returns:
        The mean over rows, to be weighted by λ_s (1 to 5 in the paper) and added to the loss.
    """
    shift_BLD = worst_perturbation(
        forward,
        embeddings_BLD,
        outputs,
        divergence=divergence,
        ascent=ascent,
        generator=generator,
    )
    return divergence(forward(embeddings_BLD + shift_BLD), outputs).mean()


class SameDropout(Generic[Result]):
    """A function whose later calls draw the random numbers of its first: one dropout mask for all.

    The first call advances torch's global streams as usual, later ones leave them where they are.

    Args:
        forward: Function of tensors; make a new ``SameDropout`` of it for each batch.
    """

    def __init__(self, forward: Callable[..., Result]) -> None:
        self.forward = forward
        self._start: tuple[Tensor, list[int], list[Tensor]] | None = None

    def __call__(self, *inputs: Tensor) -> Result:
        """Compute the function under the mask of the first call."""
        if self._start is None:
            self._start = (torch.get_rng_state(), *get_device_states(*inputs))
            return self.forward(*inputs)
        host, devices, states = self._start
        with torch.random.fork_rng(devices):
            torch.set_rng_state(host)
            set_device_states(devices, states)
            return self.forward(*inputs)


class ProximalPoint:
    """Momentum Bregman proximal point: stay near the average of past parameters (equation 3).

    Call :meth:`update` after every step of the optimizer. The average θ̃ starts at the parameters
    given and moves by θ̃ ← β θ̃ + (1 - β) θ.

    Args:
        module: Its parameters that require gradients are averaged; the others are its own.
        early_updates: Updates with ``early_momentum``; a tenth of all in the paper.
        early_momentum: β of the early updates, shorter because the parameters move fast there.
        momentum: β of the others.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        early_updates: int,
        early_momentum: float = 0.99,
        momentum: float = 0.999,
    ) -> None:
        self.module = module
        self.early_updates = early_updates
        self.early_momentum, self.momentum = early_momentum, momentum
        self.updates = 0
        self.average = {name: value.clone() for name, value in self._parameters().items()}

    def penalty(
        self, forward: Callable[[], Tensor], outputs: Tensor, *, divergence: Divergence
    ) -> Tensor:
        """D_Breg = Σ_i ℓ_s(f(x_i; θ), f(x_i; θ̃)) / B; no gradient flows through θ̃.

        Args:
            forward: Computes the outputs of the batch anew, from the module's parameters.
            outputs: The same with its graph, logits (B, C) or scores (B,).
            divergence: ℓ_s; maps two outputs to their divergence, row by row.

        Returns:
            The mean over rows, to be weighted by μ (1 in the paper) and added to the loss.
        """
        averaged = {f"module.{name}": value for name, value in self.average.items()}
        with torch.no_grad():
            anchor = functional_call(_Calling(self.module, forward), averaged, ())
        return divergence(outputs, anchor).mean()

    @torch.no_grad()
    def update(self) -> None:
        """Move the average toward the parameters (algorithm 1, line 14)."""
        self.updates += 1
        early = self.updates <= self.early_updates
        share = 1.0 - (self.early_momentum if early else self.momentum)
        for name, value in self._parameters().items():
            self.average[name].lerp_(value, share)

    def state(self) -> dict[str, Tensor]:
        """Return the average and the count of updates, for a checkpoint."""
        averaged = {f"average.{name}": value for name, value in self.average.items()}
        return {"updates": torch.tensor(self.updates), **averaged}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` returned, bit for bit."""
        self.updates = int(state["updates"])
        for name, value in self.average.items():
            value.copy_(state[f"average.{name}"])

    def _parameters(self) -> dict[str, Tensor]:
        named = self.module.named_parameters()
        return {name: value.detach() for name, value in named if value.requires_grad}


class _Calling(nn.Module):
    """A module's parameters under any function of it, for ``functional_call`` to replace."""

    def __init__(self, module: nn.Module, function: Callable[[], Tensor]) -> None:
        super().__init__()
        self.module, self.function = module, function

    def forward(self) -> Tensor:
        return self.function()
