import pytest
import torch

from acgan_bert.gan.discriminator import Discriminator, one_hot_condition
from acgan_bert.gan.layers import MLPSize
from acgan_bert.gan.streams import MemberStreams
from tests.properties import assert_members_do_not_mix

CLASSES = (2, 3)


def discriminator(*, widths=(8, 6), **settings):
    members = len(widths)
    size = MLPSize((1,) * members, widths, (0.0,) * members)
    streams = MemberStreams(range(members))
    return Discriminator(embedding_width=4, classes=CLASSES, size=size, streams=streams, **settings)


def test_heads_are_linear_in_features_and_embedding():
    network, x_EBD = discriminator(), torch.randn(2, 5, 4)
    judged = network(x_EBD)
    torch.testing.assert_close(judged.features_EBW, network.trunk(x_EBD))
    source = judged.features_EBW @ network.source.weight_EIO + network.source.bias_E1O
    torch.testing.assert_close(judged.source_EB, source.squeeze(-1))
    assert [logits.shape for logits in judged.classes] == [(2, 5, 2), (2, 5, 3)]
    for logits, head, skip in zip(judged.classes, network.heads, network.skips, strict=True):
        own = judged.features_EBW @ head.weight_EIO + head.bias_E1O
        torch.testing.assert_close(logits, own + x_EBD @ skip.weight_EIO)
    assert judged.units_E.tolist() == [8.0, 6.0]


def test_without_skip_heads_see_features_only():
    network, x_EBD = discriminator(linear_skip=False), torch.randn(2, 5, 4)
    judged = network(x_EBD)
    assert network.skips is None
    own = judged.features_EBW @ network.heads[0].weight_EIO + network.heads[0].bias_E1O
    torch.testing.assert_close(judged.classes[0], own)


def test_projection_adds_the_inner_product_of_features_and_class():
    network, x_EBD = discriminator(projection=True), torch.randn(2, 5, 4)
    condition_EBK = torch.softmax(torch.randn(2, 5, sum(CLASSES)), -1)
    plain, projected = network(x_EBD), network(x_EBD, condition_EBK)
    directions_EWK = network.projection.weight_EIO
    added_EB = torch.einsum("ebk,ebw,ewk->eb", condition_EBK, plain.features_EBW, directions_EWK)
    torch.testing.assert_close(projected.source_EB - plain.source_EB, added_EB, atol=1e-5, rtol=0)
    assert torch.equal(projected.classes[0], plain.classes[0])


def test_without_projection_the_condition_is_not_looked_at():
    network, x_EBD = discriminator(), torch.randn(2, 5, 4)
    condition_EBK = torch.randn(2, 5, sum(CLASSES))
    assert torch.equal(network(x_EBD).source_EB, network(x_EBD, condition_EBK).source_EB)


def test_rivals_and_proxies_come_on_request():
    plain, rival = discriminator()(torch.randn(2, 5, 4)), discriminator(rival=True)
    assert plain.rivals == plain.proxies == ()
    judged = rival(torch.randn(2, 5, 4))
    assert [logits.shape for logits in judged.rivals] == [(2, 5, 2), (2, 5, 3)]
    assert [proxies.shape for proxies in judged.proxies] == [(2, 2, 8), (2, 3, 8)]
    assert torch.equal(judged.proxies[1][0, 2], rival.rivals[1].weight_EIO[0, :, 2])


def test_split_gives_what_two_passes_would():
    network, x_EBD = discriminator(rival=True), torch.randn(2, 5, 4)
    for part, rows in zip(network(x_EBD).split(2), (slice(0, 2), slice(2, 5)), strict=True):
        alone = network(x_EBD[:, rows])
        torch.testing.assert_close(part, alone)


@pytest.mark.parametrize("rows", [1, 5])
def test_members_stay_apart(rows):
    network = discriminator(rival=True, projection=True)
    condition_EBK = torch.rand(2, rows, sum(CLASSES))

    def total(x_EBD):
        judged = network(x_EBD, condition_EBK)
        everything = [judged.source_EB.unsqueeze(-1), *judged.classes, *judged.rivals]
        return sum(value.sum((1, 2)) for value in everything)

    assert_members_do_not_mix(total, [torch.randn(2, rows, 4, requires_grad=True)])


def test_labels_become_blocks_and_unknown_ones_zeros():
    labels_EBT = torch.tensor([[[1, 2], [-1, 0], [0, -1]]])
    condition_EBK = one_hot_condition(labels_EBT, CLASSES)
    assert condition_EBK.tolist() == [[[0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]]
    assert condition_EBK.dtype == torch.float32
