"""The encoder that a recipe names, the embeddings it gives, and what a model keeps of both."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from acgan_bert.devices import best_device
from acgan_bert.recipe import EncoderRecipe
from acgan_bert.rundir import read_json
from mtl.bert.embed import Embeddings, cache_root, embed_corpus
from mtl.bert.encoder import TextEncoder, load_encoder
from mtl.errors import InputError
from mtl.files import write_json
from mtl.text.data import Corpus
from mtl.text.tasks import Task

TASK, ENCODER = "task.json", "encoder.json"


def open_encoder(recipe: EncoderRecipe) -> TextEncoder:
    """Load the encoder, on this process's GPU where there is one.

    Raises:
        InputError: There is no such encoder, or it cannot be used in this way.
    """
    return on_device(
        load_encoder(recipe.name, pooling=recipe.pooling, max_length=recipe.max_length)
    )


def on_device(encoder: TextEncoder) -> TextEncoder:
    """Put an encoder on this process's GPU where there is one."""
    return encoder.to(best_device())


def embed_rows(
    corpus: Corpus,
    encoder: TextEncoder,
    recipe: EncoderRecipe,
    *,
    cached: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Embeddings:
    """Embed a corpus as the recipe says.

    Args:
        corpus: N rows.
        encoder: Of the recipe.
        recipe: Its settings.
        cached: Whether to look into, and fill, the user's cache.
        progress: Called with the rows done and N.
    """
    return embed_corpus(
        corpus,
        encoder,
        pair=recipe.pair,
        precision=recipe.precision,
        token_budget=recipe.token_budget,
        cache=cache_root() if cached else None,
        progress=progress,
    )


def write_identity(model: Path, task: Task, recipe: EncoderRecipe, fingerprint: str) -> None:
    """Write beside a model what it predicts and whose vectors it takes."""
    write_json(model / TASK, task.to_json())
    write_json(model / ENCODER, asdict(recipe) | {"fingerprint": fingerprint})


def read_identity(model: Path) -> tuple[Task, str]:
    """Read the task and the encoder's fingerprint that :func:`write_identity` wrote.

    Raises:
        InputError: They are missing or damaged.
    """
    task = Task.from_json(read_json(model / TASK))
    try:
        return task, str(read_json(model / ENCODER)["fingerprint"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{model / ENCODER}: damaged ({error}); train again") from error


def read_encoder_recipe(model: Path) -> EncoderRecipe:
    """Read the encoder's settings that :func:`write_identity` wrote.

    Raises:
        InputError: They are missing or damaged.
    """
    try:
        fields = dict(read_json(model / ENCODER))
        fields.pop("fingerprint")
        return EncoderRecipe(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{model / ENCODER}: damaged ({error}); train again") from error


def check_same_encoder(encoder: TextEncoder, fingerprint: str, *, where: Path | str) -> None:
    """Check that an encoder is the one that a model was trained on.

    Raises:
        InputError: Its weights, configuration or tokenizer are others.
    """
    found = encoder.fingerprint()
    if found != fingerprint:
        raise InputError(
            f"{where}: trained on the encoder with fingerprint {fingerprint[:12]}, but "
            f"{encoder.name!r} has {found[:12]} now; restore that encoder or train again"
        )
