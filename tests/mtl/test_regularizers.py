"""SMART: a ball that holds, an ascent that climbs, nothing where nothing may flow, exact resume."""

import copy
import math

import pytest
import torch
from torch import nn

from mtl.bert.toy import toy_encoder
from mtl.regularizers import (
    DIVERGENCES,
    Ascent,
    ProximalPoint,
    SameDropout,
    smoothness,
    squared_difference,
    symmetric_kl,
    worst_perturbation,
)
from tests.properties import (
    assert_gradient_reaches_every_parameter,
    assert_gradients_right,
    assert_no_gradient,
    assert_parameters_unchanged,
    assert_same_bits,
    gradients,
    snapshot,
)

ROWS, TOKENS, WIDTH, CLASSES = 4, 3, 5, 3
WIDE = Ascent(epsilon=0.1, step_size=0.05, steps=3, noise_variance=1e-4)
PAPER = Ascent()


class Network(nn.Module):
    """Two layers over the mean of token embeddings, float64; dropout where asked for."""

    def __init__(self, outputs=CLASSES, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(WIDTH, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, outputs)
        ).double()

    def forward(self, embeddings_BLD):
        return self.layers(embeddings_BLD.mean(1))


def embeddings(rows=ROWS):
    return torch.randn(rows, TOKENS, WIDTH, dtype=torch.float64)


def worst(network, x_BLD, ascent, *, divergence=symmetric_kl, function=worst_perturbation, seed=0):
    """Return the worst perturbation of a batch from a seeded start."""
    generator = torch.Generator().manual_seed(seed)
    given = {"divergence": divergence, "ascent": ascent, "generator": generator}
    return function(network, x_BLD, network(x_BLD), **given)


def roughness(network, x_BLD, ascent, **given):
    return worst(network, x_BLD, ascent, function=smoothness, **given)


def test_symmetric_kl_by_hand():
    first_BC, second_BC = torch.log(torch.tensor([[[3.0, 1.0]], [[1.0, 1.0]]]))
    by_hand = 0.25 * math.log(3)  # (3/4 - 1/2) (log 3/4 - log 1/4)
    assert symmetric_kl(first_BC, second_BC).tolist() == pytest.approx([by_hand])


def test_symmetric_kl_is_the_sum_of_both_directions():
    first_BC, second_BC = torch.randn(2, 6, 4)
    p, q = (torch.distributions.Categorical(logits=logits) for logits in (first_BC, second_BC))
    kl = torch.distributions.kl_divergence
    torch.testing.assert_close(symmetric_kl(first_BC, second_BC), kl(p, q) + kl(q, p))


@pytest.mark.parametrize("divergence", [symmetric_kl, squared_difference])
def test_divergences_are_symmetric_never_negative_and_zero_at_equal_outputs(divergence):
    for scale in (1e-6, 1.0, 1e4):
        first, second = scale * torch.randn(2, 50, CLASSES)
        value = divergence(first, second)
        assert torch.equal(value, divergence(second, first))
        assert (value >= 0).all()
        assert torch.isfinite(value).all()
        assert not divergence(first, first.clone()).any()


def test_one_logit_diverges_as_the_paper_has_it():
    first_B, second_B = torch.randn(2, 6)
    columns = [torch.stack([torch.zeros(6), logit], dim=-1) for logit in (first_B, second_B)]
    by_hand = (first_B.sigmoid() - second_B.sigmoid()) * (first_B - second_B)
    torch.testing.assert_close(symmetric_kl(*columns), by_hand)


@pytest.mark.parametrize("ascent", [PAPER, WIDE, Ascent(steps=0, noise_variance=1.0)])
def test_perturbation_stays_in_the_ball(ascent):
    network, x_BLD = Network(), embeddings()
    shift_BLD = worst(network, x_BLD, ascent)
    assert 0 < shift_BLD.abs().max() <= ascent.epsilon
    assert not shift_BLD.requires_grad


