import pytest
import torch

from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.optimizer import Group, MemberAdamW
from acgan_bert.gan.step import Weights, discriminator_loss, generator_loss
from tests.properties import (
    assert_gradient_reaches_every_parameter,
    assert_parameters_changed,
    assert_parameters_unchanged,
    gradients,
    snapshot,
)
from tests.toy import toy_game

EVERY_NAME = pytest.mark.parametrize("name", ADVERSARIES)
EVERY_TERM = Weights(
    class_fake=0.5,
    class_generator=0.3,
    pseudo_labels=1.0,
    feature_matching=1.0,
    moment_matching=1.0,
    mode_seeking=0.1,
    r1=0.1,
    negative_augmentation=0.1,
)
NO_TERM = Weights(adversarial=0.0)
BOTH_WEIGHTS = pytest.mark.parametrize("weights", [Weights(), EVERY_TERM], ids=["plain", "all"])
WITHOUT_GRADIENT = {
    "moment-matching": {"source.weight_EIO", "source.bias_E1O"},  # nobody asks what is real
    # Contrast uses the rivals' weights as class directions, never their bias.
    "reac-gan": {"rivals.0.bias_E1O", "rivals.1.bias_E1O"},
}
"""Parameters of the discriminator that an objective does not use, and that stay as they began."""


def optimizers(game, rates=(1e-2, 1e-3)):
    return [
        MemberAdamW([Group(list(player.parameters()), rates, 0.0)], beta1=0.5)
        for player in (game.discriminator, game.generator)
    ]


def losses(game, batch):
    """Return the losses (E,) of discriminator and generator."""
    position = game.position(batch)
    sides = discriminator_loss(game, batch, position), generator_loss(game, batch, position)
    return [torch.stack(list(parts.values())).sum(0) for parts in sides]


@EVERY_NAME
@BOTH_WEIGHTS
def test_each_player_gets_the_gradient_of_its_own_loss_and_exactly_nothing_else(name, weights):
    game, batch = toy_game(name, weights)
    of_discriminator, of_generator = losses(game, batch)
    expected = gradients(of_discriminator, list(game.discriminator.parameters()))
    if of_generator.requires_grad:
        expected += gradients(of_generator, list(game.generator.parameters()))
    game.play(*optimizers(game), batch)
    players = [*game.discriminator.parameters(), *game.generator.parameters()]
    for parameter, gradient in zip(players, expected, strict=False):
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.equal(found, gradient)


@EVERY_NAME
@BOTH_WEIGHTS
def test_gradient_reaches_every_parameter_that_an_objective_uses(name, weights):
    game, batch = toy_game(name, weights)
    game.play(*optimizers(game), batch)
    unused = WITHOUT_GRADIENT.get(name, set())
    if weights.r1:  # it looks at the source score, as do recombined rows
        unused = {key for key in unused if not key.startswith("source")}
    assert_gradient_reaches_every_parameter(game.discriminator, but=unused)
    nothing_to_learn = name == "moment-matching" and not weights.moment_matching
    every = {key for key, _ in game.generator.named_parameters()}
    assert_gradient_reaches_every_parameter(game.generator, but=every if nothing_to_learn else ())


@EVERY_NAME
def test_real_rows_learn_from_what_is_said_of_them_and_from_nothing_else(name):
    """Not from the generator's loss, nor from fakes, even of real parts, nor from penalties."""
    game, batch = toy_game(name, EVERY_TERM)
    real_EBD = batch.real_EBD.requires_grad_(True)
    position = game.position(batch)
    of_discriminator = discriminator_loss(game, batch, position)
    # The slope of R1 is the same all around: units are leaky rectifiers.
    learnt = {"class", "pseudo", *(["adversarial"] if name != "moment-matching" else [])}
    reached = {
        part
        for part, loss_E in of_discriminator.items()
        if loss_E.requires_grad and gradients(loss_E, [real_EBD])[0].any()
    }
    assert reached == learnt
    assert {"class_fake", "negative", "ridge"} <= of_discriminator.keys() - learnt
    for loss_E in generator_loss(game, batch, position).values():
        assert not (loss_E.requires_grad and gradients(loss_E, [real_EBD])[0].any())


@EVERY_NAME
def test_real_rows_of_a_frozen_encoder_have_no_graph(name):
    game, batch = toy_game(name, EVERY_TERM)
    game.play(*optimizers(game), batch)
    assert not batch.real_EBD.requires_grad
    assert batch.real_EBD.grad is None


@EVERY_NAME
@pytest.mark.parametrize("mover", ["discriminator", "generator"])
def test_update_of_one_player_leaves_the_other_bit_for_bit(name, mover, monkeypatch):
    game, batch = toy_game(name, EVERY_TERM)
    before = {side: snapshot(getattr(game, side)) for side in ("discriminator", "generator")}
    of_discriminator, of_generator = optimizers(game)
    stopped = of_generator if mover == "discriminator" else of_discriminator
    monkeypatch.setattr(stopped, "step", lambda: torch.zeros(2))
    game.play(of_discriminator, of_generator, batch)
    for side, state in before.items():
        check = assert_parameters_changed if side == mover else assert_parameters_unchanged
        check(getattr(game, side), state)


