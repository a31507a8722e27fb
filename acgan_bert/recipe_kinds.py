"""What a recipe trains: the GAN on embeddings or beside an encoder, or the multitask BERT alone."""

from operator import attrgetter
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import recipe_fields
from mtl.errors import InputError

TASKS = ("tasks.sentiment", "tasks.paraphrase", "tasks.similarity")
_OF_LOOP = ("multitask.", "encoder.mode", "encoder.last_layers", "encoder.lora_")
_OF_EPOCHS = (
    *("multitask.epochs", "multitask.updates_per_epoch", "multitask.batch_size"),
    *("multitask.order", "multitask.pairs", "multitask.eval_every", "multitask.checkpoint_every"),
)
_OF_TASKS = ("tasks.", "sharing.", "smart.", "contrastive.")
_OF_TEXT = ("data.", "adaptation.", "encoder.pair", "encoder.token_budget", "report.baselines")
_OF_EMBEDDING = ("encoder.precision",)
_OF_GAN = (
    *("generator.", "discriminator.", "objective.", "semisupervised.", "training."),
    *("report.fakes", "watch."),
)
_OF_STEPS = (
    *("training.steps", "training.batch_size"),
    *("training.eval_every_steps", "training.checkpoint_every_steps"),
)
_OF_FROZEN = ("training.device",)
_OF_BOTH = ("training.log_with",)


def value_at(recipe: Recipe, key: str) -> Any:  # noqa: ANN401 - a value, or a part of the recipe
    """Return what a recipe holds at a dotted key."""
    return attrgetter(key)(recipe)


def check_kind(recipe: Recipe) -> None:
    """Check that a recipe has what it trains, and says nothing of what it does not train.

    Raises:
        InputError: It names the key that is missing, or of something else.
    """
    tasks = [part for part in TASKS if value_at(recipe, f"{part}.train").strip()]
    if recipe.gan and not tasks and not recipe.data.train.strip():
        raise InputError(f"data.train is empty; {recipe_fields()['data.train'].help}")
    if not recipe.gan and not tasks:
        raise InputError("gan is false and no task has text; give one: --tasks.sentiment.train")
    what, foreign = _foreign(recipe, tasks)
    plain = Recipe()
    for key in recipe_fields():
        if value_at(recipe, key) == value_at(plain, key) or key in _OF_BOTH:
            continue
        hint = next((hint for starts, hint in foreign if key.startswith(starts)), "")
        if hint:
            raise InputError(f"{key} is {hint}, but this recipe trains {what}")
    beside = recipe.gan and (bool(tasks) or recipe.encoder.mode != "frozen")
    if beside:
        _check_beside(recipe)
    if recipe.training.start_from and (beside or recipe.adaptation.updates):
        raise InputError(
            f"training.start_from: {recipe.training.start_from}, but this recipe moves the encoder "
            "whose vectors the players there know; leave it out, or keep the encoder frozen"
        )


def _foreign(recipe: Recipe, tasks: list[str]) -> tuple[str, list[tuple[tuple[str, ...], str]]]:
    """Say what a recipe trains, and which keys are of something else; each with what it is of."""
    of_tasks = (_OF_TASKS, "of the multitask BERT (add --gan false, or leave it out)")
    of_gan = (_OF_GAN, "of the GAN (leave it out)")
    of_text = (
        _OF_TEXT,
        f"of the GAN on one task (leave it out, or use the keys of {tasks[0] if tasks else 'it'})",
    )
    of_frozen = (_OF_FROZEN, "of a GAN on frozen embeddings (leave it out)")
    of_loop = ((*_OF_LOOP, "joint."), "of an encoder that is trained (leave it out)")
    if not recipe.gan:
        joint = (("joint.",), "of the GAN (leave it out)")
        embedding = (_OF_EMBEDDING, "of the GAN (leave it out; multitask.precision is of training)")
        return "the multitask BERT", [of_gan, of_text, embedding, joint]
    if tasks:
        of_steps = (_OF_STEPS, "of the GAN on one task (leave it out; multitask has such keys)")
        return "the GAN beside the multitask BERT", [of_text, of_steps, of_frozen]
    if recipe.encoder.mode == "frozen":
        return "the GAN, on frozen embeddings", [of_tasks, of_loop]
    counted = (_OF_EPOCHS, "of several tasks (training.steps and its like are of one)")
    return "the GAN and the encoder, on one task", [of_tasks, counted, of_frozen]


def _check_beside(recipe: Recipe) -> None:
    """Check what a GAN beside a moving encoder can be."""
    if recipe.training.members != 1:
        raise InputError(
            f"training.members: {recipe.training.members}, but beside an encoder that is trained "
            "there is one GAN; use 1"
        )
    if recipe.watch.stop:
        raise InputError(
            "watch.stop: true, but beside an encoder that is trained the watch only warns; "
            "leave it out"
        )