def test_one_step_by_hand():
    # f(x) = 2 a - b over two features, scores: the slope's direction is (2, -1) times a sign.
    direction = torch.tensor([2.0, -1.0], dtype=torch.float64)

    def forward(x_BLD):
        return (x_BLD @ direction).squeeze(-1)

    x_BLD = torch.zeros(1, 1, 2, dtype=torch.float64)
    ascent = Ascent(epsilon=1.0, step_size=0.1, steps=1, noise_variance=1e-12)
    generator = torch.Generator().manual_seed(0)
    start_BLD = torch.randn(1, 1, 2, generator=generator, dtype=torch.float64) * 1e-6
    expected = start_BLD + 0.1 * forward(start_BLD).sign() * torch.tensor([1.0, -0.5])
    shift_BLD = worst(forward, x_BLD, ascent, divergence=squared_difference)
    torch.testing.assert_close(shift_BLD, expected)
    loss = roughness(forward, x_BLD, ascent, divergence=squared_difference)
    torch.testing.assert_close(loss, forward(expected).square().squeeze())


@pytest.mark.parametrize(("output", "columns"), [("classes", CLASSES), ("score", 1)])
def test_ascent_raises_the_divergence_of_every_row(output, columns):
    network, x_BLD, divergence = Network(columns), embeddings(), DIVERGENCES[output]
    reached = []
    for steps in (0, 1, 3):
        ascent = Ascent(epsilon=0.1, step_size=0.03, steps=steps, noise_variance=1e-6)
        shift_BLD = worst(network, x_BLD, ascent, divergence=divergence)
        reached.append(divergence(network(x_BLD + shift_BLD), network(x_BLD)))
    assert (reached[1] > 10 * reached[0]).all()
    assert (reached[2] > 2 * reached[1]).all()


def test_ascent_leaves_no_gradient_and_no_change_anywhere():
    network, x_BLD = Network(), embeddings().requires_grad_()
    before = snapshot(network)
    worst(network, x_BLD, WIDE)
    loss = roughness(network, x_BLD, WIDE)
    assert_no_gradient(network, x_BLD)
    assert_parameters_unchanged(network, before)
    loss.backward()
    assert_gradient_reaches_every_parameter(network)


def test_gradient_flows_through_both_outputs_with_the_perturbation_held():
    network, x_BLD = Network(), embeddings()
    shift_BLD = worst(network, x_BLD, WIDE)

    def loss(x_BLD):
        return symmetric_kl(network(x_BLD + shift_BLD), network(x_BLD)).mean()

    assert_gradients_right(loss, [x_BLD])
    leaf_BLD = x_BLD.clone().requires_grad_()
    found = gradients(roughness(network, leaf_BLD, WIDE), [leaf_BLD])
    torch.testing.assert_close(found, gradients(loss(leaf_BLD), [leaf_BLD]))


@pytest.mark.parametrize("divergence", [symmetric_kl, squared_difference])
def test_a_constant_network_is_perfectly_smooth(divergence):
    network, x_BLD = Network(), embeddings()
    nn.init.zeros_(network.layers[0].weight)
    loss = roughness(network, x_BLD, WIDE, divergence=divergence)
    assert loss.item() == 0.0
    assert not any(slope.any() for slope in gradients(loss, list(network.parameters())))


def test_loss_is_positive_even_at_the_papers_radius_in_float32():
    network, x_BLD = Network().float(), embeddings().float()
    for seed in range(20):
        loss = roughness(network, x_BLD, PAPER, seed=seed)
        assert 0 < loss.item() < 1e-6


def test_a_row_does_not_depend_on_its_neighbors():
    network, x_BLD = Network(), embeddings()
    other_BLD = torch.cat([x_BLD[:2], 10 * embeddings(rows=ROWS - 2)])
    first_BLD, second_BLD = (worst(network, batch, WIDE) for batch in (x_BLD, other_BLD))
    torch.testing.assert_close(first_BLD[:2], second_BLD[:2])
    assert not torch.allclose(first_BLD[2:], second_BLD[2:])


