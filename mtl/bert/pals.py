"""Projected attention layers: a narrow attention of each task's own beside every encoder layer.

PAL(h) = V_D MH(V_E h) and h' = LN(a + FFN(a) + PAL(h)), where h enters the layer and a is what its
attention sublayer returns. V_E and V_D belong to a task and are shared by its layers; queries, keys
and values belong to a task and a layer. MH has no output matrix, V_D takes its place.
Source: Stickland and Murray 2019, "Adding parameters within BERT"; Marchini et al., section 4.
Decisions: V_D starts at zero, so that the encoder's output is unchanged until it has been trained;
no GELU behind V_D (the authors' code has one, neither paper does); as many heads as the encoder.
Shapes: B batch, L tokens, D embedding, S size of a PAL.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

from mtl.bert.adapters import check_tasks, encoder_layers
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError

PAPER_SIZE, PAPER_DIMENSION = 204, 768


def pal_size(dimension: int, heads: int) -> int:
    """Scale the paper's size to an encoder, rounded down to a multiple of its heads.

    Example:
        >>> pal_size(768, heads=12), pal_size(384, heads=12)
        (204, 96)
    """
    return heads * max(1, PAPER_SIZE * dimension // (PAPER_DIMENSION * heads))


class ProjectedAttention(nn.Module):
    """The PALs of one task.

    Args:
        dimension: Width D of the encoder.
        size: Width S of the attention.
        heads: Attention heads; S is a multiple of them.
        layers: Layers of the encoder.
        dropout: Probability on the attention weights.
    """

    def __init__(
        self, dimension: int, size: int, *, heads: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.encode = nn.Linear(dimension, size)
        self.attention = nn.ModuleList(nn.Linear(size, 3 * size) for _ in range(layers))
        self.decode = nn.Linear(size, dimension)
        nn.init.zeros_(self.decode.weight)
        nn.init.zeros_(self.decode.bias)

    def forward(self, h_BLD: Tensor, mask: Tensor | None, layer: int) -> Tensor:
        """Return what is added to a layer.

        Args:
            h_BLD: What enters the layer.
            mask: As the layer gets it, broadcast to (B, heads, L, L): boolean, or added to the
                attention scores; None to attend to all.
            layer: Index of the layer.

        Returns:
            PAL(h), with shape (B, L, D).
        """
        qkv_BLS = self.attention[layer](self.encode(h_BLD))
        # (B, L, 3 S) -> three of (B, heads, L, S / heads)
        query, key, value = qkv_BLS.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.decode(mixed.transpose(1, 2).flatten(2))


class PALs(nn.Module):
    """The projected attention layers of all tasks, of which at most one task's is active.

    They belong to whoever made them, not to the encoder: its own parameters and state are
    unchanged, and what trains or saves the encoder has to train or save these as well.

    Args:
        tasks: The PALs of each task by its name.
    """

    def __init__(self, tasks: dict[str, ProjectedAttention]) -> None:
        super().__init__()
        self.tasks = nn.ModuleDict(tasks)
        self.active: str | None = None

    @contextmanager
    def use(self, task: str | None) -> Iterator[None]:
        """Run the encoder with one task's PALs, or with none; then as before.

        Raises:
            InputError: There are no PALs for this task.
        """
        if task is not None and task not in self.tasks:
            raise InputError(
                f"sharing.adapter: no PALs for {task!r}; there are {', '.join(self.tasks)}"
            )
        before, self.active = self.active, task
        try:
            yield
        finally:
            self.active = before


@dataclass(eq=False)
class _Tap:
    """Two hooks on a layer: read what enters it, add the PAL ahead of its last LayerNorm.

    They are bound methods, so that a deep copy of encoder and PALs belongs together as well.
    """

    pals: PALs
    layer: int
    extra_BLD: Tensor | None = None

    def read(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Compute the active PAL from what enters the layer."""
        if self.pals.active is None:
            self.extra_BLD = None
            return
        if module.training and module.gradient_checkpointing:
            raise InputError("sharing.adapter: pals and gradient checkpointing exclude each other")
        h_BLD = args[0] if args else kwargs["hidden_states"]
        mask = args[1] if len(args) > 1 else kwargs.get("attention_mask")
        if mask is not None and mask.ndim == 2:  # flash attention's: 1 on tokens
            mask = mask[:, None, None, :].bool()
        self.extra_BLD = self.pals.tasks[self.pals.active](h_BLD, mask, self.layer)

    def add(self, _: nn.Module, args: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Add it to the residual of BertOutput, LN(FFN(a) + residual)."""
        intermediate, residual_BLD = args
        extra_BLD, self.extra_BLD = self.extra_BLD, None
        return intermediate, residual_BLD if extra_BLD is None else residual_BLD + extra_BLD


def add_pals(encoder: TextEncoder, tasks: Sequence[str], *, size: int | None = None) -> PALs:
    """Put projected attention layers beside every layer of a BERT or RoBERTa.

    Until one of them is :meth:`PALs.use`-d, and until that one is trained, the encoder's output
    is what it was.

    Args:
        encoder: Gets two hooks a layer.
        tasks: Names of the tasks.
        size: Width S; None for :func:`pal_size`.

    Returns:
        The PALs, in the encoder's training mode and on its device.

    Raises:
        InputError: The encoder is of another architecture, or the size does not fit.
    """
    check_tasks(tasks)
    layers = encoder_layers(encoder)[1]
    config = encoder.config
    if not all(isinstance(layer, BertLayer | RobertaLayer) for layer in layers):
        raise InputError(
            "sharing.adapter: pals needs the layers of a BERT or RoBERTa, and "
            f"{encoder.name!r} has {type(layers[0]).__name__}; use experts"
        )
    if config.chunk_size_feed_forward:
        raise InputError(
            "sharing.adapter: pals needs chunk_size_feed_forward 0 in the encoder's config"
        )
    heads = config.num_attention_heads
    size = pal_size(encoder.dimension, heads) if size is None else size
    if size < 1 or size % heads:
        raise InputError(
            f"sharing.pal_size: {size} is no multiple of the encoder's {heads} heads; use one, or 0"
        )
    projected = partial(
        ProjectedAttention,
        encoder.dimension,
        size,
        heads=heads,
        layers=len(layers),
        dropout=config.attention_probs_dropout_prob,
    )
    pals = PALs({task: projected() for task in tasks})
    pals.to(encoder.device).train(encoder.training)
    for index, layer in enumerate(layers):
        tap = _Tap(pals, index)
        layer.register_forward_pre_hook(tap.read, with_kwargs=True)
        layer.get_submodule("output").register_forward_pre_hook(tap.add)
    return pals
