"""The objectives by name: which source and class losses each side of the game pays.

One visible table, :data:`ADVERSARIES`. The formulas and their sources are in
:mod:`acgan_bert.gan.objectives`; the cross-entropy on labelled rows is common to all of them.
Shapes: E members, B batch, T tasks.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from acgan_bert.gan import objectives
from acgan_bert.gan.discriminator import Judgment
from acgan_bert.gan.objectives import class_loss, over_tasks, total

DiscriminatorLoss = Callable[[Judgment, Judgment, Tensor, Tensor], Tensor]
"""(real, fake, labels_EBT, fake_labels_EBT) -> (E,)."""
GeneratorLoss = Callable[[Judgment, Judgment, Tensor], Tensor]
"""(real, fake, fake_labels_EBT) -> (E,); ``real`` carries no gradient."""


class Adversary(NamedTuple):
    """What each side pays, and which heads the discriminator needs for it."""

    discriminator: DiscriminatorLoss
    generator: GeneratorLoss
    projection: bool = False
    rival: bool = False


def _logistic_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    return objectives.logistic_discriminator(real.source_EB, fake.source_EB)


def _logistic_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    return objectives.logistic_generator(fake.source_EB)


def _hinge_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    return objectives.hinge_discriminator(real.source_EB, fake.source_EB)


def _hinge_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    return objectives.hinge_generator(fake.source_EB)


def _odena_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    classes_E = over_tasks(class_loss, fake_labels_EBT, fake.classes)
    return objectives.logistic_discriminator(real.source_EB, fake.source_EB) + classes_E


def _odena_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    classes_E = over_tasks(class_loss, fake_labels_EBT, fake.classes)
    return objectives.logistic_generator(fake.source_EB) + classes_E


def _gan_bert_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    losses = [
        played
        * objectives.gan_bert_discriminator(real_EBC, real.source_EB, fake_EBC, fake.source_EB)
        for played, real_EBC, fake_EBC in zip(
            objectives.played(fake_labels_EBT), real.classes, fake.classes, strict=True
        )
    ]
    return total(losses)


def _gan_bert_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    losses = [
        played * objectives.gan_bert_generator(logits_EBC, fake.source_EB)
        for played, logits_EBC in zip(objectives.played(fake_labels_EBT), fake.classes, strict=True)
    ]
    matching_E = objectives.feature_matching(real.features_EBW, fake.features_EBW, fake.units_E)
    return total(losses) + matching_E


def _twin_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    twin_E = over_tasks(class_loss, fake_labels_EBT, fake.rivals)
    return objectives.hinge_discriminator(real.source_EB, fake.source_EB) + twin_E


def _twin_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    twin_E = over_tasks(objectives.twin_generator, fake_labels_EBT, fake.classes, fake.rivals)
    return objectives.hinge_generator(fake.source_EB) + twin_E


def _discriminative_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    real_E = over_tasks(objectives.discriminative_real, labels_EBT, real.classes, real.rivals)
    fake_E = over_tasks(objectives.discriminative_fake, fake_labels_EBT, fake.classes, fake.rivals)
    return objectives.hinge_discriminator(real.source_EB, fake.source_EB) + real_E + fake_E


def _discriminative_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    class_E = over_tasks(
        objectives.discriminative_generator, fake_labels_EBT, fake.classes, fake.rivals
    )
    return objectives.hinge_generator(fake.source_EB) + class_E


def _rebooted_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    contrast_E = _contrast(real, labels_EBT)
    return objectives.hinge_discriminator(real.source_EB, fake.source_EB) + contrast_E


def _rebooted_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    return objectives.hinge_generator(fake.source_EB) + _contrast(fake, fake_labels_EBT)


def _absent_discriminator(
    real: Judgment, fake: Judgment, labels_EBT: Tensor, fake_labels_EBT: Tensor
) -> Tensor:
    return torch.zeros_like(real.source_EB[:, 0])


def _absent_generator(real: Judgment, fake: Judgment, fake_labels_EBT: Tensor) -> Tensor:
    return torch.zeros_like(fake.source_EB[:, 0])


ADVERSARIES: dict[str, Adversary] = {
    "hinge": Adversary(_hinge_discriminator, _hinge_generator, projection=True),
    "ac-gan": Adversary(_odena_discriminator, _odena_generator),
    "gan-bert": Adversary(_gan_bert_discriminator, _gan_bert_generator),
    "tac-gan": Adversary(_twin_discriminator, _twin_generator, rival=True),
    "adc-gan": Adversary(_discriminative_discriminator, _discriminative_generator, rival=True),
    "reac-gan": Adversary(_rebooted_discriminator, _rebooted_generator, rival=True),
    "moment-matching": Adversary(_absent_discriminator, _absent_generator),
}


def _contrast(judged: Judgment, labels_EBT: Tensor) -> Tensor:
    def contrast(proxies_ECW: Tensor, labels_EB: Tensor) -> Tensor:
        return objectives.data_to_data(judged.features_EBW, proxies_ECW, labels_EB)

    return objectives.over_tasks(contrast, labels_EBT, judged.proxies)
