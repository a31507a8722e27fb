import numpy as np
import pytest
import torch

from acgan_bert import starts, warm_start
from acgan_bert.ensemble import Ensemble
from acgan_bert.member import Member
from acgan_bert.warm_start import gaussian_logits
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, _ = blobs(rows=200)


def start(*labels, **changes):
    """Return an ensemble before its first step, one member per set of labels."""
    recipe = tiny_recipe(**{"generator__noise_width": 6, **changes})
    members = [Member(recipe, visible, index) for index, visible in enumerate(labels)]
    return Ensemble(VECTORS, members, num_classes=2)


def fakes(trained, label, rows=4000):
    condition_EBK = torch.eye(2)[label].expand(len(trained.members), rows, 2)
    noise_EBZ = torch.randn(len(trained.members), rows, 6)
    with torch.no_grad():
        return trained.space.restore(trained.players.generator(noise_EBZ, condition_EBK)).numpy()


def test_generator_begins_at_the_gaussian_of_its_classes():
    trained = start(TRUTH)
    rest = VECTORS - np.stack([VECTORS[c == TRUTH].mean(0) for c in (0, 1)])[TRUTH]
    for label in (0, 1):
        drawn_BD = fakes(trained, label)[0]
        np.testing.assert_allclose(drawn_BD.mean(0), VECTORS[label == TRUTH].mean(0), atol=0.1)
        np.testing.assert_allclose(np.cov(drawn_BD.T), np.cov(rest.T), atol=0.15)
    assert not trained.players.generator.output.weight_EIO.any()  # the MLP starts silent


def test_uniform_noise_begins_at_the_same_gaussian():
    trained = start(TRUTH, generator__noise="uniform")
    noise_EBZ = torch.rand(1, 4000, 6)
    condition_EBK = torch.eye(2)[0].expand(1, 4000, 2)
    with torch.no_grad():
        fakes_EBD = trained.players.generator(noise_EBZ, condition_EBK)
        drawn_BD = trained.space.restore(fakes_EBD)[0].numpy()
    np.testing.assert_allclose(drawn_BD.mean(0), VECTORS[TRUTH == 0].mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(drawn_BD.T), np.cov(VECTORS[TRUTH == 0].T), atol=0.2)


def test_two_classes_keep_the_penalty_of_the_regression_itself(monkeypatch):
    """A symmetric pair of logits has half the squares of the one weight vector it stands for."""
    monkeypatch.setattr(warm_start, "STRENGTHS", (3.0,))
    trained = start(TRUTH)
    pair_DC = trained.players.discriminator.skips[0].weight_EIO[0].detach().double()
    whole_D = (pair_DC[:, 1] - pair_DC[:, 0]).numpy() * np.sqrt(6)
    strength = 6 * 2.0 / (float(trained.game.ridge_ET[0]) * len(TRUTH))
    kept = 0.5 * float(trained.game.ridge_ET[0]) * float(pair_DC.square().sum())
    np.testing.assert_allclose(kept, 0.5 * whole_D @ whole_D / (strength * len(TRUTH)), rtol=1e-5)
    assert strength == pytest.approx(3.0)


def test_members_start_from_their_own_labels_and_equal_labels_from_equal_skips():
    few = np.where(np.arange(400) % 200 < 3, TRUTH, -1)
    trained = start(TRUTH, few, TRUTH)
    players = trained.players
    for skips in (players.discriminator.skips[0].weight_EIO, players.generator.skip.weight_EIO):
        assert torch.equal(skips[0], skips[2])
        assert not torch.equal(skips[0], skips[1])
    assert trained.game.ridge_ET[0] == trained.game.ridge_ET[2]
    alone = start(few)
    both = (alone.players.generator.skip, trained.players.generator.skip)
    assert torch.equal(both[0].weight_EIO[0], both[1].weight_EIO[1])


def test_each_player_is_started_only_where_asked():
    cold = start(TRUTH, generator__warm_start=False)
    assert cold.players.generator.output.weight_EIO.any()
    assert cold.game.ridge_ET.all()
    other = start(TRUTH, discriminator__warm_start=False)
    assert other.players.discriminator.heads[0].weight_EIO.any()
    assert not other.game.ridge_ET.any()
    assert not other.players.generator.output.weight_EIO.any()
    without = start(TRUTH, discriminator__linear_skip=False, generator__linear_skip=False)
    assert without.players.discriminator.skips is None
    assert without.players.generator.skip is None


def test_rows_that_are_not_used_do_not_move_the_start():
    visible = TRUTH.copy()
    visible[[50, 250]] = -2
    trained = start(visible)
    used = visible >= -1
    means = np.stack([VECTORS[used & (c == TRUTH)].mean(0) for c in (0, 1)])
    for label in (0, 1):
        row_D = trained.players.generator.skip.weight_EIO[0, 6 + label]
        found = trained.space.restore(row_D).detach()
        np.testing.assert_allclose(found, means[label], atol=1e-4)


def test_noise_of_width_zero_is_as_wide_as_an_embedding():
    trained = start(TRUTH, generator__noise_width=0)
    assert trained.shape.noise_width == VECTORS.shape[1]
    assert trained.players.generator.skip.weight_EIO.shape[1] == VECTORS.shape[1] + 2
    trained.step()


def test_classifier_begins_halfway_between_the_regression_and_the_generators_bayes_rule():
    few = np.where(np.arange(400) % 200 < 5, TRUTH, -1)
    both, regression = start(few), start(few, generator__warm_start=False)
    gaussian = both.players.generator.skip.weight_EIO[0].detach().double().numpy()
    weights, bias = gaussian_logits(gaussian, np.array([0.5, 0.5]), rows=400)
    logits = both.real[:].double().numpy() @ weights + bias
    of_both, of_regression = (
        (player.view(start.real[:]) @ player.skips[0].weight_EIO + player.heads[0].bias_E1O)[0]
        .detach()
        .double()
        .numpy()
        for start in (both, regression)
        for player in [start.players.discriminator]
    )
    np.testing.assert_allclose(of_both, (of_regression + logits) / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("count", "copies"), [(3, 1), (3, 5), (12, 1), (1, 9)], ids=["one", "copies", "few", "equal"]
)
def test_degenerate_rows_start_and_train(count, copies):
    """The Gaussians' covariance is zero or nearly so; their Bayes rule drowned everything else."""
    vectors = np.random.default_rng(0).normal(size=(count, 40)).repeat(copies, axis=0)
    labels = np.arange(count).repeat(copies) % 3 if count > 1 else np.arange(copies) % 3
    members = [Member(tiny_recipe(generator__noise_width=0), labels, 0)]
    trained = Ensemble(vectors.astype(np.float32), members, num_classes=3)
    assert trained.players.discriminator.skips[0].weight_EIO.abs().max() < 10.0
    for _ in range(5):
        losses = trained.step()
    assert all(torch.isfinite(value).all() for value in losses.values())


def test_a_start_on_some_of_many_rows_keeps_the_labelled_ones(monkeypatch):
    monkeypatch.setattr(starts, "GAUSSIAN_ROWS", 30)
    late = np.where(np.arange(400) >= 390, TRUTH, -1)
    late[395:] = 0
    kept = starts._some_rows(Member(tiny_recipe(), late, 0))
    assert len(kept) == 30
    assert set(range(390, 400)) <= set(kept.tolist())
    assert kept.min() < 200  # and not only the last or the first
