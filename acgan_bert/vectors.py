"""The embeddings of one run's parts: of the training rows that are used, and of what is scored."""

from collections.abc import Callable
from dataclasses import dataclass

from acgan_bert.encoding import embed_rows
from acgan_bert.parts import Parts
from acgan_bert.recipe import EncoderRecipe
from acgan_bert.trainer import HeldOut, TrainingRows
from mtl.bert.encoder import TextEncoder
from mtl.bert.store import Matrix
from mtl.rows import Rows, select
from mtl.text.data import Corpus


@dataclass(frozen=True, slots=True, eq=False)
class PartVectors:
    """The embeddings of the training rows that are used, and of the held-out parts by name."""

    rows: TrainingRows
    held_out: dict[str, HeldOut]


def sources_of(parts: Parts) -> dict[str, Corpus]:
    """Return what has to be embedded, by name: the pool, and parts that are not rows of it."""
    held_out = parts.held_out()
    others = {name: part for name, part in held_out.items() if name not in parts.taken}
    return {"pool": parts.pool} | others


def embed_parts(
    parts: Parts,
    encoder: TextEncoder,
    recipe: EncoderRecipe,
    *,
    cached: bool = True,
    progress: Callable[[int], None] | None = None,
) -> PartVectors:
    """Embed every source, or read what an earlier run left in the cache.

    Args:
        parts: Rows of the run.
        encoder: Of the recipe.
        recipe: Its settings.
        cached: Whether to look into, and fill, the user's cache.
        progress: Called with the rows done, of all sources.
    """
    vectors: dict[str, Matrix] = {}
    before = 0
    for name, corpus in sources_of(parts).items():

        def report(done: int, _: int, start: int = before) -> None:
            if progress is not None:
                progress(start + done)

        embedded = embed_rows(corpus, encoder, recipe, cached=cached, progress=report)
        vectors[name] = embedded.vectors
        before += len(corpus)
    held_out, pool = parts.held_out(), vectors["pool"]
    taken = {name: select(pool, parts.pool_rows(held_out[name])) for name in parts.taken}
    used = select(pool, parts.pool_rows(parts.train)[parts.rows()])
    rows = TrainingRows(used, parts.visible(), parts.task.classes)
    scored: dict[str, Rows] = {**vectors, **taken}
    held = {name: HeldOut(scored[name], part.labels) for name, part in held_out.items()}
    return PartVectors(rows, held)
