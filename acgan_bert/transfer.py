"""A GAN that begins at the players of another run, trained on the vectors of the same encoder.

What no class has of its own is taken over whole; what a class has, by the name of the class. What
``warm_start`` begins at the labels of the new run stays there: it knows what the other cannot.
Shapes: E members, Z noise, C classes, D embedding.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from acgan_bert.encoding import ENCODER, read_identity
from acgan_bert.gan.discriminator import Discriminator
from acgan_bert.gan.generator import INPUT_WEIGHTS, Generator
from acgan_bert.gan.layers import linears
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.member import Member
from acgan_bert.model import GANModel
from acgan_bert.networks import Shape
from acgan_bert.parts import Parts
from acgan_bert.recipe import EncoderRecipe, Recipe
from acgan_bert.rundir import MODEL, RECIPE, RESULT, read_json
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import CHECKSUMS, sha256
from mtl.text.tasks import Task

KEY = "training.start_from"
_OF_CLASSES = ("heads", "skips", "rivals", "projection")


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The players that a GAN of some classes begins at.

    Args:
        source: The run or model, as the recipe names it.
        folder: Of the model.
        model: The players.
        classes: Names of the new run's classes.
    """

    source: str
    folder: Path
    model: GANModel
    classes: tuple[str, ...]

    @classmethod
    def read(cls, source: str, classes: Sequence[str]) -> Self:
        """Read what a recipe's ``training.start_from`` names.

        Raises:
            InputError: There is no such run, it is not finished, or it left no GAN of one task.
        """
        folder = _model_folder(source)
        try:
            return cls(source, folder, GANModel.from_pretrained(folder), tuple(classes))
        except InputError as error:
            raise InputError(f"{KEY}: {error}") from error

    @property
    def hashes(self) -> dict[str, dict[str, str]]:
        """Source and SHA-256 of what training begins at, as those of data are recorded."""
        # The checksums are those of all weights, and reading has compared them.
        return {"start_from": {"source": self.source, "sha256": sha256(self.folder / CHECKSUMS)}}

    @property
    def same(self) -> list[tuple[int, int]]:
        """The classes that both have, by name: the index here, and there.

        A number names a class only within its own numbering: the 1 of two classes is not the 1 of
        five. So where the classes differ, those named by numbers are all different.
        """
        old = self.model.classes
        alike = set(old) == set(self.classes)
        return [
            (index, old.index(name))
            for index, name in enumerate(self.classes)
            if name in old and (alike or not _is_number(name))
        ]

    def space(self) -> PrincipalSpace:
        """Return a copy of the coordinates in which alone the players' weights mean something."""
        return deepcopy(self.model.space)

    def check_encoder(self, encoder: TextEncoder, recipe: EncoderRecipe) -> None:
        """Check that the players know the vectors of an encoder.

        Raises:
            InputError: They were trained on those of another one.
        """
        before = read_identity(self.folder)[1]
        if encoder.fingerprint() == before:
            return
        written = read_json(self.folder / ENCODER)
        keys = ("name", "pooling", "max_length")
        told = [
            f"encoder.{key} {written.get(key)} there, {getattr(recipe, key)} here"
            for key in keys
            if written.get(key) != getattr(recipe, key)
        ]
        why = "; ".join(told) or "its weights were moved, or are others now"
        raise InputError(
            f"{KEY}: {self.source}: trained on the vectors of another encoder ({why}); begin at a "
            "run with the encoder of this one, frozen"
        )

    def check_shape(self, shape: Shape) -> None:
        """Check that players of this shape can take the weights over.

        Raises:
            InputError: They cannot; it names what differs, and what to set.
        """
        there, here = self.model.shape.settings(), shape.settings()
        other = {key: there[key] for key in there if there[key] != here[key]}
        if not other:
            return
        if "embedding_width" in other:
            raise InputError(
                f"{KEY}: {self.source}: its embeddings have width {other['embedding_width']}, "
                f"these have {here['embedding_width']}; set encoder.pair as there, or begin at a "
                "run on as many texts a row"
            )
        told = ", ".join(f"{key} {_written(value)}" for key, value in other.items())
        ours = ", ".join(_written(here[key]) for key in other)
        flags = " ".join(f"--{key} {_written(value)}" for key, value in other.items())
        raise InputError(
            f"{KEY}: {self.source}: its players have {told}, where this recipe has {ours}; set "
            f"{flags}"
        )

    def note(self, recipe: Recipe) -> str:
        """Say what a run of this recipe takes over, and what it does not."""
        kept = [self.classes[here] for here, _ in self.same]
        new = [name for name in self.classes if name not in kept]
        left = [name for name in self.model.classes if name not in kept]
        warm = [name for name in ("generator", "discriminator") if _is_warm(recipe, name)]
        lists = {
            "classes taken over": kept,
            "new classes": new,
            "classes left behind": left,
            "linear skips begun at this run's own rows": warm,
        }
        told = [f"{what}: {', '.join(names)}" for what, names in lists.items() if names]
        if set(new) & set(left):
            told.append("numbers name the same class only where all classes are the same")
        players = self.model.shape.members
        whole = f"began at {self.source} (members: {players}), at all that no class has of its own"
        return "; ".join([whole, *told])

    @torch.no_grad()
    def hand_over(
        self, generator: Generator, discriminator: Discriminator, members: Sequence[Member]
    ) -> None:
        """Put the weights in place, in players that :mod:`acgan_bert.starts` has started.

        Each member takes those of one member there, in turns.

        Args:
            generator: Of all members; changed in place.
            discriminator: Of all members; changed in place.
            members: Their places and recipes.
        """
        recipe = members[0].recipe
        turns_E = torch.tensor([member.place % self.model.shape.members for member in members])
        self._to_generator(generator, turns_E, warm=_is_warm(recipe, "generator"))
        self._to_discriminator(discriminator, turns_E, warm=_is_warm(recipe, "discriminator"))

    def _to_generator(self, player: Generator, turns_E: Tensor, *, warm: bool) -> None:
        old, noise = _taken(self.model.generator, turns_E), self.model.shape.noise_width
        for name, value in player.state_dict().items():
            if name == "skip.weight_EIO" and warm:
                continue
            if name not in INPUT_WEIGHTS:
                value.copy_(old[name])
                continue
            value[:, :noise] = old[name][:, :noise]
            for here, there in self.same:
                value[:, noise + here] = old[name][:, noise + there]

    def _to_discriminator(self, player: Discriminator, turns_E: Tensor, *, warm: bool) -> None:
        old = _taken(self.model.discriminator, turns_E)
        if warm and player.skips is not None:
            # The weights of the trunk are of the gains there; logits stay what they are.
            factor_ED1 = (player.gain_ED / old["gain_ED"]).unsqueeze(-1)
            linears(player.skips)[0].weight_EIO.mul_(factor_ED1)
        for name, value in player.state_dict().items():
            part = name.partition(".")[0]
            if name not in old or (warm and name in ("skips.0.weight_EIO", "heads.0.bias_E1O")):
                continue
            if part not in _OF_CLASSES:
                value.copy_(old[name])
                continue
            for here, there in self.same:
                value[..., here] = old[name][..., there]


