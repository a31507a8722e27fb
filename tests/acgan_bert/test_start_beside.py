"""Where the players of several tasks begin: class by class, and about one covariance."""

import numpy as np
import pytest
import torch

from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.member import Member
from acgan_bert.networks import Shape, build_discriminator, build_generator
from acgan_bert.starts import start_beside, start_players
from tests.acgan_bert.toy_joint import joint_recipe

WIDTH, COUNTS = 5, (3, 2)
WARM = {"generator__warm_start": True, "discriminator__warm_start": True}


def start(places, labels, vectors, **changes):
    """Return both players after the start, the ridge, and the rows in their coordinates."""
    recipe = joint_recipe(**{**WARM, "generator__noise_width": 0, **changes})
    classes = [COUNTS[place] for place in np.unique(places)]
    shape = Shape.of([recipe], WIDTH, classes)
    players = [build(shape, MemberStreams([0])) for build in (build_generator, build_discriminator)]
    space = PrincipalSpace.fit(vectors)
    real_ND = space.standardize(vectors)
    member = Member(recipe, labels, 0)
    return *players, start_beside(*players, member, space, real_ND, places), real_ND, space, member


@pytest.fixture(scope="module")
def rows():
    """Return places, labels and vectors of two tasks that lie far apart."""
    stream = np.random.default_rng(0)
    places = np.repeat([0, 1], [60, 30])
    labels = np.concatenate([np.arange(60) % 3, np.arange(30) % 2])
    centers = stream.normal(size=(5, WIDTH)) * 3
    vectors = centers[labels + 3 * places] + stream.normal(size=(90, WIDTH)) * [1, 2, 3, 1, 1]
    return places, labels, torch.from_numpy(vectors).float()


def test_fakes_begin_at_each_tasks_class_means_about_the_pooled_covariance(rows):
    places, labels, _ = rows
    generator, _, _, real_ND, *_ = start(*rows)
    weights_IO = generator.skip.weight_EIO[0].detach().double().numpy()
    spread, means = np.split(weights_IO, [WIDTH])
    real = real_ND.double().numpy()
    kinds = labels + 3 * places
    expected = np.stack([real[kinds == kind].mean(0) for kind in range(5)])
    np.testing.assert_allclose(means, expected, atol=1e-5)
    about = real - expected[kinds]
    np.testing.assert_allclose(spread.T @ spread, about.T @ about / 90, atol=1e-4)


def test_class_heads_begin_as_those_of_the_task_alone(rows):
    places, labels, _ = rows
    _, judge, ridge, real_ND, space, member = start(*rows, generator__warm_start=False)
    assert ridge.shape == (1, len(COUNTS))
    found = judge(judge.view(real_ND))
    ridges = []
    for place, count in enumerate(COUNTS):
        mine = torch.from_numpy(places == place)
        shape = Shape.of([member.recipe], WIDTH, [count])
        alone = [
            build(shape, MemberStreams([0])) for build in (build_generator, build_discriminator)
        ]
        own = Member(member.recipe, labels[places == place], 0)
        ridges.append(start_players(*alone, [own], space, real_ND[mine]))
        logits_EBC = alone[1](alone[1].view(real_ND[mine])).classes[0]
        torch.testing.assert_close(found.classes[place][:, mine], logits_EBC)
        guesses_B = logits_EBC[0].argmax(-1).numpy()
        assert (guesses_B == own.labels).mean() > 0.8
    torch.testing.assert_close(ridge, torch.cat(ridges, dim=1))


def test_one_task_beside_an_encoder_begins_as_in_an_ensemble(rows):
    places, labels, vectors = rows
    one = places == 0
    generator, judge, ridge, real_ND, space, member = start(
        places[one], labels[one], vectors[one], discriminator__spectra=[0.0, 1.0]
    )
    shape = Shape.of([member.recipe], WIDTH, [3])
    alone = [build(shape, MemberStreams([0])) for build in (build_generator, build_discriminator)]
    assert torch.allclose(ridge, start_players(*alone, [member], space, real_ND))
    for found, expected in zip((generator, judge), alone, strict=True):
        for name, value in found.state_dict().items():
            torch.testing.assert_close(value, expected.state_dict()[name], msg=name)
