import pytest
import torch

from acgan_bert.gan.lens import Lens
from tests.properties import assert_gradients_right

SETTINGS = [(False, 0.0), (False, 1.0), (True, 0.0), (True, 0.5)]
EVERY_SETTING = pytest.mark.parametrize(("unit_norm", "spectrum"), SETTINGS)


def embeddings(rows=40, width=6):
    """Return rows of unequal variances, correlated and off the origin."""
    mixing_DD = torch.randn(width, width) * torch.linspace(0.2, 2.0, width)
    return torch.randn(rows, width) @ mixing_DD + torch.linspace(-1, 2, width)


@EVERY_SETTING
def test_standardized_rows_are_centered_and_restored(unit_norm, spectrum):
    x_ND = embeddings()
    lens = Lens.fit(x_ND, unit_norm=unit_norm, spectrum=spectrum)
    standardized_ND = lens.standardize(x_ND)
    torch.testing.assert_close(standardized_ND.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    assert standardized_ND.square().mean().item() == pytest.approx(1.0, abs=1e-4)
    torch.testing.assert_close(lens.restore(standardized_ND), x_ND, atol=1e-5, rtol=1e-5)


@EVERY_SETTING
def test_view_is_centered_with_mean_square_one(unit_norm, spectrum):
    x_ND = embeddings()
    lens = Lens.fit(x_ND, unit_norm=unit_norm, spectrum=spectrum)
    view_ND = lens(lens.standardize(x_ND))
    torch.testing.assert_close(view_ND.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    assert view_ND.square().mean().item() == pytest.approx(1.0, abs=1e-4)


def test_unit_norm_sees_no_length():
    x_ND = embeddings()
    lens = Lens.fit(x_ND, unit_norm=True, spectrum=0.5)
    longer_ND = x_ND * torch.linspace(0.1, 9.0, len(x_ND)).unsqueeze(1)
    torch.testing.assert_close(
        lens(lens.standardize(longer_ND)), lens(lens.standardize(x_ND)), atol=1e-4, rtol=1e-4
    )
    plain = Lens.fit(x_ND, unit_norm=False, spectrum=0.5)
    assert not torch.allclose(plain(plain.standardize(longer_ND)), plain(plain.standardize(x_ND)))


def test_plain_lens_keeps_all_distances_but_for_one_factor():
    x_ND = embeddings()
    lens = Lens.fit(x_ND, unit_norm=False, spectrum=0.0)
    ratio_P = torch.pdist(lens(lens.standardize(x_ND))) / torch.pdist(x_ND)
    torch.testing.assert_close(ratio_P, ratio_P[0].expand_as(ratio_P), rtol=1e-4, atol=0)


@pytest.mark.parametrize("spectrum", [0.5, 1.0, 2.0])
def test_spectrum_weighs_principal_components_by_their_variance(spectrum):
    x_ND = embeddings().double()
    lens = Lens.fit(x_ND, unit_norm=False, spectrum=spectrum)
    view_ND = lens(lens.standardize(x_ND.float())).double()
    variance_D = torch.linalg.eigvalsh(torch.cov(x_ND.T))
    seen_D = torch.linalg.eigvalsh(torch.cov(view_ND.T))
    expected_D = variance_D ** (1 + spectrum)
    torch.testing.assert_close(
        seen_D / seen_D.sum(), expected_D / expected_D.sum(), rtol=1e-3, atol=1e-6
    )


@EVERY_SETTING
def test_constant_coordinate_and_fewer_rows_than_columns_are_finite(unit_norm, spectrum):
    x_ND = embeddings(rows=4)
    x_ND[:, 2] = 3.0
    lens = Lens.fit(x_ND, unit_norm=unit_norm, spectrum=spectrum)
    assert torch.isfinite(lens(lens.standardize(x_ND))).all()
    assert torch.isfinite(lens(lens.standardize(torch.zeros(1, 6)))).all()


def test_equal_rows_are_finite():
    x_ND = torch.full((5, 3), 0.7)
    lens = Lens.fit(x_ND, unit_norm=True, spectrum=0.5)
    assert torch.isfinite(lens(lens.standardize(x_ND))).all()


def test_generator_can_learn_through_it():
    lens = Lens.fit(embeddings(), unit_norm=True, spectrum=0.5).double()
    assert_gradients_right(lens, [torch.randn(2, 3, 6)])
