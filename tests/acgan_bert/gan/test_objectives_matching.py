"""Objectives of features and embeddings: matching, contrast, penalties, augmentation."""

import math

import pytest
import torch

from acgan_bert.gan import objectives
from tests.properties import gradients


def units(count, members=1):
    return torch.full((members,), float(count))


def test_feature_matching_by_hand():
    real_EBW = torch.tensor([[[0.0, 0.0], [2.0, 4.0]]])  # mean (1, 2)
    fake_EBW = torch.tensor([[[0.0, 5.0]]])  # differs by (1, -3)
    loss_E = objectives.feature_matching(real_EBW, fake_EBW, units(2))
    assert loss_E.item() == pytest.approx((1 + 9) / 2)


def test_feature_matching_is_zero_exactly_where_means_agree():
    real_EBW = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    fake_EBW = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [2.0, 4.0]]])
    assert objectives.feature_matching(real_EBW, fake_EBW, units(2)).item() == 0.0
    assert objectives.feature_matching(real_EBW, fake_EBW + 0.1, units(2)).item() > 0.0


def test_feature_matching_does_not_count_padding():
    """A narrow member's loss was divided by the width of the widest member."""
    real_EBW, fake_EBW = torch.randn(2, 1, 4, 3)
    padded = [torch.nn.functional.pad(x, (0, 5)) for x in (real_EBW, fake_EBW)]
    alone_E = objectives.feature_matching(real_EBW, fake_EBW, units(3))
    torch.testing.assert_close(objectives.feature_matching(*padded, units(3)), alone_E)


@pytest.mark.parametrize("loss", ["feature_matching", "moment_matching"])
def test_matching_never_moves_the_real_side(loss):
    real, fake = (torch.randn(2, 4, 3, requires_grad=True) for _ in range(2))
    if loss == "feature_matching":
        value_E = objectives.feature_matching(real, fake, units(3, 2))
    else:
        ones = torch.ones(2, 4, 1)
        value_E = objectives.moment_matching(real, ones, fake, ones)
    of_real, of_fake = gradients(value_E, [real, fake])
    assert not of_real.any()
    assert of_fake.any()


@pytest.mark.parametrize(
    ("fakes", "expected"),
    [([-1.0, 1.0], 0.0), ([1.0, 3.0], 4.0), ([-2.0, 2.0], 9.0), ([0.0, 0.0], 1.0)],
)
def test_moment_matching_by_hand(fakes, expected):
    # Real rows -1 and 1: mean 0, variance 1. The squared gaps of mean and of variance add up.
    real_EBD, fake_EBD = torch.tensor([-1.0, 1.0]).view(1, 2, 1), torch.tensor(fakes).view(1, 2, 1)
    one_EBC = torch.ones(1, 2, 1)
    loss_E = objectives.moment_matching(real_EBD, one_EBC, fake_EBD, one_EBC)
    assert loss_E.item() == pytest.approx(expected, abs=1e-6)


def moments_by_brute_force(real_BD, real_weights_BC, fake_BD, fake_weights_BC):
    """Form the D x D covariances about the expected class means, in float64."""

    def moments(x_BD, weights_BC):
        mean_CD = (weights_BC.T @ x_BD) / weights_BC.sum(0).unsqueeze(1)
        rest_BD = x_BD - weights_BC @ mean_CD
        return mean_CD, rest_BD.T @ rest_BD / len(x_BD)

    real_mean_CD, real_DD = moments(real_BD, real_weights_BC)
    fake_mean_CD, fake_DD = moments(fake_BD, fake_weights_BC)
    share_C = real_weights_BC.sum(0) / real_weights_BC.sum()
    width = real_BD.shape[1]
    means = (share_C * (real_mean_CD - fake_mean_CD).square().sum(1)).sum() / width
    return means + (real_DD - fake_DD).square().sum() / width**2


def test_moment_matching_equals_the_covariances_written_out():
    real_EBD, fake_EBX = torch.randn(2, 9, 4).double(), 1.5 * torch.randn(2, 7, 4).double() + 0.5
    real_EBC = torch.softmax(torch.randn(2, 9, 3), -1).double()
    fake_EBC = torch.nn.functional.one_hot(torch.arange(7) % 3, 3).double().expand(2, -1, -1)
    loss_E = objectives.moment_matching(real_EBD, real_EBC, fake_EBX, fake_EBC)
    for e in range(2):
        case = (real_EBD[e], real_EBC[e], fake_EBX[e], fake_EBC[e])
        torch.testing.assert_close(loss_E[e], moments_by_brute_force(*case))


