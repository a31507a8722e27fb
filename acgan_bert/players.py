"""Generator and discriminator of all members as they are trained: averages, optimizers, state.

Shapes: E members, B batch, D embedding, C classes of a task.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.func import functional_call
from torch.optim.swa_utils import get_ema_multi_avg_fn

from acgan_bert.gan.discriminator import Discriminator, Judgment
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.optimizer import Group, MemberAdamW
from acgan_bert.recipe import Recipe
from mtl.checkpoint import named, part_of
from mtl.errors import DivergenceError

NAMES = ("generator", "discriminator")


class Players:
    """Both networks, their moving averages and their optimizers.

    Args:
        generator: At its start; trained in place.
        discriminator: At its start; trained in place.
        recipes: Of the members; all but the learning rates is the first one's.
    """

    def __init__(
        self, generator: Generator, discriminator: Discriminator, recipes: Sequence[Recipe]
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.recipe = recipes[0]
        self.decays = (self.recipe.generator.ema, self.recipe.discriminator.ema)
        self.averages = [
            # without averaging these are the weights themselves
            {n: p.detach().clone() if ema else p.detach() for n, p in player.named_parameters()}
            for player, ema in zip(self.both, self.decays, strict=True)
        ]
        self.optimizers = self._optimizers(recipes)
        """Of the discriminator, of the generator."""

    @property
    def both(self) -> tuple[Generator, Discriminator]:
        """The networks, in the order of :data:`NAMES`."""
        return self.generator, self.discriminator

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.optimizers[0].device

    def check(self, losses: Mapping[str, Tensor], *, update: int) -> None:
        """Look at losses, and at the norms of the gradients that they left.

        Args:
            losses: By name, of all members.
            update: Its number, for the message.

        Raises:
            DivergenceError: One is not finite, or a norm is above ``training.divergence_norm``.
        """
        most = self.recipe.training.divergence_norm
        norms = [optimizer.gradient_norm().max() for optimizer in self.optimizers]
        # All in one look, since a GPU is waited for once a look.
        values = torch.stack([*(loss.sum() for loss in losses.values()), *norms]).cpu().tolist()
        for name, loss in zip(losses, values[: len(losses)], strict=True):
            if not math.isfinite(loss):
                raise _diverged(update, f"the loss {name} is not finite")
        for name, norm in zip(reversed(NAMES), values[len(losses) :], strict=True):
            if not norm <= most:  # NaN is not
                found = f"the norm of the {name}'s gradient is {norm:.4g}, the most is {most:g}"
                raise _diverged(update, found)

    def average(self, step: int) -> None:
        """Move the averages after a step; early ones weigh more: the start is soon forgotten."""
        for player, average, decay in zip(self.both, self.averages, self.decays, strict=True):
            if decay:
                keep = min(decay, (step + 1) / (step + 10))
                current = [p.detach() for p in player.parameters()]
                get_ema_multi_avg_fn(keep)(list(average.values()), current, step)

    def judge(self, x: Tensor) -> Judgment:
        """Let the averaged discriminator judge, without dropout and gradient.

        Args:
            x: Principal coordinates, (E, B, D), or (B, D) for all members.
        """
        was_training = self.discriminator.training
        self.discriminator.eval()
        with torch.no_grad():
            view_EBD = self.discriminator.view(x)
            judged: Judgment = functional_call(self.discriminator, self.averages[1], (view_EBD,))
        self.discriminator.train(was_training)
        return judged

    def averaged_states(self) -> list[dict[str, Tensor]]:
        """Return the state of both networks with averaged weights, in the order of the names."""
        pairs = zip(self.both, self.averages, strict=True)
        return [player.state_dict() | average for player, average in pairs]

    def state(self) -> dict[str, Tensor]:
        """Return everything that the next steps depend on; not copied."""
        tensors: dict[str, Tensor] = {}
        for name, player, average in zip(NAMES, self.both, self.averages, strict=True):
            tensors |= named(f"{name}.", player.state_dict())
            tensors |= named(f"{name}_average.", average)
        for name, optimizer in zip(reversed(NAMES), self.optimizers, strict=True):
            tensors |= named(f"{name}_adamw.", optimizer.state())
        return tensors

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        for name, player, average in zip(NAMES, self.both, self.averages, strict=True):
            player.load_state_dict(part_of(state, f"{name}."))
            for key, value in part_of(state, f"{name}_average.").items():
                average[key].copy_(value)
        for name, optimizer in zip(reversed(NAMES), self.optimizers, strict=True):
            optimizer.load_state(part_of(state, f"{name}_adamw."))

    def _optimizers(self, recipes: Sequence[Recipe]) -> tuple[MemberAdamW, MemberAdamW]:
        """Return the optimizers of discriminator and generator; the skip has rates of its own."""
        trainings = [recipe.training for recipe in recipes]
        common = trainings[0]
        skips = self.discriminator.skips
        skip = [] if skips is None else list(skips.parameters())
        known = {id(p) for p in skip}
        rest = [p for p in self.discriminator.parameters() if id(p) not in known]
        rates = [t.discriminator_learning_rate for t in trainings]
        groups = [Group(rest, rates, common.weight_decay)]
        if skip:  # its penalty is the ridge
            groups.append(Group(skip, [t.skip_learning_rate for t in trainings]))
        generator = list(self.generator.parameters())
        rates = [t.generator_learning_rate for t in trainings]
        settings = {"beta1": common.beta1, "clip": common.clip}
        return MemberAdamW(groups, **settings), MemberAdamW([Group(generator, rates)], **settings)


def _diverged(update: int, found: str) -> DivergenceError:
    return DivergenceError(
        f"diverged at update {update}: {found}; the weights are those before it. Lower the "
        "learning rates, or raise objective.r1 or set discriminator.spectral_norm"
    )
