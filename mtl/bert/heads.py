"""Heads: encodings in, class logits or a score out; and the block that all heads may share.

A head is called with a row's vectors: ``head(h)`` for one sentence or a pair read together,
``head(u, v)`` for two encodings, ``head(u, v, joint)`` for the triplet. Class heads return logits
(B, C), score heads scores (B,). Shapes: B batch, D embedding, F features, C classes.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, relu

from mtl.choices import check_choice
from mtl.errors import InputError
from mtl.text.tasks import Task

Activation = Literal["relu", "leaky-relu", "gelu"]
HeadKind = Literal["mlp", "binary", "sigmoid", "cosine-relu", "cosine-affine", "none"]
PairKind = Literal["cross", "concat", "difference", "product", "triplet"]

ACTIVATIONS = {"relu": nn.ReLU, "leaky-relu": nn.LeakyReLU, "gelu": nn.GELU}
# How many vectors wide the features of each kind are.
FEATURE_PARTS = {"cross": 1, "concat": 2, "difference": 3, "product": 4, "triplet": 3}
COSINE_KINDS = ("cosine-relu", "cosine-affine")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSettings:
    """How one task's vectors become its output.

    Args:
        kind: ``mlp`` (logits of classes, or a score without bounds), ``binary`` (two classes, one
            logit), ``sigmoid`` (score within its range), ``cosine-relu`` or ``cosine-affine``;
            ``none`` where a companion answers, see :mod:`mtl.companion`.
        pair: How the vectors of a pair are joined, see :func:`pair_features`; a task of one
            sentence does not use it, nor does a cosine head once there are two vectors.
        depth: Hidden layers; in a cosine head, linear maps ahead of the cosine (0 for none).
        width: Width of the hidden layers, or of the vectors that the cosine compares.
        activation: ``relu``, ``leaky-relu`` or ``gelu``.
        dropout: Probability ahead of the first linear map; unused where there is none.
        hidden_dropout: Probability ahead of each later one; None for the same.

    Raises:
        InputError: A value is outside what is said above.
    """

    kind: HeadKind = "mlp"
    pair: PairKind = "concat"
    depth: int = 0
    width: int = 256
    activation: Activation = "relu"
    dropout: float = 0.3
    hidden_dropout: float | None = None

    def __post_init__(self) -> None:
        check_choice("head", self.kind, HeadKind)
        check_choice("pair", self.pair, PairKind)
        check_choice("activation", self.activation, Activation)
        if self.depth < 0 or self.width < 1:
            raise InputError(f"head: depth {self.depth}, width {self.width}; use at least 0, 1")
        for dropout in (self.dropout, self.hidden_dropout):
            if dropout is not None and not 0 <= dropout < 1:
                raise InputError(f"dropout: {dropout} is no probability below 1")


def pair_features(kind: PairKind, *vectors: Tensor) -> Tensor:
    """Join the vectors that stand for a row into the features that its head reads.

    ``cross`` takes one vector as it is (He and Zhao). With two encodings: ``concat`` (u, v), the
    papers' baseline; ``difference`` (u, v, abs(u - v)) of SBERT (Reimers and Gurevych 2019, section
    3); ``product`` (u, v, abs(u - v), u * v) of InferSent (Conneau et al. 2017, section 3).
    ``triplet`` is (u, v, joint), where joint encodes the pair read together: arXiv 2408.15265
    does not say how it joins the three, concatenation is our choice.

    Args:
        kind: One of the names above.
        vectors: One, two or three encodings (B, D), as the kind needs.

    Returns:
        The features (B, F), ``FEATURE_PARTS[kind]`` times as wide as a vector.
    """
    if kind == "cross":
        (h_BD,) = vectors
        return h_BD
    if kind == "triplet":
        u_BD, v_BD, joint_BD = vectors
        return torch.cat([u_BD, v_BD, joint_BD], dim=-1)
    u_BD, v_BD = vectors
    parts = [u_BD, v_BD, (u_BD - v_BD).abs(), u_BD * v_BD]
    return torch.cat(parts[: FEATURE_PARTS[kind]], dim=-1)


def _hidden(in_width: int, width: int, activation: str, dropouts: list[float]) -> list[nn.Module]:
    """List dropout, linear map and activation, once for each dropout."""
    layers: list[nn.Module] = []
    for dropout in dropouts:
        layers += [nn.Dropout(dropout), nn.Linear(in_width, width), ACTIVATIONS[activation]()]
        in_width = width
    return layers


class SharedBlock(nn.Sequential):
    """Layers between the encoder and the heads of all tasks, (B, D) -> (B, width).

    arXiv 2408.15265 says no more of it. It ends in its activation, since two linear maps in a row
    would be one. Beneath a cosine head ``relu`` would leave no cosine below 0.

    Args:
        in_width: Width D of an encoding.
        width: Width of what the heads read.
        depth: Linear maps, at least 1.
        activation: ``relu``, ``leaky-relu`` or ``gelu``.
        dropout: Probability ahead of each linear map.
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        depth: int = 1,
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        if depth < 1 or width < 1:
            raise InputError(f"shared block: depth {depth} and width {width} must be at least 1")
        super().__init__(*_hidden(in_width, width, activation, [dropout] * depth))