def test_moment_matching_is_zero_on_equal_sets():
    x_EBD = torch.randn(2, 6, 4).double()
    one_hot_EBC = torch.nn.functional.one_hot(torch.arange(6) % 2, 2).double().expand(2, -1, -1)
    loss_E = objectives.moment_matching(x_EBD, one_hot_EBC, x_EBD.flip(1), one_hot_EBC.flip(1))
    assert loss_E.abs().max().item() < 1e-15


def contrast_by_loop(features, proxies, labels, margin, temperature):
    """Write out ReACGAN's eq. 8 with loops over rows and pairs."""

    def cosine(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    losses = []
    for i, label in enumerate(labels):
        if label < 0:
            continue
        pull = min(0.0, cosine(features[i], proxies[label]) - margin) / temperature
        pushes = [
            max(0.0, cosine(features[i], features[j]) - (1 - margin)) / temperature
            for j, other in enumerate(labels)
            if other >= 0 and other != label
        ]
        numerator = math.exp(pull)
        losses.append(-math.log(numerator / (numerator + sum(map(math.exp, pushes)))))
    return sum(losses) / max(1, len(losses))


def test_reac_gan_by_loop():
    features_EBW, proxies_ECW = torch.randn(2, 6, 4).double(), torch.randn(2, 3, 4).double()
    labels_EB = torch.tensor([[0, 1, 2, -1, 0, 1], [2, 2, -1, 2, 0, -1]])
    loss_E = objectives.data_to_data(
        features_EBW, proxies_ECW, labels_EB, margin=0.6, temperature=0.3
    )
    for e in range(2):
        expected = contrast_by_loop(
            features_EBW[e], proxies_ECW[e], labels_EB[e].tolist(), margin=0.6, temperature=0.3
        )
        assert loss_E[e].item() == pytest.approx(expected, abs=1e-9)


def test_reac_gan_is_least_where_rows_lie_on_orthogonal_proxies():
    proxies_ECW, labels_EB = torch.eye(2, 3).unsqueeze(0), torch.tensor([[0, 1]])

    def loss(features_EBW):
        return objectives.data_to_data(features_EBW, proxies_ECW, labels_EB).item()

    best = loss(5.0 * proxies_ECW)
    assert best == pytest.approx(math.log(2), abs=1e-6)  # pull and push both at their stops
    assert min(loss(torch.randn(1, 2, 3)) for _ in range(100)) >= best - 1e-6


def test_reac_gan_of_zero_features_is_finite():
    features_EBW = torch.zeros(1, 3, 4, requires_grad=True)
    loss_E = objectives.data_to_data(features_EBW, torch.randn(1, 2, 4), torch.tensor([[0, 1, 1]]))
    assert torch.isfinite(loss_E).all()
    assert torch.isfinite(gradients(loss_E, [features_EBW])[0]).all()


def test_r1_of_a_linear_score_is_half_its_squared_slope():
    slope_ED1 = torch.tensor([[[3.0], [4.0]], [[1.0], [0.0]]], requires_grad=True)
    x_EBD = torch.randn(2, 5, 2, requires_grad=True)
    penalty_E = objectives.r1_penalty(torch.bmm(x_EBD, slope_ED1).squeeze(-1), x_EBD)
    assert penalty_E.tolist() == pytest.approx([12.5, 0.5])
    (gradient,) = gradients(penalty_E, [slope_ED1])  # ½‖w‖² again: its gradient is w
    torch.testing.assert_close(gradient, slope_ED1.detach())


@pytest.mark.parametrize("parts", [2, 3])
def test_recombined_keeps_marginals_and_breaks_the_joint(parts):
    x_EBD = torch.randn(2, 6, 7)
    mixed_EBD = objectives.recombined(x_EBD, parts=parts)
    assert torch.equal(mixed_EBD.sort(dim=1).values, x_EBD.sort(dim=1).values)
    agree_EBB = (mixed_EBD.unsqueeze(2) == x_EBD.unsqueeze(1)).all(-1)
    assert not agree_EBB.any()


def test_mode_seeking_is_the_mean_cosine():
    first_EBD = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]])
    second_EBD = torch.tensor([[[3.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]])
    loss_E = objectives.mode_seeking(first_EBD, second_EBD)
    assert loss_E.item() == pytest.approx((1 - 1 + 0) / 3, abs=1e-6)
    assert objectives.mode_seeking(first_EBD, first_EBD).item() == pytest.approx(1.0)


def test_tasks_add_up():
    heads = (torch.randn(2, 5, 2), torch.randn(2, 5, 4))
    labels_EBT = torch.stack([torch.randint(-1, 2, (2, 5)), torch.randint(-1, 4, (2, 5))], -1)
    total_E = objectives.over_tasks(objectives.class_loss, labels_EBT, heads)
    one_by_one = [objectives.class_loss(heads[t], labels_EBT[..., t]) for t in range(2)]
    torch.testing.assert_close(total_E, one_by_one[0] + one_by_one[1])
