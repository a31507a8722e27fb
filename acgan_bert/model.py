"""What training leaves: generator, discriminator, coordinates and class names, on disk and in use.

Shapes: E members, N rows, M fakes, D embedding, Z noise, C classes.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.networks import Shape, build_discriminator, build_generator
from mtl.calibration import fit_temperature, tempered
from mtl.rows import Rows
from mtl.saved import WEIGHTS, SavedModel

BLOCK_ROWS = 8192
"""Rows judged at once."""


class GANModel(SavedModel):
    """An ensemble of trained GANs: classifier by its discriminators, sampler by its generators.

    Args:
        shape: Sizes of the networks.
        classes: Class names, in index order.
        space: The coordinates that both players work in.
        generator_state: Parameters of the generators by name, each (E, ...).
        discriminator_state: Parameters of the discriminators by name.

    Attributes:
        temperature: Of the probabilities; 1 until :meth:`calibrate` has fitted it.
    """

    FORMAT: ClassVar[int] = 2

    def __init__(
        self,
        shape: Shape,
        classes: tuple[str, ...],
        space: PrincipalSpace,
        generator_state: dict[str, Tensor],
        discriminator_state: dict[str, Tensor],
    ) -> None:
        self.shape, self.classes, self.space = shape, classes, space
        self.temperature = 1.0
        unused = MemberStreams([0] * shape.members)
        self.generator = build_generator(shape, unused).eval().requires_grad_(False)
        self.discriminator = build_discriminator(shape, unused).eval().requires_grad_(False)
        self.generator.load_state_dict(generator_state)
        self.discriminator.load_state_dict(discriminator_state)
        # What is said of a row must not depend on the rows beside it, as float32 sums do.
        self.discriminator.double()

    @property
    def dimension(self) -> int:
        """Width D of the embeddings."""
        return self.shape.embedding_width

    def predict_proba(self, vectors: Rows) -> np.ndarray:
        """Return class probabilities (N, C), averaged over the members, then tempered."""
        # One temperature of the average: averaging flattens, by how much the members cannot know.
        return tempered(self.member_probabilities(vectors).mean(0), self.temperature)

    def calibrate(self, vectors: Rows, labels: np.ndarray) -> None:
        """Fit the temperature, which the probabilities have from then on.

        Args:
            vectors: (N, D) rows that the model was not trained on.
            labels: (N,) their classes; -1: left out.
        """
        with np.errstate(divide="ignore"):  # a probability of 0
            logits = np.log(self.member_probabilities(vectors).mean(0))
        self.temperature = fit_temperature(logits, labels)

    def member_probabilities(self, vectors: Rows) -> np.ndarray:
        """Return each member's class probabilities, (E, N, C) float64; they have no temperature."""
        blocks = [judged[0] for judged in self._judge(vectors)]
        return np.concatenate(blocks, axis=1)

    def p_fake(self, vectors: Rows) -> np.ndarray:
        """Return how far rows are taken for this generator's fakes, (N,), over the members.

        It is σ(-source score): around 0.5 where fakes are good, and a share only where the source
        part is logistic (a hinge is a margin). A doubtful class need not raise it, nor need text
        of another kind, of which the discriminator has seen none.
        """
        return np.concatenate([judged[1] for judged in self._judge(vectors)], axis=1).mean(0)

    def sample(self, labels: np.ndarray, *, seed: int) -> np.ndarray:
        """Draw fake embeddings; the members take turns.

        Args:
            labels: Class index of each fake, (M,).
            seed: Seed of the noise.

        Returns:
            Embeddings in the encoder's space, (M, D) float32.
        """
        members, count = self.shape.members, len(labels)
        turns = -(-count // members)
        order_EM = torch.arange(turns * members).view(turns, members).T
        padded = torch.from_numpy(np.resize(labels, turns * members).astype(np.int64))
        stream = torch.Generator().manual_seed(seed)
        draw = torch.rand if self.shape.noise == "uniform" else torch.randn
        noise_EMZ = draw(turns * members, self.shape.noise_width, generator=stream)[order_EM]
        condition_EMK = one_hot_condition(padded[order_EM].unsqueeze(-1), self.shape.classes)
        fakes_EMD = self.space.restore(self.generator(noise_EMZ, condition_EMK))
        return fakes_EMD.transpose(0, 1).reshape(-1, self.dimension)[:count].numpy()

    def _save_pretrained(self, save_directory: Path) -> None:
        tensors = {
            f"{part}.{name}": value.float() if part == "discriminator" else value
            for part, module in self._modules().items()
            for name, value in module.state_dict().items()
        }
        config = {
            "classes": list(self.classes),
            "shape": self.shape.to_json(),
            "space": {"scale": self.space.scale},
            "temperature": self.temperature,
        }
        self._write(save_directory, config, tensors)

    @classmethod
    def _load(cls, directory: Path, config: dict[str, Any]) -> Self:
        states: dict[str, dict[str, Tensor]] = {"generator": {}, "discriminator": {}, "space": {}}
        for key, value in load_file(directory / WEIGHTS).items():
            part, name = key.split(".", 1)
            states[part][name] = value
        space: dict[str, Any] = states["space"] | config["space"]
        model = cls(
            Shape.from_json(config["shape"]),
            tuple(config["classes"]),
            PrincipalSpace(**space),
            states["generator"],
            states["discriminator"],
        )
        # Models that were saved before there was one have none.
        model.temperature = float(config.get("temperature", 1.0))
        return model

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "space": self.space,
        }

    def _judge(self, vectors: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return class probabilities (E, n, C) and fake probabilities (E, n), block by block."""
        judged = []
        for start in range(0, max(1, len(vectors)), BLOCK_ROWS):
            # A copy: torch warns of an array that cannot be written to.
            block = np.array(vectors[start : start + BLOCK_ROWS], dtype=np.float32)
            x_ND = self.space.standardize(torch.from_numpy(block))
            seen_END = self.discriminator.view(x_ND.double())
            classes_ENC = self.discriminator(seen_END).classes[0].softmax(-1)
            # The source score of a row of unknown class weighs the projections by its posterior.
            source_EN = self.discriminator(seen_END, classes_ENC).source_EB
            judged.append((classes_ENC.numpy(), torch.sigmoid(-source_EN).numpy()))
        return judged
