"""From recipes to networks: the only place that knows both."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.discriminator import Discriminator
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.layers import MLPSize
from acgan_bert.gan.step import Weights
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.recipe import DiscriminatorRecipe, GeneratorRecipe, Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Everything that decides the sizes of both networks; what a saved model remembers."""

    embedding_width: int
    classes: tuple[int, ...]
    noise_width: int
    noise: str
    generator: MLPSize
    discriminator: MLPSize
    generator_skip: bool
    discriminator_skip: bool
    rival: bool
    projection: bool
    scores: int = 0
    """Score tasks, each a number of the condition beside its classes."""

    @classmethod
    def of(
        cls,
        recipes: Sequence[Recipe],
        embedding_width: int,
        classes: Sequence[int],
        *,
        scores: int = 0,
    ) -> "Shape":
        """Collect the sizes of an ensemble, one recipe per member."""
        first = recipes[0]
        adversary = ADVERSARIES[first.objective.name]
        return cls(
            embedding_width=embedding_width,
            classes=tuple(classes),
            noise_width=first.generator.noise_width or embedding_width,
            noise=first.generator.noise,
            generator=_size([r.generator for r in recipes]),
            discriminator=_size(
                [r.discriminator for r in recipes],
                spectral_norm=first.discriminator.spectral_norm,
            ),
            generator_skip=first.generator.linear_skip,
            discriminator_skip=first.discriminator.linear_skip,
            rival=adversary.rival,
            projection=adversary.projection,
            scores=scores,
        )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Shape":
        """Rebuild from :meth:`to_json`'s dictionary."""
        sizes = {name: MLPSize(**_tuples(content[name])) for name in ("generator", "discriminator")}
        return cls(**_tuples(content) | sizes)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return asdict(self)

    def settings(self) -> dict[str, int | str | bool | tuple[int, ...]]:
        """Return what weights of this shape depend on but the classes, under a recipe's keys.

        What members differ in is listed by member. The width of an embedding has no key.
        """
        return {
            "embedding_width": self.embedding_width,
            "generator.noise": self.noise,
            "generator.noise_width": self.noise_width,
            "generator.depth": _common(self.generator.depths),
            "generator.width": _common(self.generator.widths),
            "generator.linear_skip": self.generator_skip,
            "discriminator.depth": _common(self.discriminator.depths),
            "discriminator.width": _common(self.discriminator.widths),
            "discriminator.linear_skip": self.discriminator_skip,
            "discriminator.spectral_norm": self.discriminator.spectral_norm,
        }

    @property
    def members(self) -> int:
        """Number of members E."""
        return len(self.generator.depths)


def build_generator(shape: Shape, streams: MemberStreams) -> Generator:
    """Build the members' generators."""
    return Generator(
        embedding_width=shape.embedding_width,
        condition_width=sum(shape.classes) + shape.scores,
        noise_width=shape.noise_width,
        size=shape.generator,
        streams=streams,
        linear_skip=shape.generator_skip,
    )


def build_discriminator(shape: Shape, streams: MemberStreams) -> Discriminator:
    """Build the members' discriminators."""
    return Discriminator(
        embedding_width=shape.embedding_width,
        classes=shape.classes,
        size=shape.discriminator,
        streams=streams,
        linear_skip=shape.discriminator_skip,
        projection=shape.projection,
        rival=shape.rival,
        scores=shape.scores,
    )


def build_weights(recipe: Recipe) -> Weights:
    """Translate the recipe's objective section into the weights of the game."""
    objective = recipe.objective
    return Weights(
        adversarial=objective.adversarial,
        class_real=objective.class_real,
        class_fake=objective.class_fake,
        class_generator=objective.class_generator,
        pseudo_labels=recipe.semisupervised.pseudo_labels,
        feature_matching=objective.feature_matching,
        moment_matching=objective.moment_matching,
        mode_seeking=objective.mode_seeking,
        r1=objective.r1,
        negative_augmentation=objective.negative_augmentation,
    )


def _size(
    sections: Sequence[GeneratorRecipe] | Sequence[DiscriminatorRecipe],
    *,
    spectral_norm: bool = False,
) -> MLPSize:
    return MLPSize(
        tuple(section.depth for section in sections),
        tuple(section.width for section in sections),
        tuple(section.dropout for section in sections),
        spectral_norm,
    )


def _common(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
