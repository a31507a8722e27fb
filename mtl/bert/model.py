"""Multitask BERT: one encoder, a block that tasks may share, and a head for each task.

*Source:* arXiv 2408.15265, figure 1 (BERT, shared block, heads); the choices come from its siblings
(cross encoding, cosine head, projected attention layers, low-rank experts).
Shapes: B batch, D embedding, C classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pad

from mtl.bert.adapters import (
    TrainMode,
    add_experts,
    count_trainable,
    set_trainable,
    use_expert,
)
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
from mtl.bert.portable import read_encoder, write_encoder
from mtl.choices import check_choice
from mtl.companion import NoHead
from mtl.errors import InputError
from mtl.saved import WEIGHTS, SavedModel
from mtl.text.collate import TokenBatch
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
        lora_modules: Linear maps of a layer that get one, by their names within it; none: the three
            dense ones.
        pal_size: Width of projected attention layers; 0: the paper's, scaled to the encoder.
        shared_depth: Linear maps of the block between encoder and heads; 0: no block.
        shared_width: Its width; 0: the encoder's.
        activation: Its activation.
    """

    train: TrainMode = "finetune"
    last_layers: int = 1
    adapter: Adapter = "none"
    rank: int = 256
    alpha: int = 32
    lora_modules: tuple[str, ...] = ()
    pal_size: int = 0
    shared_depth: int = 0
    shared_width: int = 0
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        check_choice("encoder.mode", self.train, TrainMode)
        check_choice("sharing.adapter", self.adapter, Adapter)
        check_choice("sharing.activation", self.activation, Activation)
        if self.adapter == "experts" and self.train != "lora":
            raise InputError(
                f"sharing.adapter experts trains adapters only, but encoder.mode is {self.train}; "
                "use lora"
            )


def pair_input(settings: HeadSettings) -> PairInput:
    """Say how the pairs of a task with this head are to be tokenized."""
    if settings.kind in COSINE_KINDS:
        return "joined"
    return {"cross": "cross", "triplet": "triplet"}.get(settings.pair, "joined")  # type: ignore[return-value]


