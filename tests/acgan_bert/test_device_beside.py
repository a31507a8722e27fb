"""The game beside an encoder that is elsewhere, simulated: it is where the encoder is."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import torch

from acgan_bert import joint
from acgan_bert.gan import streams
from acgan_bert.joint_models import task_models
from acgan_bert.watch_beside import JointWatch
from mtl import trainer
from tests.acgan_bert.toy_joint import joint_recipe, joint_trainer

UPDATES = 3


@pytest.fixture(scope="module")
def apart():
    """Run a function in a process of its own, which may get to know another device."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=300)


@contextmanager
def there():
    """Let training begin there, with the CPU's random streams."""
    from tests.simulated_device import DEVICE, Simulation

    place = SimpleNamespace(device=DEVICE, num_processes=1, process_index=0)
    with pytest.MonkeyPatch.context() as patch, Simulation() as simulation:
        for module in (joint, trainer):
            patch.setattr(module, "join_processes", lambda: place)
        patch.setattr(trainer, "share_weights", lambda _: None)
        patch.setattr(
            streams.MemberStreams, "to", lambda self, device: setattr(self, "device", device)
        )
        yield simulation


def trained(changes, loop):
    """Return a trainer after some updates, and the first and last state on the way."""
    recipe = joint_recipe(multitask__precision="no", **changes)
    found = joint_trainer(recipe, loop={"precision": "no", **loop})
    states = [found.state()]
    for _ in range(UPDATES):
        found.advance()
    return found, [*states, found.state()]


def both(changes, loop):
    """Train here and there; return the states of both, and the waits of one more update there."""
    import tests.simulated_device  # noqa: F401 - before any gradient: autograd counts devices once

    _, here = trained(changes, loop)
    with there() as simulation:
        _, states = trained(changes, loop)
        again = joint_trainer(joint_recipe(multitask__precision="no", **changes), loop=loop)
        again.load_state(states[0])
        simulation.waits.clear()
        again.advance()
        waited = {name: times for name, times in simulation.waits.items() if times}
    return here, states, waited


@pytest.mark.parametrize(
    ("changes", "loop"),
    [
        ({}, {}),
        ({"joint__encoder_ema": 0.5, "discriminator__spectral_norm": True}, {}),
        ({"objective__name": "gan-bert", "joint__weight": 0.5}, {"surgery": "pcgrad"}),
    ],
    ids=["plain", "averaged encoder", "published objective, surgery"],
)
def test_updates_there_are_those_of_the_cpu(changes, loop, apart):
    here, states, _ = apart(both, changes, loop)
    for expected, found in zip(here, states, strict=True):
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            # The gradient of key biases is rounding, and AdamW makes as much of it as of any other.
            if "key.bias" not in name:
                torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_an_update_is_waited_for_by_its_two_guards_and_by_the_encoders_library(apart):
    _, _, waited = apart(both, {}, {})
    sent = waited.pop("to the device")
    tasks = 3
    # The trainer looks at the norm, transformers at each mask; the players' guard copies.
    assert waited == {"aten::_local_scalar_dense": 1 + tasks, "aten::_to_copy": 1}
    assert sent <= 7 * tasks  # tokens, mask, types; labels, twice; places without one; scores


def left_there():
    """Return what training there leaves: the models, what a watch sees, the answers."""
    with there():
        found, _ = trained({}, {})
        gan = found.companion
        devices = {str(x.device) for m in task_models(gan).values() for x in _tensors(m)}
        return devices, gan.take(), JointWatch(gan).look(1)


def _tensors(model):
    modules = (model.generator, model.discriminator, model.space)
    return [value for module in modules for value in module.state_dict().values()]


def test_training_there_leaves_models_of_the_cpu_and_numbers(apart):
    devices, taken, seen = apart(left_there)
    assert devices == {"cpu"}
    assert {"moved_sentiment", "loss_generator"} <= taken.keys()
    assert all(isinstance(value, float) for value in (*taken.values(), *seen.values()))
