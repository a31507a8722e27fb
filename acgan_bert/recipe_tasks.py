"""The parts of a recipe that are about the multitask BERT: its tasks, sharing, loop and stages.

Part of :mod:`acgan_bert.recipe`, which says what the strings below the fields are for.
"""

from dataclasses import dataclass, field
from typing import Literal

from acgan_bert.recipe_data import DataRecipe


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRecipe(DataRecipe):
    """One task: its text, its head and its loss."""

    train: str = ""
    """Source of the task, as in data.train; empty: the task is left out."""
    head: Literal["mlp", "binary", "sigmoid", "cosine-relu", "cosine-affine"] = "mlp"
    """Head: class logits or a score, one logit, a bounded score, or a cosine of two encodings."""
    pair: Literal["cross", "concat", "difference", "product", "triplet"] = "concat"
    """Pairs: read together, or encoded apart and joined; triplet does both."""
    depth: int = 0
    """Hidden layers of the head, 0 to 16; linear maps ahead of a cosine."""
    width: int = 256
    """Units of each."""
    activation: Literal["relu", "leaky-relu", "gelu"] = "relu"
    """What follows each."""
    dropout: float = 0.3
    """Dropout probability ahead of the head."""
    hidden_dropout: float = -1.0
    """Dropout probability ahead of its later layers; -1: the same."""
    loss: Literal["auto", "cross_entropy", "binary_cross_entropy", "mean_squared_error"] = "auto"
    """Loss; auto: what fits the task."""
    weight: float = 1.0
    """Factor of the loss."""
    balanced: bool = False
    """Rare classes weigh more, N / (C * count)."""
    penalty: Literal["none", "l1", "l2", "linf"] = "none"
    """Norm of the head's matrices that is added to the loss."""
    penalty_weight: float = 0.05
    """Factor of the penalty."""
    extra: Literal["none", "cosine_similarity", "multiple_negatives_ranking", "triplet"] = "none"
    """Further loss on the two encodings of a pair."""
    extra_weight: float = 1.0
    """Factor of that loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TasksRecipe:
    """What the multitask BERT predicts."""

    sentiment: TaskRecipe = field(default_factory=TaskRecipe)
    """Sentiment: classes of one sentence."""
    paraphrase: TaskRecipe = field(default_factory=TaskRecipe)
    """Paraphrase: two classes of a pair of sentences."""
    similarity: TaskRecipe = field(default_factory=TaskRecipe)
    """Similarity: a score from 0 to 5 of a pair of sentences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharingRecipe:
    """What tasks share besides the encoder, and what of it is their own."""

    adapter: Literal["none", "pals", "experts"] = "none"
    """Projected attention layers, or a low-rank adapter, of each task's own."""
    pal_size: int = 0
    """Width of projected attention; 0: 204 at an encoder width of 768, in proportion."""
    shared_depth: int = 0
    """Linear maps between the encoder and all heads; 0: none."""
    shared_width: int = 0
    """Their width; 0: the encoder's."""
    activation: Literal["relu", "leaky-relu", "gelu"] = "relu"
    """What follows each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MultitaskRecipe:
    """The loop of the multitask BERT."""

    epochs: int = 1
    """Passes, as the order of tasks counts them."""
    updates_per_epoch: int = 0
    """Updates of an epoch where it is to be shorter; 0: all."""
    batch_size: int = 16
    """Rows of each task in an update, over all processes."""
    accumulation: int = 1
    """Micro-batches that a batch is computed in."""
    order: Literal[
        "sequential",
        "round-robin",
        "interleaved",
        "proportional",
        "square-root",
        "annealed",
        "pairs",
    ] = "interleaved"
    """Whose batches come next; interleaved: all tasks in every update."""
    pairs: tuple[str, ...] = ()
    """For the order pairs: the tasks of each update, such as [sentiment+paraphrase]."""
    surgery: str = "sum"
    """How the tasks' gradients are merged: sum, pcgrad, gradvac or torchjd:NAME."""
    encoder_learning_rate: float = 5e-5
    """AdamW step size of the encoder."""
    head_learning_rate: float = 1e-3
    """AdamW step size of heads and adapters."""
    weight_decay: float = 0.01
    """AdamW decay of matrices."""
    course: Literal["constant", "linear", "cosine"] = "linear"
    """Course of the step sizes after the warm-up."""
    warmup_share: float = 0.1
    """Share of the updates over which step sizes rise."""
    clip: float = 0.0
    """Largest gradient norm; 0: no clipping."""
    eval_every_updates: int = 0
    """Updates between two evaluations; 0: at the end of each epoch."""
    checkpoint_every_updates: int = 0
    """Updates between two checkpoints; 0: at each evaluation."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Autocast; auto: bf16 where the processor has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmartRecipe:
    """Smoothness and proximal point (SMART)."""

    weight: float = 0.0
    """Factor of the smoothness term; 0: none."""
    epsilon: float = 1e-5
    """Largest change of a number of the token embeddings."""
    step_size: float = 1e-3
    """Step of the ascent to the worst change."""
    steps: int = 1
    """Such steps."""
    proximal: float = 0.0
    """Factor of the Bregman proximal term; 0: none."""
    momentum: float = 0.999
    """Decay of the averaged weights that it stays near."""
    early_momentum: float = 0.99
    """The same over the first tenth of the updates."""
    tasks: tuple[Literal["sentiment", "paraphrase", "similarity"], ...] = ()
    """Tasks that it is for; empty: all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastiveRecipe:
    """The contrastive stage ahead of multitask training."""

    kind: Literal["none", "unsupervised", "supervised", "both"] = "none"
    """SimCSE with dropout as noise, on positive pairs of the pair tasks, or one after the other."""
    updates: int = 100
    """Updates of each."""
    batch_size: int = 64
    """Texts, or pairs, of an update."""
    temperature: float = 0.05
    """Divisor of the cosines."""
    learning_rate: float = 3e-5
    """AdamW step size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JointRecipe:
    """The GAN beside an encoder that is trained along."""

    weight: float = 1.0
    """Factor of the game's gradient in the encoder; the players' own is as it is."""
    encoder_ema: float = 0.0
    """Decay of an averaged encoder that gives the real rows of the game; 0: the encoder itself."""