class MultitaskModel(nn.Module, SavedModel):
    """Encoder, shared block, and one head a task.

    Args:
        encoder: Changed in place: adapters are added, ``requires_grad`` is set.
        tasks: What is predicted.
        heads: How, by task name.
        settings: What is shared and trained.

    Attributes:
        temperatures: By class task, what its logits are divided by in predictions; see
            :func:`mtl.evaluate.calibrate`.

    Raises:
        InputError: Settings contradict a task, each other or the encoder.
    """

    FORMAT: ClassVar[int] = 1

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
        self.temperatures = {n: 1.0 for n, task in tasks.items() if task.output == "classes"}
        if settings.train == "lora":
            add_experts(
                encoder,
                list(tasks) if settings.adapter == "experts" else ["shared"],
                rank=settings.rank,
                alpha=settings.alpha,
                modules=settings.lora_modules or None,
            )
        set_trainable(encoder, settings.train, last_layers=settings.last_layers)
        self.pals = None
        if settings.adapter == "pals":
            self.pals = add_pals(encoder, list(tasks), size=settings.pal_size or None)
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
            {
                name: build_head(task, heads[name], width, name=name)
                for name, task in tasks.items()
                if heads[name].kind != "none"
            }
        )

    def head(self, task: str) -> nn.Module:
        """Return a task's head; one that a companion answers for gives no logits."""
        return self.heads[task] if task in self.heads else NoHead()

    def encode(
        self, task: str, batch: TaskBatch, embeddings: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the vectors (B, D) that stand for the rows of a task, as its head wants them.

        Args:
            task: Whose adapters take part.
            batch: Tokens.
            embeddings: Taken for the embeddings of the tokens; None for :meth:`embed`'s.
        """
        vectors: list[Tensor] = []
        with self._adapted(task):
            for tokens, texts in ((batch.singles, self.tasks[task].arity), (batch.joint, 1)):
                if tokens is None:
                    continue
                given = None
                if embeddings is not None:
                    rows, length = tokens.input_ids_BL.shape
                    given, embeddings = embeddings[:rows, :length], embeddings[rows:]
                h_XD = self.shared(self.encoder(tokens, given))
                vectors += h_XD.chunk(texts)
        return tuple(vectors)

    def embed(self, batch: TaskBatch) -> Tensor:
        """Return the token embeddings of a batch: texts, then joint rows, padded to one length."""
        given = (batch.singles, batch.joint)
        parts = [self.encoder.embed(tokens) for tokens in given if tokens is not None]
        longest = max(part.shape[1] for part in parts)
        return torch.cat([pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])

    def encode_texts(self, task: str, tokens: TokenBatch) -> Tensor:
        """Return the encoder's own vectors (B, D) of texts, with a task's adapters."""
        with self._adapted(task):
            h_BD: Tensor = self.encoder(tokens)
        return h_BD

    def forward(self, task: str, batch: TaskBatch) -> Tensor:
        """Return class logits (B, C) or scores (B,)."""
        output: Tensor = self.head(task)(*self.encode(task, batch))
        return output

    @torch.no_grad()
    def predict(self, task: str, batch: TaskBatch) -> Tensor:
        """Return class probabilities (B, C), or scores (B,) within their range."""
        # A quotient in bfloat16 could make two classes equal; scores have no temperature.
        output = self(task, batch).float() / self.temperatures.get(task, 1.0)
        return predictions(self.tasks[task], output)

    def predict_texts(
        self, task: str, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Return class probabilities (N, C), or scores (N,) within their range, of plain texts.

        Args:
            task: Name of the task.
            texts: N texts, or the first ones of pairs.
            pairs: N second texts, where the task is about pairs.

        Raises:
            InputError: There is no such task, or it is not about such texts.
        """
        # It lies above this module: it tokenizes, and evaluates in batches of like length.
        from mtl.predict import predict_texts

        return predict_texts(self, task, texts, pairs)

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

    def _save_pretrained(self, save_directory: Path) -> None:
        config = {
            "tasks": {name: task.to_json() for name, task in self.tasks.items()},
            "heads": {name: asdict(self.head_settings[name]) for name in self.tasks},
            "settings": asdict(self.settings),
            "temperatures": self.temperatures,
            "encoder": write_encoder(self.encoder, save_directory),
        }
        self._write(save_directory, config, self.state_dict())

    @classmethod
    def _load(cls, directory: Path, config: dict[str, Any]) -> Self:
        weights = load_file(directory / WEIGHTS)
        settings = config["settings"]
        # New modules draw weights, which are replaced below: nobody else's stream pays for them.
        with torch.random.fork_rng(devices=[]):
            model = cls(
                read_encoder(directory, config["encoder"], weights),
                {name: Task.from_json(fields) for name, fields in config["tasks"].items()},
                {name: HeadSettings(**fields) for name, fields in config["heads"].items()},
                ModelSettings(**settings | {"lora_modules": tuple(settings["lora_modules"])}),
            )
        model.load_state_dict(weights)
        # Models that were saved before there were any have none.
        model.temperatures |= config.get("temperatures", {})
        return model.eval()


def parameter_counts(model: MultitaskModel) -> dict[str, int]:
    """Count the numbers in a model.

    Returns:
        ``total``, ``trained``, and of the trained ones ``shared`` (what more than one task can
        reach) and ``own`` (heads, PALs and experts of single tasks).
    """
    return {
        "total": sum(parameter.numel() for parameter in model.parameters()),
        "trained": count_trainable(model),
        "shared": sum(parameter.numel() for _, parameter in model.shared_parameters()),
        "own": sum(parameter.numel() for _, parameter in model.own_parameters()),
    }
