import math

import pytest
import torch
from torch import nn

from acgan_bert.gan.layers import MemberDropout, MemberLinear, MemberMLP, MLPSize
from acgan_bert.gan.optimizer import Group, MemberAdamW
from acgan_bert.gan.streams import MemberStreams
from tests.properties import assert_member_equals_itself_alone, assert_members_do_not_mix


def mlp(depths, widths, *, dropouts=None, seeds=None, **settings):
    size = MLPSize(tuple(depths), tuple(widths), tuple(dropouts or [0.0] * len(depths)), **settings)
    return MemberMLP(5, size, MemberStreams(seeds or range(len(depths))))


def test_linear_is_each_members_own_torch_linear():
    layer = MemberLinear([3, 3], [4, 4], MemberStreams([0, 1]))
    x_EBI = torch.randn(2, 7, 3)
    y_EBO = layer(x_EBI)
    for e in range(2):
        plain = nn.Linear(3, 4)
        plain.weight.data = layer.weight_EIO[e].T
        plain.bias.data = layer.bias_E1O[e, 0]
        torch.testing.assert_close(y_EBO[e], plain(x_EBI[e]))
    assert_members_do_not_mix(lambda x: layer(x).sum((1, 2)), [x_EBI.requires_grad_(True)])


def test_initial_weights_fill_the_interval_of_torch_linear():
    layer = MemberLinear([25], [400], MemberStreams([0]))
    bound = 1 / math.sqrt(25)
    for drawn in (layer.weight_EIO, layer.bias_E1O):
        assert 0.95 * bound < drawn.abs().max().item() <= bound
        assert drawn.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_layer_that_a_member_lacks_is_all_zero():
    layer = MemberLinear([3, 0], [4, 0], MemberStreams([0, 1]))
    assert not layer.weight_EIO[1].any()
    assert not layer(torch.randn(2, 6, 3))[1].any()


def test_mlp_is_the_plain_network_written_out():
    network = mlp([2], [8])
    h_BI = x_BI = torch.randn(6, 5)
    for layer in network.linears:
        h_BI = nn.functional.leaky_relu(h_BI @ layer.weight_EIO[0] + layer.bias_E1O[0], 0.2)
    torch.testing.assert_close(network(x_BI[None])[0], h_BI)


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_shallow_and_narrow_members_equal_themselves_alone(spectral_norm):
    depths, widths, seeds = (1, 3, 2), (4, 6, 8), (7, 8, 9)
    together = mlp(depths, widths, seeds=seeds, spectral_norm=spectral_norm)
    x_EBI = torch.randn(3, 5, 5)
    h_EBW = together(x_EBI)
    for e, (depth, width, seed) in enumerate(zip(depths, widths, seeds, strict=True)):
        alone = mlp([depth], [width], seeds=[seed], spectral_norm=spectral_norm)
        torch.testing.assert_close(
            h_EBW[e, :, :width], alone(x_EBI[e : e + 1])[0], rtol=1e-5, atol=1e-6
        )
        assert not h_EBW[e, :, width:].any()
        weights = [dict(network.named_parameters()) for network in (alone, together)]
        assert_member_equals_itself_alone(*weights, e, tolerance=0.0)


def test_padding_stays_exactly_zero_through_training():
    depths, widths = (1, 3), (4, 8)
    network = mlp(depths, widths, dropouts=[0.5, 0.0])
    optimizer = MemberAdamW([Group(list(network.parameters()), [1e-2, 1e-3], 0.1)], beta1=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        network(torch.randn(2, 6, 5)).square().sum().backward()
        for level, layer in enumerate(network.linears):
            for parameter in (layer.weight_EIO, layer.bias_E1O):
                assert not parameter.grad[0, ..., 4:].any()
                assert not parameter.grad[0, 4:, :].any() or level == 0
                assert bool(parameter.grad[0].any()) == (level < depths[0])
        optimizer.step()
        alone = mlp([1], [4]).state_dict()
        assert not network.linears[0].weight_EIO[0, :, 4:].any()
        assert all(not layer.weight_EIO[0].any() for layer in network.linears[1:])
        assert alone.keys() <= network.state_dict().keys()


def test_dropout_keeps_its_share_and_the_mean():
    dropout = MemberDropout([0.25, 0.0], [2000, 2000], MemberStreams([0, 1]), padded_width=2000)
    dropped_EBW = dropout(torch.ones(2, 10, 2000))
    assert torch.equal(dropped_EBW[1], torch.ones(10, 2000))
    values = dropped_EBW[0].unique().tolist()
    assert values == pytest.approx([0.0, 1 / 0.75])
    assert dropped_EBW[0].mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(dropout.eval()(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))


def test_dropout_mask_of_a_member_does_not_depend_on_the_others():
    together = MemberDropout([0.5, 0.2, 0.0], [6, 9, 9], MemberStreams([3, 4, 5]), padded_width=9)
    alone = MemberDropout([0.5], [6], MemberStreams([3]), padded_width=6)
    for _ in range(20):  # beyond the first refill
        mask_EBW = together(torch.ones(3, 7, 9))
        assert torch.equal(mask_EBW[:1, :, :6], alone(torch.ones(1, 7, 6)))


def test_spectral_norm_reaches_the_largest_singular_value():
    layer = MemberLinear([6, 4], [5, 3], MemberStreams([0, 1]), bias=False, spectral_norm=True)
    identity_EII = torch.eye(6).expand(2, -1, -1)
    first_E = torch.linalg.svdvals(layer(identity_EII))[:, 0]
    for _ in range(50):
        layer(identity_EII)
    largest_E = torch.linalg.svdvals(layer(identity_EII))[:, 0]
    torch.testing.assert_close(largest_E, torch.ones(2), rtol=1e-3, atol=0.0)
    assert (first_E >= 1.0 - 1e-6).all()  # power iteration comes from below, so W / σ from above
    before = layer.left_E1I.clone()
    layer.eval()(identity_EII)
    assert torch.equal(layer.left_E1I, before)


def test_sizes_are_shown_where_a_network_is_printed():
    printed = repr(mlp([1, 2], [4, 8], dropouts=[0.1, 0.2]))
    assert "members=2, in_features=5, out_features=8" in printed
    assert "probabilities=(0.1, 0.2)" in printed
