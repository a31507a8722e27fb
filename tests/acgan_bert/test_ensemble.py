from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from acgan_bert import warm_start
from acgan_bert.ensemble import Ensemble
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.member import Member
from tests.properties import assert_member_equals_itself_alone, assert_same_bits
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs()
MORE_LABELS = np.where(np.arange(len(TRUTH)) % 20 < 5, TRUTH, -1)
FEWER_ROWS = np.where(np.arange(len(TRUTH)) % 2 == 0, LABELS, -2)
FEWER_ROWS[[0, 20]] = [0, 1]


def ensemble(*members, vectors=VECTORS):
    return Ensemble(vectors, members, num_classes=2)


def unlike_members(**common):
    """Return members that differ in everything that may differ."""
    first = tiny_recipe(discriminator__dropout=0.3, generator__dropout=0.1, **common)
    training = replace(
        first.training, discriminator_learning_rate=3e-3, generator_learning_rate=1e-4
    )
    second = replace(
        first,
        seed=5,
        generator=replace(first.generator, depth=3, width=5, dropout=0.0),
        discriminator=replace(first.discriminator, depth=2, width=12, dropout=0.5),
        training=replace(training, skip_learning_rate=1e-3),
    )
    wide = replace(first.generator, width=16), replace(first.discriminator, width=4, dropout=0.0)
    third = replace(first, generator=wide[0], discriminator=wide[1])
    return [
        Member(first, LABELS, 11),
        Member(second, MORE_LABELS, 12),
        Member(third, FEWER_ROWS, 13),
        Member(first, TRUTH, 14),
    ]


def weights(trained):
    """Return parameters and averages of both players by name, each (E, ...)."""
    state = trained.state()
    return {
        name: value
        for name, value in state.items()
        if name.startswith(("generator", "discriminator")) and "adamw" not in name
        if not name.endswith("left_E1I")
    }


@pytest.mark.parametrize("name", ADVERSARIES)
def test_member_trains_as_it_would_alone(name):
    """Depth, width, labels, rates and seeds of its neighbors do not matter."""
    members = unlike_members(
        objective__name=name,
        objective__r1=0.1,
        objective__mode_seeking=0.1,
        objective__negative_augmentation=0.1,
        discriminator__spectral_norm=name == "ac-gan",
        generator__noise="uniform" if name == "gan-bert" else "normal",
    )
    together = ensemble(*members)
    singles = [ensemble(member) for member in members]
    for _ in range(8):
        together.step()
        for single in singles:
            single.step()
    probabilities_ENC = together.class_probabilities(together.real[:])
    for index, single in enumerate(singles):
        assert_member_equals_itself_alone(weights(single), weights(together), index, tolerance=1e-5)
        alone_1NC = single.class_probabilities(single.real[:])
        torch.testing.assert_close(probabilities_ENC[index], alone_1NC[0], rtol=0, atol=1e-5)


def test_feature_matching_alone_is_each_members_own():
    """A narrow member's feature matching was divided by the width of the widest member."""
    members = unlike_members(objective__adversarial=0.0, objective__moment_matching=0.0)
    together, single = ensemble(*members), ensemble(members[2])
    losses, alone = together.step(), single.step()
    found = losses["generator_feature_matching"][2].item()
    assert found == pytest.approx(alone["generator_feature_matching"].item(), rel=1e-5)


def test_same_seed_same_run_and_another_seed_another():
    recipe = tiny_recipe()
    runs = [ensemble(Member(recipe, LABELS, stream)) for stream in (1, 1, 2)]
    for run in runs:
        for _ in range(3):
            run.step()
    assert_same_bits(runs[0].state(), runs[1].state())
    first, other = runs[0].state(), runs[2].state()
    assert not torch.equal(
        first["generator.output.weight_EIO"], other["generator.output.weight_EIO"]
    )


def test_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = ensemble(Member(tiny_recipe(), LABELS, 1))
    first.step()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = ensemble(Member(tiny_recipe(), LABELS, 1))
    second.step()
    assert_same_bits(first.state(), second.state())


def test_state_round_trips_between_any_two_steps():
    members = unlike_members()
    whole = ensemble(*members)
    for step in range(4):
        copy = ensemble(*members)
        copy.load_state(whole.state())
        assert copy.step_number == step
        assert_same_bits(copy.state(), whole.state())
        whole.step()
        copy.step()
        assert_same_bits(copy.state(), whole.state())