class MLPHead(nn.Sequential):
    """Dropout and a linear map behind ``depth`` hidden layers, (B, F) -> (B, out).

    Depth 0 is the linear head of the papers; depth 1 with dropout 0.5 and then 0.3 is the
    similarity head of Aggarwal and Cruz. ``HeadSettings`` says what the rest means.

    Args:
        in_width: Width F of the features.
        out_width: Logits, scores or projected coordinates.
        depth: Hidden layers.
        width: Their width.
        activation: What follows each.
        dropout: Probability ahead of the first linear map.
        hidden_dropout: The same ahead of each later one.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        depth: int = 0,
        width: int = 256,
        activation: Activation = "relu",
        dropout: float = 0.0,
        hidden_dropout: float | None = None,
    ) -> None:
        later = dropout if hidden_dropout is None else hidden_dropout
        *hidden, last = [dropout, *[later] * depth]
        super().__init__(
            *_hidden(in_width, width, activation, hidden),
            nn.Dropout(last),
            nn.Linear(width if depth else in_width, out_width),
        )


class SigmoidHead(nn.Module):
    """low + (high - low) σ(z), the 5 σ(z) of Marchini et al. for any range of scores.

    Args:
        body: Maps (B, F) to (B, 1).
        low: Lowest score.
        high: Highest score.
    """

    def __init__(self, body: nn.Module, *, low: float, high: float) -> None:
        super().__init__()
        self.body = body
        self.low, self.high = low, high

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return the scores (B,)."""
        return self.low + (self.high - self.low) * self.body(features_BF).sigmoid().squeeze(-1)


class CosineHead(nn.Module):
    """A score from the cosine of two encodings: low + (high - low) s(cos(u, v)).

    s is ReLU in Marchini et al. (5 ReLU(cos), whose gradient is zero below 0), or affine,
    (cos + 1) / 2, which is never flat.

    Args:
        projection: Applied to u and to v ahead of the cosine; ``nn.Identity()`` for none.
        low: Lowest score.
        high: Highest score.
        affine: Whether s is affine.
    """

    def __init__(self, projection: nn.Module, *, low: float, high: float, affine: bool) -> None:
        super().__init__()
        self.projection = projection
        self.low, self.high = low, high
        self.affine = affine

    def forward(self, u_BD: Tensor, v_BD: Tensor) -> Tensor:
        """Return the scores (B,) of the pairs."""
        cosine_B = cosine_similarity(self.projection(u_BD), self.projection(v_BD), dim=-1)
        share_B = (cosine_B + 1) / 2 if self.affine else relu(cosine_B)
        return self.low + (self.high - self.low) * share_B


