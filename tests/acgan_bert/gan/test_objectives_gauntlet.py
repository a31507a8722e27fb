"""Every objective through the same properties: members apart, extremes, one row, gradients."""

import inspect

import pytest
import torch

from acgan_bert.gan import objectives
from tests.properties import (
    assert_gradients_finite,
    assert_gradients_right,
    assert_members_do_not_mix,
    assert_one_value_per_member,
)

E, C, D = 2, 3, 4
SCORES, LOGITS, VECTORS = (), (C,), (D,)


def labels_like(x):
    """Return labels (E, B) of which the second row, where there is one, is unlabelled."""
    labels_B = torch.arange(x.shape[1]) % C
    labels_B[1:2] = -1
    return labels_B.expand(len(x), -1)


def weights_like(x):
    return torch.nn.functional.one_hot(torch.arange(x.shape[1]) % C, C).to(x).expand(len(x), -1, -1)


def scores_like(x):
    """Return scores (E, B, S) of which the second row, where there is one, is unknown."""
    scores_BS = torch.linspace(0, 1, x[0].numel()).to(x).view_as(x[0])
    scores_BS[1:2] = torch.nan
    return scores_BS.expand_as(x)


def r1(x_EBD):
    x_EBD = x_EBD if x_EBD.requires_grad else x_EBD.requires_grad_(True)
    return objectives.r1_penalty(torch.tanh(x_EBD).sum(-1), x_EBD)


LOSSES = {
    "class_loss": (lambda x: objectives.class_loss(x, labels_like(x)), [LOGITS]),
    "pseudo_label_loss": (
        lambda x: objectives.pseudo_label_loss(x, weights_like(x), (labels_like(x) < 1).to(x)),
        [LOGITS],
    ),
    "score_loss": (lambda x: objectives.score_loss(x, scores_like(x)), [VECTORS]),
    "logistic_discriminator": (objectives.logistic_discriminator, [SCORES, SCORES]),
    "logistic_generator": (objectives.logistic_generator, [SCORES]),
    "hinge_discriminator": (objectives.hinge_discriminator, [SCORES, SCORES]),
    "hinge_generator": (objectives.hinge_generator, [SCORES]),
    "gan_bert_discriminator": (
        objectives.gan_bert_discriminator,
        [LOGITS, SCORES, LOGITS, SCORES],
    ),
    "gan_bert_generator": (objectives.gan_bert_generator, [LOGITS, SCORES]),
    "feature_matching": (
        lambda fake: objectives.feature_matching(
            torch.ones_like(fake), fake, torch.full((len(fake),), D).to(fake)
        ),
        [VECTORS],
    ),
    "moment_matching": (
        lambda fake: objectives.moment_matching(
            torch.ones_like(fake), weights_like(fake), fake, weights_like(fake)
        ),
        [VECTORS],
    ),
    "twin_discriminator": (
        lambda x: objectives.twin_discriminator(x, labels_like(x)),
        [LOGITS],
    ),
    "twin_generator": (
        lambda x, rival: objectives.twin_generator(x, rival, labels_like(x)),
        [LOGITS, LOGITS],
    ),
    "discriminative_real": (
        lambda x, rival: objectives.discriminative_real(x, rival, labels_like(x)),
        [LOGITS, LOGITS],
    ),
    "discriminative_fake": (
        lambda x, rival: objectives.discriminative_fake(x, rival, labels_like(x)),
        [LOGITS, LOGITS],
    ),
    "discriminative_generator": (
        lambda x, rival: objectives.discriminative_generator(x, rival, labels_like(x)),
        [LOGITS, LOGITS],
    ),
    "data_to_data": (
        lambda x: objectives.data_to_data(
            x, torch.linspace(-1, 2, E * C * D).to(x).view(E, C, D), labels_like(x)
        ),
        [VECTORS],
    ),
    "r1_penalty": (r1, [VECTORS]),
    "mode_seeking": (objectives.mode_seeking, [VECTORS, VECTORS]),
}
EVERY_LOSS = pytest.mark.parametrize("name", LOSSES)


def inputs(name, rows, scale=1.0):
    shapes = LOSSES[name][1]
    return [(scale * torch.randn(E, rows, *shape)).requires_grad_(True) for shape in shapes]


@EVERY_LOSS
@pytest.mark.parametrize("rows", [1, 5])
def test_one_finite_value_per_member(name, rows):
    assert_one_value_per_member(LOSSES[name][0], inputs(name, rows))


@EVERY_LOSS
def test_members_do_not_mix(name):
    assert_members_do_not_mix(LOSSES[name][0], inputs(name, 5))


@EVERY_LOSS
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_gradients_are_finite_at_logits_of_ten_thousand(name, sign):
    extreme = [
        (sign * 1e4 * value.detach().sign()).requires_grad_(True) for value in inputs(name, 5)
    ]
    assert_gradients_finite(LOSSES[name][0], extreme)


@EVERY_LOSS
def test_gradients_are_those_of_finite_differences(name):
    assert_gradients_right(LOSSES[name][0], inputs(name, 5))


def test_no_objective_escapes_the_gauntlet():
    written = {
        name
        for name, value in vars(objectives).items()
        if inspect.isfunction(value)
        and value.__module__ == objectives.__name__
        and not name.startswith("_")
    }
    assert written - set(LOSSES) == {
        "over_tasks",
        "played",
        "recombined",
        "total",
    }  # none is a loss
