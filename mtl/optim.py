"""AdamW: groups of parameters, the course of the learning rates, clipping, loss scale."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from mtl.checkpoint import named, part_of
from mtl.choices import check_choice
from mtl.errors import DivergenceError

Course = Literal["constant", "linear", "cosine"]


def parameter_groups(
    encoder: Iterable[tuple[str, nn.Parameter]],
    rest: Iterable[tuple[str, nn.Parameter]],
    *,
    encoder_rate: float,
    rest_rate: float,
    weight_decay: float,
) -> list[dict[str, object]]:
    """Sort trained parameters by learning rate and decay; biases and norms never decay.

    Args:
        encoder: Names and parameters of the pretrained encoder.
        rest: Of everything that starts from nothing: heads, shared block, adapters.
        encoder_rate: Learning rate of the first.
        rest_rate: Learning rate of the others.
        weight_decay: AdamW decay of matrices (Devlin et al. 2019, appendix A.2).

    Returns:
        Groups for ``torch.optim.AdamW``, empty ones left out; ``names`` are of their parameters.
    """
    groups = []
    for parameters, rate in ((encoder, encoder_rate), (rest, rest_rate)):
        trained = [(name, value) for name, value in parameters if value.requires_grad]
        for decays in (True, False):
            # Biases and the weights of norms are vectors; nothing else is.
            chosen = {name: value for name, value in trained if (value.ndim > 1) == decays}
            if chosen:
                decay = weight_decay if decays else 0.0
                group = {"params": [*chosen.values()], "names": [*chosen]}
                groups.append({**group, "lr": rate, "weight_decay": decay})
    return groups


def course_of(
    optimizer: torch.optim.Optimizer, course: Course, *, warmup_share: float, updates: int
) -> LambdaLR:
    """Let the learning rates rise linearly from 0 over the warm-up, then follow their course.

    Args:
        optimizer: Its learning rates are those of the top.
        course: ``constant``, ``linear`` (down to 0 at the end) or ``cosine`` (likewise).
        warmup_share: Share of the updates that warm up, in [0, 1].
        updates: Updates in all.

    Raises:
        InputError: The course is unknown.
    """
    check_choice("multitask.course", course, Course)
    name = "constant_with_warmup" if course == "constant" else course
    warmup = round(warmup_share * updates)
    return get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=max(1, updates)
    )


class Optimization:
    """The updates of one training: from gradients to parameters, and how many there were.

    Args:
        groups: Of :func:`parameter_groups`.
        course: Course of their learning rates.
        warmup_share: Share of the updates that warm up.
        updates: Updates in all.
        clip: Largest norm of the gradient; 0: no clipping.
        scaled: Whether losses are scaled up, for float16: its gradients would vanish.

    Raises:
        InputError: The course is unknown.
    """

    def __init__(
        self,
        groups: list[dict[str, object]],
        *,
        course: Course,
        warmup_share: float,
        updates: int,
        clip: float,
        scaled: bool = False,
    ) -> None:
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        self.named = {
            name: parameter
            for group in self.optimizer.param_groups
            for name, parameter in zip(group["names"], group["params"], strict=True)
        }
        self.parameters = list(self.named.values())
        self.course = course_of(self.optimizer, course, warmup_share=warmup_share, updates=updates)
        self.done = 0
        self.clip = clip or float("inf")
        self.scaler = torch.amp.GradScaler(self.parameters[0].device.type, enabled=scaled)

    def apply(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Clip the gradient and do the update.

        Args:
            losses: What it is the gradient of, for the message.

        Returns:
            The losses, and ``norm`` of the gradient as it was; empty where float16 overflowed: the
            update is passed over then, and the losses are scaled less from there on.

        Raises:
            DivergenceError: The gradient is not finite; nothing was changed.
        """
        self.scaler.unscale_(self.optimizer)
        found = {**losses, "norm": nn.utils.clip_grad_norm_(self.parameters, self.clip)}
        overflow = not torch.isfinite(found["norm"])
        if overflow and self.scaler.get_scale() <= 1:  # as it is where nothing is scaled
            values = ", ".join(f"{name} {float(value):.4g}" for name, value in found.items())
            raise DivergenceError(
                f"diverged at update {self.done + 1} ({values}); the weights are those before it. "
                "Lower the learning rates, or clip"
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.course.step()
        self.done += 1
        return {} if overflow else found

    def state(self) -> dict[str, Tensor]:
        """Return everything but the parameters that the next updates depend on."""
        tensors = {"done": torch.tensor(self.done)}
        for name, parameter in self.named.items():
            tensors |= named(f"adamw.{name}.", self.optimizer.state.get(parameter, {}))
        scaler = self.scaler.state_dict()
        values = {key: torch.tensor(value, dtype=torch.float64) for key, value in scaler.items()}
        return tensors | named("scaler.", values)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned.

        Raises:
            KeyError: It is of another parameter.
        """
        self.optimizer.state.clear()
        for key, value in part_of(state, "adamw.").items():
            name, _, moment = key.rpartition(".")
            parameter = self.named[name]
            self.optimizer.state[parameter][moment] = value.to(parameter.device)
        if scaler := part_of(state, "scaler."):
            found = {key: value.item() for key, value in scaler.items()}
            for count in ("growth_interval", "_growth_tracker"):
                found[count] = int(found[count])
            self.scaler.load_state_dict(found)
        self.done = self.course.last_epoch = int(state["done"])
        groups, course = self.optimizer.param_groups, self.course
        for group, top, scale in zip(groups, course.base_lrs, course.lr_lambdas, strict=True):
            group["lr"] = top * scale(self.done)