def test_state_is_a_copy():
    trained = ensemble(Member(tiny_recipe(), LABELS, 1))
    state = trained.state()
    kept = {key: value.clone() for key, value in state.items()}
    trained.step()
    assert_same_bits(state, kept)


def test_state_of_other_members_is_refused():
    members = unlike_members()
    with pytest.raises(ValueError, match="checkpoint of 4 members, recipe of 1"):
        ensemble(members[0]).load_state(ensemble(*members).state())


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_average_of_the_weights_by_hand(ema):
    recipe = tiny_recipe(generator__ema=ema, discriminator__ema=ema)
    trained = ensemble(Member(recipe, LABELS, 1))
    bias = trained.players.generator.output.bias_E1O
    expected = bias.detach().clone()
    for step in range(1, 4):
        trained.step()
        keep = min(ema, step / (step + 9))
        expected = keep * expected + (1 - keep) * bias.detach()
    torch.testing.assert_close(trained.players.averages[0]["output.bias_E1O"], expected)
    if not ema:
        assert torch.equal(trained.players.averages[0]["output.bias_E1O"], bias)


def test_warm_start_is_logistic_regression_and_its_penalty(monkeypatch):
    monkeypatch.setattr(warm_start, "STRENGTHS", (3.0,))
    vectors, truth, _ = blobs(classes=3, distance=1.0)
    labels = [np.where(np.arange(60) % 20 < count, truth, -1) for count in (10, 2)]
    recipe = tiny_recipe(discriminator__spectra=[0.5], generator__warm_start=False)
    members = [Member(recipe, visible, 1) for visible in labels]
    trained = Ensemble(vectors, members, num_classes=3)
    skips = trained.players.discriminator.skips[0].weight_EIO.detach()
    head = trained.players.discriminator.heads[0]
    seen_END = trained.players.discriminator.view(trained.real[:])
    logits_ENC = seen_END @ skips + head.bias_E1O.detach()
    assert not head.weight_EIO.any()  # the trunk starts silent
    torch.testing.assert_close(trained.class_probabilities(trained.real[:]), logits_ENC.softmax(-1))
    for e, visible in enumerate(labels):
        known = torch.from_numpy(np.flatnonzero(visible >= 0))
        error_NC = logits_ENC[e, known].softmax(-1) - one_hot(torch.from_numpy(truth)[known], 3)
        pull_DC = seen_END[e, known].T @ error_NC / len(known)
        # At the optimum of the penalized likelihood, class loss and ridge pull equally.
        ridge_DC = trained.game.ridge_ET[e] * skips[e]
        torch.testing.assert_close(pull_DC, -ridge_DC, atol=1e-3, rtol=0)
        assert ridge_DC.abs().max() > 1e-2


def test_without_warm_start_the_skip_begins_at_random_and_unpenalized():
    trained = ensemble(Member(tiny_recipe(discriminator__warm_start=False), LABELS, 1))
    assert trained.game.ridge_ET.tolist() == [[0.0]]
    assert trained.players.discriminator.heads[0].weight_EIO.any()


def test_skip_learning_rate_of_zero_keeps_the_warm_start():
    """Its share of the largest rate was 0 / 0."""
    trained = ensemble(Member(tiny_recipe(training__skip_learning_rate=0.0), LABELS, 1))
    before = trained.players.discriminator.skips[0].weight_EIO.detach().clone()
    trained.step()
    assert torch.equal(trained.players.discriminator.skips[0].weight_EIO, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective__name": "gan-bert"}, "objective differs"),
        ({"semisupervised__threshold": 0.9}, "semisupervised differs"),
        ({"discriminator__spectral_norm": True}, "discriminator differs in more than depth"),
        ({"generator__noise_width": 9}, "generator differs in more than depth"),
        ({"training__batch_size": 9}, "training differs in more than discriminator_learning_rate"),
    ],
)
def test_members_must_agree_on_the_program(change, message):
    first, other = Member(tiny_recipe(), LABELS, 1), Member(tiny_recipe(**change), LABELS, 2)
    with pytest.raises(ValueError, match=message):
        ensemble(first, other)


def test_ensemble_of_nobody_is_refused():
    with pytest.raises(ValueError, match="none given"):
        ensemble()