def read_start(recipe: Recipe, classes: Sequence[str]) -> Start | None:
    """Read the players that a recipe's training begins at; None where they are new."""
    source = recipe.training.start_from
    return Start.read(source, classes) if source else None


def checked_start(recipe: Recipe, encoder: TextEncoder, task: Task) -> Start | None:
    """Read them and check that they fit, before anything is written.

    Args:
        recipe: Of the run.
        encoder: Its encoder.
        task: What it predicts.

    Raises:
        InputError: There are none, or they are of another encoder or shape.
    """
    start = read_start(recipe, task.classes)
    if start is not None:
        start.check_encoder(encoder, recipe.encoder)
        joined = task.arity == 2 and recipe.encoder.pair == "joined"
        width = encoder.dimension * (2 if joined else 1)
        start.check_shape(Shape.of([recipe], width, (task.num_classes,)))
    return start


def with_start(parts: Parts, recipe: Recipe, encoder: TextEncoder) -> Parts:
    """Record with the data of a run what its training begins at; see :func:`checked_start`."""
    start = checked_start(recipe, encoder, parts.task)
    if start is None:
        return parts
    return replace(
        parts, notes=(*parts.notes, start.note(recipe)), hashes=parts.hashes | start.hashes
    )


def _model_folder(source: str) -> Path:
    """Find the model of a finished run, or take the folder for one."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise InputError(f"{KEY}: {source}: no such folder; give a finished run, or its {MODEL}/")
    if (folder / RECIPE).is_file():
        if not (folder / RESULT).is_file():
            raise InputError(
                f"{KEY}: {source}: the run is not finished; first: acgan-bert resume {source}"
            )
        folder = folder / MODEL
    if not (folder / ENCODER).is_file():
        raise InputError(
            f"{KEY}: {source}: no GAN of one task ({folder / ENCODER} is missing); give a "
            f"finished run of one, or its {MODEL}/"
        )
    return folder


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | tuple) else str(value)


def _is_warm(recipe: Recipe, player: str) -> bool:
    """Say whether the linear skip of a player begins at the labels of this run."""
    section = getattr(recipe, player)
    return bool(section.warm_start and section.linear_skip)


def _taken(player: torch.nn.Module, turns_E: Tensor) -> Mapping[str, Tensor]:
    """Return each member's share of the other players' state, by name."""
    return {name: value[turns_E].float() for name, value in player.state_dict().items()}


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