class JoinedHead(nn.Module):
    """A head on the features of a row's vectors, joined as ``pair`` says (``cross``: only one)."""

    def __init__(self, pair: PairKind, head: nn.Module) -> None:
        super().__init__()
        self.pair: PairKind = pair
        self.head = head

    def forward(self, *vectors: Tensor) -> Tensor:
        """Return the logits (B, C) or scores (B,) of encodings (B, D)."""
        return self.head(pair_features(self.pair, *vectors))


def build_head(task: Task, settings: HeadSettings, dimension: int, *, name: str = "") -> nn.Module:
    """Make a task's head.

    Args:
        task: What is predicted.
        settings: How.
        dimension: Width D of the vectors: the encoder's, or the shared block's.
        name: What the model calls the task, for messages; empty: as it calls itself.

    Raises:
        InputError: The settings contradict the task.

    Example:
        >>> task = Task(name="paraphrase", arity=2, output="classes", classes=("no", "yes"))
        >>> head = build_head(task, HeadSettings(pair="difference"), dimension=8)
        >>> head(torch.ones(3, 8), torch.zeros(3, 8)).shape
        torch.Size([3, 2])
    """
    _check_fits(name or task.name, task, settings)
    mlp = partial(
        MLPHead,
        width=settings.width,
        activation=settings.activation,
        dropout=settings.dropout,
        hidden_dropout=settings.hidden_dropout,
    )
    kind, depth = settings.kind, settings.depth
    if kind in COSINE_KINDS:
        projection = mlp(dimension, settings.width, depth=depth - 1) if depth else nn.Identity()
        affine = kind == "cosine-affine"
        return CosineHead(projection, low=task.low, high=task.high, affine=affine)
    pair: PairKind = settings.pair if task.arity == 2 else "cross"
    many = task.output == "classes" and kind == "mlp"
    body = mlp(dimension * FEATURE_PARTS[pair], task.num_classes if many else 1, depth=depth)
    if kind == "binary":
        # Logits (0, z): their cross-entropy is the binary cross-entropy of z (He and Zhao).
        return JoinedHead(pair, nn.Sequential(body, nn.ConstantPad1d((1, 0), 0.0)))
    if kind == "sigmoid":
        return JoinedHead(pair, SigmoidHead(body, low=task.low, high=task.high))
    return JoinedHead(pair, body if many else nn.Sequential(body, nn.Flatten(0)))


def _check_fits(name: str, task: Task, settings: HeadSettings) -> None:
    """Refuse a head that cannot predict this task."""
    kind, problem = settings.kind, ""
    if kind == "binary" and (task.output != "classes" or task.num_classes != 2):
        problem = "it needs exactly two classes; use mlp"
    elif kind in ("sigmoid", *COSINE_KINDS) and task.output == "classes":
        problem = "it gives a score, and this task has classes; use mlp or binary"
    elif kind in COSINE_KINDS and task.arity == 1:
        problem = "it compares two sentences, and this task has one; use sigmoid or mlp"
    elif kind in COSINE_KINDS and settings.pair in ("cross", "triplet"):
        problem = (
            f"it compares sentences encoded apart, and tasks.{name}.pair is {settings.pair}; "
            "use pair concat, or head sigmoid"
        )
    if problem:
        raise InputError(f"tasks.{name}.head: {kind}, but {problem}")


def predictions(task: Task, output: Tensor) -> Tensor:
    """Turn a head's output into what a user reads.

    Args:
        task: What is predicted.
        output: Logits (B, C), or scores (B,).

    Returns:
        Class probabilities (B, C), or scores (B,) clipped to the task's range, in float32.
    """
    if task.output == "classes":
        return output.float().softmax(dim=-1)
    return output.float().clamp(task.low, task.high)
