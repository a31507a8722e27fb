"""Multitask BERT: one encoder, a block that tasks may share, and a head for each task.

*Source:* arXiv 2408.15265, figure 1 (BERT, shared block, heads); the choices come from its siblings
(cross encoding, cosine head, projected attention layers, low-rank experts).
Shapes: B batch, D embedding, C classes.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mtl.bert.adapters import TrainMode, add_experts, set_trainable, use_expert
from mtl.bert.encoder import TextEncoder
from mtl.bert.heads import (
    COSINE_KINDS,
    Activation,
    HeadSettings,
    SharedBlock,
    build_head,
    predictions,
)
from mtl.bert.pals import add_pals
from mtl.errors import InputError
from mtl.text.tasks import Task
from mtl.text.tokens import PairInput, TaskBatch

Adapter = Literal["none", "pals", "experts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """What stands on the encoder, and which of its weights are trained.

    Args:
        train: ``finetune`` (all), ``last`` (the uppermost layers), ``frozen`` or ``lora`` (one
            adapter for all tasks).
        last_layers: How many layers ``last`` means.
        adapter: ``none``, ``pals`` (projected attention layers, a task's own) or ``experts`` (a
            low-rank adapter a task; the encoder's own weights are frozen then).
        rank: Rank of low-rank adapters.
        alpha: Their scale is alpha / rank.
        shared_depth: Linear maps of the block between encoder and heads; 0: no block.
        shared_width: Its width; 0: the encoder's.
        activation: Its activation.
    """

    train: TrainMode = "finetune"
    last_layers: int = 1
    adapter: Adapter = "none"
    rank: int = 256
    alpha: int = 32
    shared_depth: int = 0
    shared_width: int = 0
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        for name, choices in {"train": TrainMode, "adapter": Adapter}.items():
            if getattr(self, name) not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise InputError(f"model.{name}: {getattr(self, name)!r} is unknown; use {known}")
        if self.adapter == "experts" and self.train != "lora":
            raise InputError(
                f"model.adapter experts trains adapters only, but model.train is {self.train}; "
                "use lora"
            )


def pair_input(settings: HeadSettings) -> PairInput:
    """Say how the pairs of a task with this head are to be tokenized."""
    if settings.kind in COSINE_KINDS:
        return "joined"
    return {"cross": "cross", "triplet": "triplet"}.get(settings.pair, "joined")  # type: ignore[return-value]


class MultitaskModel(nn.Module):
    """Encoder, shared block, and one head a task.

    Args:
        encoder: Changed in place: adapters are added, ``requires_grad`` is set.
        tasks: What is predicted.
        heads: How, by task name.
        settings: What is shared and trained.

    Raises:
        InputError: Settings contradict a task, each other or the encoder.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        tasks: Mapping[str, Task],
        heads: Mapping[str, HeadSettings],
        settings: ModelSettings,
    ) -> None:
        super().__init__()
        self.encoder, self.tasks, self.settings = encoder, dict(tasks), settings
        self.head_settings = dict(heads)
        if settings.adapter == "experts":
            add_experts(encoder, list(tasks), rank=settings.rank, alpha=settings.alpha)
        elif settings.train == "lora":
            add_experts(encoder, ["shared"], rank=settings.rank, alpha=settings.alpha)
        set_trainable(encoder, settings.train, last_layers=settings.last_layers)
        self.pals = add_pals(encoder, list(tasks)) if settings.adapter == "pals" else None
        width = settings.shared_width or encoder.dimension
        self.shared: nn.Module = nn.Identity()
        if settings.shared_depth:
            self.shared = SharedBlock(
                encoder.dimension,
                width,
                depth=settings.shared_depth,
                activation=settings.activation,
            )
        else:
            width = encoder.dimension
        self.heads = nn.ModuleDict(
            {name: build_head(task, heads[name], width) for name, task in tasks.items()}
        )

    def encode(self, task: str, batch: TaskBatch) -> tuple[Tensor, ...]:
        """Return the vectors (B, D) that stand for the rows of a task, as its head wants them."""
        vectors: list[Tensor] = []
        with self._adapted(task):
            if batch.singles is not None:
                h_XD = self.shared(self.encoder(batch.singles))
                vectors += h_XD.chunk(self.tasks[task].arity)
            if batch.joint is not None:
                vectors.append(self.shared(self.encoder(batch.joint)))
        return tuple(vectors)

    def forward(self, task: str, batch: TaskBatch) -> Tensor:
        """Return class logits (B, C) or scores (B,)."""
        output: Tensor = self.heads[task](*self.encode(task, batch))
        return output

    @torch.no_grad()
    def predict(self, task: str, batch: TaskBatch) -> Tensor:
        """Return class probabilities (B, C), or scores (B,) within their range."""
        return predictions(self.tasks[task], self(task, batch))

    def shared_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield what more than one task can reach and training moves: what surgery is about."""
        for name, parameter in self.named_parameters():
            if parameter.requires_grad and not self._own(name):
                yield name, parameter

    def own_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the trained parameters that belong to one task: heads, PALs, experts."""
        for name, parameter in self.named_parameters():
            if parameter.requires_grad and self._own(name):
                yield name, parameter

    def _own(self, name: str) -> bool:
        expert = self.settings.adapter == "experts" and ".lora_" in name
        return expert or name.startswith(("heads.", "pals."))

    def _adapted(self, task: str) -> AbstractContextManager[None]:
        if self.pals is not None:
            return self.pals.use(task)
        if self.settings.adapter == "experts":
            return use_expert(self.encoder, task)
        return (
            use_expert(self.encoder, "shared") if self.settings.train == "lora" else nullcontext()
        )
