import pytest
import torch
from torch import nn

from acgan_bert.gan.generator import Generator
from acgan_bert.gan.layers import MLPSize
from acgan_bert.gan.streams import MemberStreams
from tests.properties import (
    assert_gradient_reaches_every_parameter,
    assert_members_do_not_mix,
    assert_same_bits,
)


def generator(seeds=(0, 1), **settings):
    members = len(seeds)
    return Generator(
        embedding_width=5,
        condition_width=3,
        noise_width=4,
        size=MLPSize((2,) * members, (8,) * members, (0.0,) * members),
        streams=MemberStreams(seeds),
        **settings,
    )


def inputs(rows=6, members=2):
    condition_BK = nn.functional.one_hot(torch.arange(rows) % 3, 3).float()
    return torch.randn(members, rows, 4), condition_BK.expand(members, -1, -1).contiguous()


@pytest.mark.parametrize("linear_skip", [True, False])
def test_output_is_an_mlp_and_a_linear_map_of_noise_and_label(linear_skip):
    network, (noise_EBZ, condition_EBK) = generator(linear_skip=linear_skip), inputs()
    inputs_EBI = torch.cat([noise_EBZ, condition_EBK], -1)
    expected_EBD = network.body(inputs_EBI) @ network.output.weight_EIO + network.output.bias_E1O
    if linear_skip:
        expected_EBD = expected_EBD + inputs_EBI @ network.skip.weight_EIO
    torch.testing.assert_close(network(noise_EBZ, condition_EBK), expected_EBD)
    assert (network.skip is not None) == linear_skip


def test_label_and_noise_both_change_the_fake():
    network, (noise_EBZ, condition_EBK) = generator(), inputs()
    fake_EBD = network(noise_EBZ, condition_EBK)
    other_label_EBD = network(noise_EBZ, condition_EBK.roll(1, -1))
    other_noise_EBD = network(torch.randn_like(noise_EBZ), condition_EBK)
    assert ((fake_EBD - other_label_EBD).abs().amax(-1) > 1e-3).all()
    assert ((fake_EBD - other_noise_EBD).abs().amax(-1) > 1e-3).all()


def test_gradient_reaches_everything_and_members_stay_apart():
    network, (noise_EBZ, condition_EBK) = generator(), inputs(rows=1)
    values = [noise_EBZ.requires_grad_(True), condition_EBK.requires_grad_(True)]
    assert_members_do_not_mix(lambda *x: network(*x).square().sum((1, 2)), values)
    noise_EBZ, condition_EBK = inputs()
    network(noise_EBZ, condition_EBK).square().sum().backward()
    assert_gradient_reaches_every_parameter(network)


def test_same_seed_same_generator():
    assert_same_bits(generator((3, 4)).state_dict(), generator((3, 4)).state_dict())
    first, second = generator((3, 4)).skip.weight_EIO.detach()
    assert not torch.equal(first, second)
