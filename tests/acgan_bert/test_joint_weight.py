"""How much of the game the encoder feels."""

import torch

from acgan_bert.joint import SOURCE
from tests.acgan_bert.test_joint import flat, slopes
from tests.acgan_bert.toy_joint import QUIET, joint_recipe, joint_trainer, round_of


def test_the_weight_of_the_game_scales_its_gradient_in_the_encoder_alone():
    found = {}
    for weight in (1.0, 0.25, 0.0):
        trainer = joint_trainer(joint_recipe(joint__weight=weight, **{
            key.replace(".", "__"): value for key, value in QUIET.items()
        }))  # fmt: skip
        losses = round_of(trainer)
        shared, own = trainer.step.shared, list(trainer.companion.parameters)
        found[weight] = (
            flat(slopes(losses[SOURCE], shared), shared),
            flat(slopes(losses[SOURCE], own), own),
            losses[SOURCE].detach(),
            flat(slopes(losses["sentiment"], shared), shared),
        )
    whole, quarter, none = (found[weight] for weight in (1.0, 0.25, 0.0))
    assert whole[0].any()
    torch.testing.assert_close(quarter[0], whole[0] / 4, rtol=1e-4, atol=1e-9)
    assert not none[0].any()
    for other in (quarter, none):
        for kept in (1, 2, 3):
            assert torch.equal(other[kept], whole[kept])
