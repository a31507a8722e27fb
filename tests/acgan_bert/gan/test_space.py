import pytest
import torch

from acgan_bert.gan.space import LEAST_VARIANCE, PrincipalSpace


def embeddings(rows=40, width=6):
    """Return rows of unequal variances, correlated and off the origin."""
    mixing_DD = torch.randn(width, width) * torch.linspace(0.2, 2.0, width)
    return torch.randn(rows, width) @ mixing_DD + torch.linspace(-1, 2, width)


def test_coordinates_are_centered_scaled_uncorrelated_and_restored():
    x_ND = embeddings()
    space = PrincipalSpace.fit(x_ND)
    z_ND = space.standardize(x_ND)
    torch.testing.assert_close(z_ND.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    assert z_ND.square().mean().item() == pytest.approx(1.0, abs=1e-4)
    covariance_DD = z_ND.T @ z_ND / len(z_ND)
    torch.testing.assert_close(covariance_DD, space.variance_D.diag().float(), atol=1e-4, rtol=1e-4)
    assert (space.variance_D.diff() <= 0).all()
    torch.testing.assert_close(space.restore(z_ND), x_ND, atol=1e-5, rtol=1e-5)


def test_all_distances_keep_their_proportions():
    x_ND = embeddings()
    ratio_P = torch.pdist(PrincipalSpace.fit(x_ND).standardize(x_ND)) / torch.pdist(x_ND)
    torch.testing.assert_close(ratio_P, ratio_P[0].expand_as(ratio_P), rtol=1e-4, atol=0)


@pytest.mark.parametrize("spectrum", [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
def test_gain_weighs_components_by_their_variance_at_equal_power(spectrum):
    x_ND = embeddings(rows=400)
    space = PrincipalSpace.fit(x_ND)
    view_ND = space.standardize(x_ND) * space.gain(spectrum)
    assert view_ND.square().mean().item() == pytest.approx(1.0, abs=1e-3)
    variance_D = torch.linalg.eigvalsh(torch.cov(x_ND.double().T)).flip(0)
    expected_D = variance_D ** (1 + spectrum)
    seen_D = view_ND.double().square().mean(0)
    torch.testing.assert_close(
        seen_D / seen_D.sum(), expected_D / expected_D.sum(), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("spectrum", [-1.0, 0.0, 2.0])
def test_directions_without_variance_are_not_blown_up(spectrum):
    x_ND = embeddings(rows=4)
    x_ND[:, 2] = 3.0
    space = PrincipalSpace.fit(x_ND)
    assert space.variance_D.min().item() == pytest.approx(LEAST_VARIANCE)
    gain_D = space.gain(spectrum)
    assert torch.isfinite(gain_D).all()
    assert gain_D.max() / gain_D[0] < 100
    assert torch.isfinite(space.standardize(torch.zeros(1, 6)) * gain_D).all()


def test_equal_rows_are_finite():
    x_ND = torch.full((5, 3), 0.7)
    space = PrincipalSpace.fit(x_ND)
    assert torch.isfinite(space.standardize(x_ND) * space.gain(0.5)).all()
