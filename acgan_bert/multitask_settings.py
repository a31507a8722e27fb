"""What a recipe says of the multitask BERT, in the terms of :mod:`mtl`."""

from dataclasses import replace

from acgan_bert.parts import Parts, columns_of, read_parts
from acgan_bert.recipe import Recipe, TaskRecipe
from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings
from mtl.errors import InputError
from mtl.pretraining import ContrastiveSettings
from mtl.regularizers import Ascent
from mtl.settings import LoopSettings, SmartSettings, TaskData
from mtl.text.data import Corpus, read_corpus
from mtl.text.demo import TASKS
from mtl.text.tokens import TokenizedCorpus

SIMILARITY = TASKS["similarity"]
"""What every similarity task is, that of the built-in corpus as well: scores from 0 to 5."""
PARAPHRASE_CLASSES = 2


def task_recipes(recipe: Recipe) -> dict[str, TaskRecipe]:
    """Return the tasks that have text, by name."""
    tasks = recipe.tasks
    named = {
        "sentiment": tasks.sentiment,
        "paraphrase": tasks.paraphrase,
        "similarity": tasks.similarity,
    }
    return {name: task for name, task in named.items() if task.train.strip()}


def read_task(name: str, recipe: TaskRecipe, *, seed: int) -> Parts:
    """Read the text of one task.

    Raises:
        InputError: Something is wrong with it, or it is of another kind of task.
    """
    try:
        known = SIMILARITY if name == "similarity" else None
        pool = read_corpus(recipe.train, columns=columns_of(recipe), task=known)
        _check_kind(name, pool)
        parts = read_parts(recipe, seed=seed, pool=pool)
    except InputError as error:
        raise InputError(_of_task(name, str(error))) from error
    return replace(parts, notes=tuple(_of_task(name, note) for note in parts.notes))


def _of_task(name: str, message: str) -> str:
    """Let a message about data speak of the task's own keys."""
    return message.replace("--data.", f"--tasks.{name}.")


def _check_kind(name: str, corpus: Corpus) -> None:
    task, arity = corpus.task, 1 if name == "sentiment" else 2
    if task.arity != arity:
        found = "pairs of sentences" if task.arity == 2 else "one sentence a row"
        hint = "--data.text_pair names the second column; " if arity == 2 else ""
        raise InputError(
            f"{corpus.source}: has {found}, which is no {name}; {hint}or give it as another task"
        )
    if name != "similarity" and task.output != "classes":
        raise InputError(
            f"{corpus.source}: its labels are scores from {task.low:g} to {task.high:g}, but "
            f"{name} has classes; name another column with --data.label"
        )
    if name == "paraphrase" and task.num_classes != PARAPHRASE_CLASSES:
        raise InputError(
            f"{corpus.source}: has {task.num_classes} classes, but a pair is a paraphrase or not; "
            "name another column with --data.label"
        )


def head_settings(recipe: TaskRecipe) -> HeadSettings:
    """Return what the head of a task is."""
    return HeadSettings(
        kind=recipe.head,
        pair=recipe.pair,
        depth=recipe.depth,
        width=recipe.width,
        activation=recipe.activation,
        dropout=recipe.dropout,
        hidden_dropout=None if recipe.hidden_dropout < 0 else recipe.hidden_dropout,
    )


def task_data(recipe: TaskRecipe, train: TokenizedCorpus, dev: TokenizedCorpus | None) -> TaskData:
    """Return the rows of a task and what its loss is."""
    return TaskData(
        train=train,
        dev=dev,
        loss="" if recipe.loss == "auto" else recipe.loss,
        weight=recipe.weight,
        balanced=recipe.balanced,
        penalty="" if recipe.penalty == "none" else recipe.penalty,
        penalty_weight=recipe.penalty_weight,
        extra="" if recipe.extra == "none" else recipe.extra,
        extra_weight=recipe.extra_weight,
    )


def model_settings(recipe: Recipe) -> ModelSettings:
    """Return what stands on the encoder, and what of it is trained."""
    encoder, sharing = recipe.encoder, recipe.sharing
    return ModelSettings(
        train=encoder.mode,
        last_layers=encoder.last_layers,
        adapter=sharing.adapter,
        rank=encoder.lora_rank,
        alpha=encoder.lora_alpha,
        lora_modules=encoder.lora_modules,
        pal_size=sharing.pal_size,
        shared_depth=sharing.shared_depth,
        shared_width=sharing.shared_width,
        activation=sharing.activation,
    )


def loop_settings(recipe: Recipe) -> LoopSettings:
    """Return the loop of multitask training."""
    loop, smart = recipe.multitask, recipe.smart
    return LoopSettings(
        epochs=loop.epochs,
        updates_per_epoch=loop.updates_per_epoch,
        batch_size=loop.batch_size,
        accumulation=loop.accumulation,
        order=loop.order,
        pairs=task_pairs(loop.pairs),
        surgery=loop.surgery,
        encoder_rate=loop.encoder_learning_rate,
        head_rate=loop.head_learning_rate,
        weight_decay=loop.weight_decay,
        course=loop.course,
        warmup_share=loop.warmup_share,
        clip=loop.clip,
        evaluate_every=loop.eval_every_updates,
        checkpoint_every=loop.checkpoint_every_updates,
        seed=recipe.seed,
        precision=loop.precision,
        smart=SmartSettings(
            weight=smart.weight,
            ascent=Ascent(epsilon=smart.epsilon, step_size=smart.step_size, steps=smart.steps),
            proximal=smart.proximal,
            momentum=smart.momentum,
            early_momentum=smart.early_momentum,
            tasks=smart.tasks,
        ),
    )


def task_pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read pairs of tasks.

    Raises:
        InputError: One is not written as two names with a plus between.

    Example:
        >>> task_pairs(("sentiment+paraphrase",))
        (('sentiment', 'paraphrase'),)
    """
    pairs = []
    for name in names:
        first, plus, second = name.partition("+")
        if not (first and plus and second):
            raise InputError(f"multitask.pairs: {name!r} is no pair; write sentiment+paraphrase")
        pairs.append((first, second))
    return tuple(pairs)


def contrastive_settings(recipe: Recipe) -> ContrastiveSettings:
    """Return the stage ahead of multitask training."""
    stage = recipe.contrastive
    return ContrastiveSettings(
        kind=stage.kind,
        updates=stage.updates,
        batch_size=stage.batch_size,
        temperature=stage.temperature,
        learning_rate=stage.learning_rate,
        seed=recipe.seed,
        precision=recipe.multitask.precision,
    )
