"""Which weights of an encoder are trained: all, the last layers, none, or low-rank experts.

A low-rank expert is one LoRA adapter a task, W = W_0 + (alpha / rank) B A, on the three dense maps
of every layer. Source: He and Zhao, "Mixture of Low-Rank Experts", eq. 6; Hu et al. 2021, from whom
the factor alpha / rank is that eq. 6 leaves out. The encoder's own weights are frozen: He and Zhao
write that no parameter is, but count 81M trainable ones in table 1, against 112M for the whole
model; three experts of rank 256 have 81 x 2^20.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from torch import nn

from mtl.bert.encoder import TextEncoder
from mtl.choices import check_choice
from mtl.errors import InputError

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

TrainMode = Literal["frozen", "finetune", "last", "lora"]

# Where an architecture keeps its layers, and the three dense maps in each: attention output,
# intermediate and output. BERT, MiniLM, RoBERTa and most others; then DistilBERT.
ARCHITECTURES: dict[str, tuple[str, str, str]] = {
    "encoder.layer": ("attention.output.dense", "intermediate.dense", "output.dense"),
    "transformer.layer": ("attention.out_lin", "ffn.lin1", "ffn.lin2"),
}


def encoder_layers(encoder: TextEncoder) -> tuple[str, nn.ModuleList]:
    """Find the transformer layers of an encoder.

    Returns:
        The path below ``encoder.model``, one of ``ARCHITECTURES``, and the layers, lowest first.

    Raises:
        InputError: They are at none of those paths.
    """
    for path in ARCHITECTURES:
        try:
            layers = encoder.model.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(layers, nn.ModuleList):
            return path, layers
    raise InputError(
        f"encoder.name: {encoder.name!r} is a {type(encoder.model).__name__} without layers at "
        f"{' or '.join(ARCHITECTURES)}; use a BERT, RoBERTa or DistilBERT"
    )


def check_tasks(tasks: Sequence[str]) -> None:
    """Refuse task names that cannot be the names of modules.

    Raises:
        InputError: There is none, one comes twice, or one cannot be an attribute.
    """
    taken = [task for task in tasks if not task or "." in task or hasattr(nn.ModuleDict(), task)]
    if not tasks or taken or len(set(tasks)) != len(tasks):
        raise InputError(
            f"tasks: they are {list(tasks)}; give at least one, each once, without dots, "
            "and none called like an attribute of a torch module"
        )


def add_experts(
    encoder: TextEncoder,
    tasks: Sequence[str],
    *,
    rank: int = 256,
    alpha: int = 32,
    dropout: float = 0.0,
    modules: Sequence[str] | None = None,
) -> None:
    """Put one LoRA adapter a task on every layer; freeze everything else.

    B starts at zero, so every expert starts as the encoder was. No expert is active until
    :func:`use_expert` says so. One name, such as ``("shared",)``, makes plain LoRA.

    Args:
        encoder: Changed in place.
        tasks: Names of the experts.
        rank: Rows of A and columns of B; He and Zhao use 256.
        alpha: Numerator of the scale alpha / rank; He and Zhao use 32.
        dropout: Probability on what A reads.
        modules: Linear maps by their names within a layer; None for the three dense ones.

    Raises:
        InputError: The encoder has no such module, peft is missing, or a value is out of range.
    """
    check_tasks(tasks)
    if rank < 1 or alpha <= 0 or not 0 <= dropout < 1:
        raise InputError(
            f"encoder.lora_rank {rank}, encoder.lora_alpha {alpha}, dropout {dropout}; "
            "use a rank >= 1, an alpha > 0 and a dropout below 1"
        )
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise InputError(
            f"encoder.mode: lora needs peft, which does not load ({error}); pip install peft"
        ) from error
    # Whole paths: peft matches endings, and attention.output.dense ends in output.dense as well.
    targets = _paths(encoder, modules)
    with warnings.catch_warnings():
        # Of several adapters in one model, which is the point.
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        for task in tasks:
            config = LoraConfig(
                r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets
            )
            inject_adapter_in_model(config, encoder.model, adapter_name=task)
    # peft makes its modules in training mode, whatever the encoder is in.
    encoder.train(encoder.training)
    set_trainable(encoder, "lora")
    _activate(encoder, None)


def _paths(encoder: TextEncoder, modules: Sequence[str] | None) -> list[str]:
    """Return the full path of each named linear map in every layer."""
    root, layers = encoder_layers(encoder)
    wanted = ARCHITECTURES[root] if modules is None else modules
    linear = [name for name, module in layers[0].named_modules() if isinstance(module, nn.Linear)]
    absent = [name for name in wanted if name not in linear]
    if absent or not wanted:
        raise InputError(
            f"encoder.lora_modules: a layer of {encoder.name!r} has no linear map "
            f"{absent[0] if absent else 'of an empty list'}; it has {', '.join(linear)}"
        )
    return [f"{root}.{index}.{name}" for index in range(len(layers)) for name in wanted]


@contextmanager
def use_expert(encoder: TextEncoder, task: str | None) -> Iterator[None]:
    """Run the encoder with one task's expert, or with none of them; then as before.

    Which parameters are trainable stays as it is: experts that are not active are not in the
    graph, so their gradients stay None. Where gradient checkpointing is on, call ``backward``
    inside the context too, since it runs the encoder again.

    Raises:
        InputError: The encoder has no such expert.
    """
    layer = _expert_layers(encoder)[0]
    before = None if layer.disable_adapters else layer.active_adapters[0]
    if task is not None and task not in layer.lora_A:
        raise InputError(
            f"sharing.adapter: no expert for {task!r}; there are {', '.join(layer.lora_A)}"
        )
    _activate(encoder, task)
    try:
        yield
    finally:
        _activate(encoder, before)


def merge_experts(encoder: TextEncoder) -> None:
    """Add the one expert of an encoder to its weights, and take the adapters out.

    It then computes what it computed with the expert, but for rounding, as a plain encoder.

    Raises:
        InputError: The encoder has no expert, or several.
    """
    names = {name for layer in _expert_layers(encoder) for name in layer.lora_A}
    if len(names) != 1:
        raise InputError(f"encoder.mode: {len(names)} experts cannot be merged into one encoder")
    from peft.tuners.lora import LoraLayer

    for path, module in list(encoder.model.named_modules()):
        if isinstance(module, LoraLayer):
            module.enable_adapters(enabled=True)
            module.merge(adapter_names=list(names))
            parent, _, name = path.rpartition(".")
            setattr(encoder.model.get_submodule(parent), name, module.get_base_layer())


def _expert_layers(encoder: TextEncoder) -> list["LoraLayer"]:
    """List the modules that hold experts."""
    if any("lora_" in name for name, _ in encoder.named_parameters()):
        from peft.tuners.lora import LoraLayer

        return [module for module in encoder.modules() if isinstance(module, LoraLayer)]
    raise InputError("encoder.mode: the encoder has no low-rank experts; add them first")


def _activate(encoder: TextEncoder, task: str | None) -> None:
    """Switch experts and keep what is trainable, which peft changes at every switch.

    Otherwise an optimizer made between two switches would hold a single expert.
    """
    for layer in _expert_layers(encoder):
        assert isinstance(layer, nn.Module)
        trainable = [(parameter, parameter.requires_grad) for parameter in layer.parameters()]
        if task is not None:
            layer.set_adapter(task)
        layer.enable_adapters(task is not None)
        for parameter, flag in trainable:
            parameter.requires_grad_(flag)


def set_trainable(encoder: TextEncoder, mode: TrainMode, *, last_layers: int = 1) -> None:
    """Choose the parameters of the encoder that are trained.

    Args:
        encoder: Its parameters' ``requires_grad`` is set.
        mode: ``frozen`` (none), ``finetune`` (all), ``last`` (the uppermost layers, and the pooler
            where there is one) or ``lora`` (the low-rank experts only).
        last_layers: How many layers ``last`` means.

    Raises:
        InputError: The mode is unknown, or the encoder lacks what it needs.
    """
    check_choice("encoder.mode", mode, TrainMode)
    chosen = list(_chosen(encoder, mode, last_layers))
    encoder.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)


def _chosen(encoder: TextEncoder, mode: TrainMode, last_layers: int) -> Iterable[nn.Parameter]:
    """Return the parameters that a mode trains."""
    if mode == "frozen":
        return []
    if mode == "finetune":
        return encoder.parameters()
    if mode == "lora":
        experts = [value for name, value in encoder.named_parameters() if "lora_" in name]
        if not experts:
            raise InputError("encoder.mode: lora needs low-rank experts; add them first")
        return experts
    layers = encoder_layers(encoder)[1]
    if not 1 <= last_layers <= len(layers):
        raise InputError(
            f"encoder.last_layers: {last_layers}, but {encoder.name!r} has {len(layers)} layers"
        )
    pooler = getattr(encoder.model, "pooler", None)
    above = [] if pooler is None else list(pooler.parameters())
    return [*layers[-last_layers:].parameters(), *above]


def count_trainable(*modules: nn.Module) -> int:
    """Count the numbers that training may change, each once.

    Example:
        >>> count_trainable(nn.Linear(3, 2), nn.Linear(2, 1).requires_grad_(False))
        8
    """
    unique = {parameter for module in modules for parameter in module.parameters()}
    return sum(parameter.numel() for parameter in unique if parameter.requires_grad)
