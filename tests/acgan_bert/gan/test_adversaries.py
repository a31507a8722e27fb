from typing import get_args, get_type_hints

import pytest
import torch

from acgan_bert.gan import objectives
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.objectives import class_loss, over_tasks
from acgan_bert.recipe import ObjectiveRecipe
from tests.properties import assert_members_do_not_mix, assert_one_value_per_member
from tests.toy import toy_game

EVERY_NAME = pytest.mark.parametrize("name", ADVERSARIES)


def judged(name, *, rows=6):
    """Return real and fake judgments of a fresh discriminator over two tasks, and labels."""
    game, batch = toy_game(name)
    real = game.discriminator(batch.real_EBD[:, :rows], torch.cat(batch.targets, -1)[:, :rows])
    fake = game.discriminator(torch.randn_like(batch.real_EBD[:, :rows]))
    return real, fake, batch.labels_EBT[:, :rows], batch.fake_labels_EBT[:, :rows]


def expected_parts(name, real, fake, labels, fakes):
    """Return what each side pays, term by term, as the table of the design has it."""
    o = objectives
    logistic = o.logistic_discriminator(real.source_EB, fake.source_EB)
    hinge, fooled = o.hinge_discriminator(real.source_EB, fake.source_EB), -fake.source_EB.mean(-1)
    class_fake = over_tasks(class_loss, fakes, fake.classes)
    zero = torch.zeros(2)
    if name == "hinge":
        return hinge, fooled
    if name == "ac-gan":
        return logistic + class_fake, o.logistic_generator(fake.source_EB) + class_fake
    if name == "gan-bert":
        pairs = list(zip(real.classes, fake.classes, strict=True))
        own = [o.gan_bert_discriminator(r, real.source_EB, f, fake.source_EB) for r, f in pairs]
        fool = [o.gan_bert_generator(f, fake.source_EB) for f in fake.classes]
        matching = o.feature_matching(real.features_EBW, fake.features_EBW, real.units_E)
        return sum(own), sum(fool) + matching
    if name == "tac-gan":
        twin = over_tasks(class_loss, fakes, fake.rivals)
        return hinge + twin, fooled + class_fake - twin
    if name == "adc-gan":
        heads = [torch.cat(pair, -1) for pair in zip(real.classes, real.rivals, strict=True)]
        fake_heads = [torch.cat(pair, -1) for pair in zip(fake.rivals, fake.classes, strict=True)]
        away = over_tasks(class_loss, fakes, fake_heads)
        toward_heads = [torch.cat(p, -1) for p in zip(fake.classes, fake.rivals, strict=True)]
        toward = over_tasks(class_loss, fakes, toward_heads)
        return hinge + over_tasks(class_loss, labels, heads) + away, fooled + toward - away
    if name == "reac-gan":
        d2d = [
            sum(
                o.data_to_data(side.features_EBW, proxies, rows[..., t])
                for t, proxies in enumerate(side.proxies)
            )
            for side, rows in ((real, labels), (fake, fakes))
        ]
        return hinge + d2d[0], fooled + d2d[1]
    return zero, zero


def test_recipes_offer_exactly_these_names():
    assert set(get_args(get_type_hints(ObjectiveRecipe)["name"])) == set(ADVERSARIES)


@EVERY_NAME
def test_each_side_pays_the_sum_of_its_terms(name):
    real, fake, labels, fakes = judged(name)
    adversary = ADVERSARIES[name]
    of_discriminator, of_generator = expected_parts(name, real, fake, labels, fakes)
    torch.testing.assert_close(
        adversary.discriminator(real, fake, labels, fakes), of_discriminator, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        adversary.generator(real, fake, fakes), of_generator, rtol=1e-5, atol=1e-5
    )


@EVERY_NAME
@pytest.mark.parametrize("rows", [1, 6])
def test_members_stay_apart_and_one_row_is_enough(name, rows):
    real, fake, labels, fakes = judged(name, rows=rows)

    # Moment matching looks at no score: a zero share of it keeps the graph.
    def discriminator(real_EB, fake_EB):
        return ADVERSARIES[name].discriminator(
            real._replace(source_EB=real_EB), fake._replace(source_EB=fake_EB), labels, fakes
        ) + 0.0 * (real_EB + fake_EB).sum(-1)

    def generator(fake_EB):
        loss_E = ADVERSARIES[name].generator(real, fake._replace(source_EB=fake_EB), fakes)
        return loss_E + 0.0 * fake_EB.sum(-1)

    assert_one_value_per_member(discriminator, [real.source_EB, fake.source_EB])
    assert_one_value_per_member(generator, [fake.source_EB])
    assert_members_do_not_mix(discriminator, [real.source_EB, fake.source_EB])
    assert_members_do_not_mix(generator, [fake.source_EB])


@EVERY_NAME
def test_only_what_an_objective_asks_for_is_built(name):
    discriminator = toy_game(name)[0].discriminator
    assert (discriminator.projection is not None) == (name == "hinge")
    assert (discriminator.rivals is not None) == (name in {"tac-gan", "adc-gan", "reac-gan"})
