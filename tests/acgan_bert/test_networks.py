import json
from dataclasses import fields

import pytest
import torch

from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.step import Weights
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.networks import Shape, build_discriminator, build_generator, build_weights
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from tests.toy import tiny_recipe


def shape(name="hinge"):
    recipes = [
        tiny_recipe(
            objective__name=name,
            generator__depth=depth,
            generator__width=4 * depth,
            discriminator__dropout=0.1 * depth,
            discriminator__spectral_norm=True,
        )
        for depth in (1, 3)
    ]
    return Shape.of(recipes, 6, (2, 3))


def test_sizes_come_from_each_members_recipe():
    found = shape()
    assert found.members == 2
    assert (found.generator.depths, found.generator.widths) == ((1, 3), (4, 12))
    assert found.discriminator.dropouts == pytest.approx((0.1, 0.3))
    assert found.discriminator.spectral_norm
    assert not found.generator.spectral_norm
    assert (found.embedding_width, found.noise_width, found.classes) == (6, 4, (2, 3))


@pytest.mark.parametrize("name", ADVERSARIES)
def test_shape_round_trips_through_json(name):
    written = json.loads(json.dumps(shape(name).to_json()))
    assert Shape.from_json(written) == shape(name)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_networks_have_the_shape_that_they_were_built_from(name):
    generator = build_generator(shape(name), MemberStreams([0, 1]))
    discriminator = build_discriminator(shape(name), MemberStreams([0, 1]))
    fake_EBD = generator(torch.randn(2, 7, 4), torch.zeros(2, 7, 5))
    judged = discriminator(fake_EBD, torch.zeros(2, 7, 5))
    assert fake_EBD.shape == (2, 7, 6)
    assert [logits.shape for logits in judged.classes] == [(2, 7, 2), (2, 7, 3)]
    assert len(generator.body.linears) == 3
    assert len(discriminator.trunk.linears) == 1
    assert discriminator.trunk.linears[0].spectral_norm
    assert bool(judged.rivals) == ADVERSARIES[name].rival


def test_every_weight_of_the_game_is_a_key_of_the_recipe():
    for index, weight in enumerate(fields(Weights), start=1):
        section = "semisupervised" if weight.name == "pseudo_labels" else "objective"
        recipe = apply(Recipe(), {f"{section}.{weight.name}": index / 8})
        assert getattr(build_weights(recipe), weight.name) == index / 8
