"""What a worker keeps between packs: data that was read, encoders, embeddings, baselines."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from acgan_bert.baselines import classifier_baselines
from acgan_bert.encoding import open_encoder
from acgan_bert.parts import Parts, columns_of, read_parts
from acgan_bert.recipe import EncoderRecipe, Recipe
from acgan_bert.scores import score
from acgan_bert.setfit_peer import SETFIT, check_setfit, setfit_probabilities
from acgan_bert.studies.measuring import GeneratorBench
from acgan_bert.studies.packing import data_of, draw_of
from acgan_bert.studies.sizes import DataSize
from acgan_bert.trainer import TrainingRows
from acgan_bert.vectors import PartVectors, embed_parts, sources_of
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.text.data import Columns, Corpus, read_corpus

_NETWORKS = ("supervised_mlp", "gan_bert")
"""Baselines that depend on more of a recipe than its data and seed."""


class Bench:
    """Reads, embeds and trains each thing once; a few of each are kept."""

    def __init__(self) -> None:
        self._pool = lru_cache(maxsize=2)(_read_pool)
        self._encoder = lru_cache(maxsize=1)(open_encoder)
        self._parts = lru_cache(maxsize=16)(self._read_parts)
        self._vectors = lru_cache(maxsize=2)(self._embed)
        self._generators = lru_cache(maxsize=8)(self._generator_bench)
        self._baseline = lru_cache(maxsize=256)(self._train_baseline)

    def parts(self, recipe: Recipe) -> Parts:
        """Return the rows of a recipe and its draw of labels."""
        return self._parts(draw_of(recipe))

    def encoder(self, recipe: Recipe) -> TextEncoder:
        """Return the recipe's encoder."""
        return self._encoder(recipe.encoder)

    def vectors(self, recipe: Recipe) -> PartVectors:
        """Return the embeddings of a recipe's rows, and the labels that its draw shows."""
        found, parts = self._vectors(data_of(recipe)), self.parts(recipe)
        rows = TrainingRows(found.rows.vectors, parts.visible(), parts.task.classes)
        return PartVectors(rows, found.held_out)

    def size(self, recipe: Recipe) -> DataSize:
        """Return what of a recipe's data decides the sizes of networks and programs."""
        return self._size(recipe.encoder, self._parts(data_of(recipe)))

    def generators(self, recipe: Recipe) -> GeneratorBench:
        """Return what measures the generators of a recipe's draw of labels."""
        fakes = replace(Recipe().report, fakes=recipe.report.fakes)
        return self._generators(replace(draw_of(recipe), report=fakes))

    def baseline(self, name: str, recipe: Recipe) -> dict[str, Any]:
        """Return the scores of a baseline on the part that is compared on; empty without one."""
        wanted = draw_of(recipe)
        if name in _NETWORKS:
            training = replace(
                wanted.training,
                steps=recipe.training.steps,
                batch_size=recipe.training.batch_size,
            )
            wanted = replace(wanted, training=training, discriminator=recipe.discriminator)
        return self._baseline(name, wanted)

    def _read_parts(self, recipe: Recipe) -> Parts:
        pool = self._pool(recipe.data.train, columns_of(recipe.data))
        return read_parts(recipe.data, seed=recipe.seed, pool=pool)

    def _embed(self, recipe: Recipe) -> PartVectors:
        return embed_parts(self._parts(recipe), self.encoder(recipe), recipe.encoder)

    def _size(self, encoder: EncoderRecipe, parts: Parts) -> DataSize:
        joined = parts.task.arity == 2 and encoder.pair == "joined"
        width = self._encoder(encoder).dimension * (2 if joined else 1)
        rows = max(map(len, sources_of(parts).values()))
        return DataSize(rows=rows, width=width, classes=parts.task.num_classes)

    def _generator_bench(self, recipe: Recipe) -> GeneratorBench:
        vectors = self.vectors(recipe)
        return GeneratorBench(vectors.rows, vectors.held_out, self.parts(recipe), recipe)

    def _train_baseline(self, name: str, recipe: Recipe) -> dict[str, Any]:
        parts = self.parts(recipe)
        held_out = parts.held_out()
        if not held_out:
            raise InputError(
                f"{name}: nothing to score it on; give --data.test, or --data.test_fraction 0.2"
            )
        on, corpus = next(iter(held_out.items()))
        if name == SETFIT:
            check_setfit(parts.task)
            shown = parts.train.select(parts.split.labeled)
            judged = setfit_probabilities(shown, corpus, self.encoder(recipe), recipe)
        else:
            vectors = self.vectors(recipe)
            to_score = {on: vectors.held_out[on].vectors}
            judged = classifier_baselines([name], vectors.rows, recipe, to_score)[name][on]
        return score(judged, corpus)


def _read_pool(source: str, columns: Columns) -> Corpus:
    return read_corpus(source, columns=columns)