def test_same_seed_same_perturbation():
    network, x_BLD = Network(), embeddings()
    first, again, other = (roughness(network, x_BLD, WIDE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_same_dropout_holds_one_mask_and_the_streams_go_on_as_without_it():
    network, x_BLD = Network(dropout=0.5), embeddings()
    state = torch.get_rng_state()
    plain, after = network(x_BLD), torch.get_rng_state()
    torch.set_rng_state(state)
    same = SameDropout(network)
    for _ in range(3):
        assert torch.equal(same(x_BLD), plain)
        assert torch.equal(torch.get_rng_state(), after)
    assert not torch.equal(SameDropout(network)(x_BLD), plain)


def test_under_one_mask_only_the_perturbation_counts():
    network, x_BLD = Network(dropout=0.5), embeddings()
    tiny = Ascent(epsilon=1e-9, step_size=1e-9, noise_variance=1e-20)
    assert roughness(SameDropout(network), x_BLD, tiny) < 1e-12
    assert roughness(network, x_BLD, tiny) > 1e-3  # dropout's own


def test_smoothness_trains_a_bert_from_its_word_embeddings():
    encoder = toy_encoder()
    encoder.model.train()
    word_embeddings = encoder.model.get_input_embeddings()
    ids_BL = torch.tensor([[2, 7, 8, 3], [2, 9, 10, 3]])
    x_BLD = word_embeddings(ids_BL)

    def forward(x_BLD):
        return encoder.model(inputs_embeds=x_BLD).last_hidden_state[:, 0]

    roughness(SameDropout(forward), x_BLD, WIDE).backward()
    assert word_embeddings.weight.grad[ids_BL[0]].any()
    assert not word_embeddings.weight.grad[11:].any()


def distance(proximal, network, x_BLD):
    return proximal.penalty(lambda: network(x_BLD), network(x_BLD), divergence=symmetric_kl)


def steps(network, proximal, count, seed=0):
    """Descend on random targets beside the proximal term, and return its last value."""
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(count):
        x_BLD, target_BC = embeddings(), torch.randn(ROWS, CLASSES, dtype=torch.float64)
        penalty = distance(proximal, network, x_BLD)
        optimizer.zero_grad()
        ((network(x_BLD) - target_BC).square().mean() + penalty).backward()
        optimizer.step()
        proximal.update()
    return penalty.item()


def test_proximal_term_is_zero_at_the_start_and_pulls_back_after_a_move():
    network, x_BLD = Network(), embeddings()
    proximal = ProximalPoint(network, early_updates=1)
    assert distance(proximal, network, x_BLD).item() == 0.0
    bias = network.layers[-1].bias
    bias.data[0] += 1.0
    before = snapshot(network)
    assert gradients(distance(proximal, network, x_BLD), [bias])[0][0] > 0  # downhill is back
    assert_parameters_unchanged(network, before)  # the average was only borrowed
    assert_no_gradient(network, *proximal.average.values())


def test_proximal_term_compares_with_the_averaged_network():
    network, x_BLD = Network(), embeddings()
    proximal = ProximalPoint(network, early_updates=2)
    steps(network, proximal, 5)
    averaged = copy.deepcopy(network)
    averaged.load_state_dict(proximal.average)
    expected = symmetric_kl(network(x_BLD), averaged(x_BLD)).mean()
    assert torch.equal(distance(proximal, network, x_BLD), expected)


def test_proximal_term_under_one_mask_is_zero_at_the_start():
    network, x_BLD = Network(dropout=0.5), embeddings()
    proximal = ProximalPoint(network, early_updates=1)
    assert distance(proximal, SameDropout(network), x_BLD).item() == 0.0
    assert distance(proximal, network, x_BLD).item() > 1e-3  # dropout's own


def test_average_by_hand_and_its_two_momenta():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    proximal = ProximalPoint(network, early_updates=1)
    nn.init.ones_(network.weight)
    proximal.update()
    assert proximal.average["weight"].item() == pytest.approx(0.01)
    proximal.update()
    assert proximal.average["weight"].item() == pytest.approx(0.01 + 0.001 * 0.99)


def test_frozen_parameters_have_no_average():
    network = Network()
    network.layers[0].requires_grad_(False)
    proximal = ProximalPoint(network, early_updates=1)
    assert list(proximal.average) == ["layers.3.weight", "layers.3.bias"]
    steps(network, proximal, 1)


def test_proximal_point_resumes_bit_for_bit():
    network, again = Network(), Network()
    proximal = ProximalPoint(network, early_updates=3)
    resumed = ProximalPoint(again, early_updates=3)
    steps(network, proximal, 2)
    again.load_state_dict(network.state_dict())
    resumed.load_state(copy.deepcopy(proximal.state()))
    assert steps(again, resumed, 4, seed=1) == steps(network, proximal, 4, seed=1)
    assert_same_bits(resumed.state(), proximal.state())
    assert_same_bits(snapshot(again), snapshot(network))