@EVERY_NAME
def test_play_moves_both_and_tells_every_part_by_member(name):
    game, batch = toy_game(name, EVERY_TERM)
    before = snapshot(game.generator), snapshot(game.discriminator)
    record = game.play(*optimizers(game), batch)
    assert_parameters_changed(game.generator, before[0])
    assert_parameters_changed(game.discriminator, before[1])
    for key, value_E in record.items():
        assert value_E.shape == (2,), key
        assert torch.isfinite(value_E).all(), key
        assert not value_E.requires_grad, key


@EVERY_NAME
def test_members_do_not_mix(name):
    game, batch = toy_game(name, EVERY_TERM)
    for loss_E, player in zip(
        losses(game, batch), (game.discriminator, game.generator), strict=True
    ):
        for gradient in gradients(loss_E[0], list(player.parameters())):
            assert not gradient[1:].any()


def test_both_players_answer_the_same_fakes():
    game, batch = toy_game("hinge")
    position = game.position(batch)
    fake_EBD = game.generator(batch.noise_EBZ, batch.fake_condition_EBK)
    assert torch.equal(position.fake_EBD, fake_EBD)
    fake = game.discriminator(game.discriminator.view(fake_EBD), batch.fake_condition_EBK)
    torch.testing.assert_close(position.fake.source_EB, fake.source_EB)
    real = game.discriminator(game.discriminator.view(batch.real_EBD), torch.cat(batch.targets, -1))
    torch.testing.assert_close(position.real.source_EB, real.source_EB)


def test_terms_of_weight_zero_are_not_in_the_program():
    game, batch = toy_game("hinge", NO_TERM)
    position = game.position(batch)
    assert discriminator_loss(game, batch, position).keys() == {"class", "ridge"}
    assert not any(part.any() for part in generator_loss(game, batch, position).values())
    before = snapshot(game.generator)
    game.play(*optimizers(game), batch)
    assert_parameters_unchanged(game.generator, before)


def test_parts_have_their_names_and_weights():
    game, batch = toy_game("hinge", EVERY_TERM)
    position = game.position(batch)
    parts = discriminator_loss(game, batch, position)
    expected = {"class", "adversarial", "class_fake", "pseudo", "r1", "negative", "ridge"}
    assert {name for name, part in parts.items() if part.any()} == expected
    parts = generator_loss(game, batch, position)
    expected = {"adversarial", "class", "feature_matching", "moment_matching", "mode_seeking"}
    assert {name for name, part in parts.items() if part.any()} == expected
    game.weights = Weights(adversarial=2.0, class_generator=0.6)
    doubled = generator_loss(game, batch, position)
    for name in ("adversarial", "class"):
        torch.testing.assert_close(doubled[name], 2 * parts[name])


def test_ridge_pulls_the_skips_to_zero_in_proportion():
    game, batch = toy_game("hinge", Weights(adversarial=0.0, class_real=0.0))
    loss_E, _ = losses(game, batch)
    weights = [skip.weight_EIO for skip in game.discriminator.skips]
    for weight, gradient in zip(weights, gradients(loss_E, weights), strict=True):
        torch.testing.assert_close(gradient, 0.1 * weight.detach())


def test_adversary_that_pays_nothing_leaves_a_generator_without_other_terms_alone():
    """The generator's loss had no graph, and its backward pass raised."""
    game, batch = toy_game("moment-matching", Weights())
    before = snapshot(game.generator)
    game.play(*optimizers(game), batch)
    assert_parameters_unchanged(game.generator, before)


@pytest.mark.parametrize("name", ["hinge", "moment-matching", "gan-bert"])
def test_guesses_are_asked_for_only_where_a_term_uses_them(name):
    assert toy_game(name, NO_TERM)[0].uses_targets == (name == "hinge")
    assert toy_game(name, EVERY_TERM)[0].uses_targets


def test_a_task_pays_the_ridge_of_its_own_skip_where_the_batch_is_of_it():
    game, batch = toy_game("hinge", Weights())
    assert len(game.classes) > 1
    game.ridge_ET[:, 1] = 7.0
    skips = list(game.discriminator.skips.parameters())
    costs = [0.5 * r * w.square().sum((1, 2)) for r, w in zip((0.1, 7.0), skips, strict=True)]
    both = discriminator_loss(game, batch, game.position(batch))["ridge"]
    torch.testing.assert_close(both, costs[0] + costs[1])
    batch.fake_labels_EBT[..., 1] = -1
    ridge_E = discriminator_loss(game, batch, game.position(batch))["ridge"]
    torch.testing.assert_close(ridge_E, costs[0])
    ridge_E.sum().backward()
    assert skips[0].grad.any()
    assert skips[1].grad is None or not skips[1].grad.any()
