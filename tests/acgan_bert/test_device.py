"""GANs on another device, simulated: torch has to see none."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from acgan_bert import cli
from acgan_bert import ensemble as ensembles
from acgan_bert.devices import CPU, best_device, chosen_device
from acgan_bert.gan import streams
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.member import Member
from acgan_bert.trainer import HeldOut, train_ensemble
from acgan_bert.watch import CollapseWatch
from mtl.errors import DivergenceError, InputError
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs()
EVERYTHING = {
    "objective__class_fake": 0.5,
    "objective__class_generator": 0.5,
    "objective__feature_matching": 1.0,
    "objective__moment_matching": 1.0,
    "objective__mode_seeking": 0.1,
    "objective__r1": 0.1,
    "objective__negative_augmentation": 0.1,
    "discriminator__dropout": 0.2,
    "discriminator__spectral_norm": True,
    "discriminator__input_noise": 0.1,
    "training__clip": 0.01,
}


@pytest.fixture(scope="module")
def apart():
    """Run a function in a process of its own, which may get to know another device."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=300)


def ensemble_of(count=2, **changes):
    recipe = tiny_recipe(**changes)
    members = [Member(recipe, LABELS, 11 + e, e) for e in range(count)]
    return ensembles.Ensemble(VECTORS, members, num_classes=2)


@contextmanager
def there(*, same_streams=False):
    """Let ensembles begin there; torch has no random stream there, so those are of the CPU."""
    from tests.simulated_device import DEVICE, Simulation

    with pytest.MonkeyPatch.context() as patch, Simulation() as simulation:
        patch.setattr(ensembles, "chosen_device", lambda _: DEVICE)
        patch.setattr(streams, "_stream", lambda _: torch.Generator())
        if same_streams:
            patch.setattr(
                streams.MemberStreams, "to", lambda self, device: setattr(self, "device", device)
            )
        yield simulation


def steps_there(changes, *, same_streams=True, count=2):
    """Return the state after five steps there, and what the host waited for in them."""
    with there(same_streams=same_streams) as simulation:
        trained = ensemble_of(count, **changes)
        simulation.waits.clear()
        before = simulation.operations
        for _ in range(5):
            trained.step()
        waited = {name: times for name, times in simulation.waits.items() if times}
        assert simulation.operations > before + 500  # it was there indeed
        return trained.state(), waited


@pytest.mark.parametrize("name", ADVERSARIES)
def test_steps_there_are_those_of_the_cpu_and_nobody_waits_for_them(name, apart):
    changes = EVERYTHING | {"objective__name": name}
    found, waited = apart(steps_there, changes)
    assert waited == {}
    here = ensemble_of(**changes)
    for _ in range(5):
        here.step()
    expected = here.state()
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_a_member_there_has_a_stream_of_its_own(apart):
    (both, _), (alone, _) = (apart(steps_there_own, count) for count in (2, 1))
    assert len(both["streams.now"]) == 2
    torch.testing.assert_close(
        both["generator.output.weight_EIO"][:1], alone["generator.output.weight_EIO"]
    )
    here = ensemble_of(1)
    for _ in range(5):
        here.step()
    assert not torch.equal(here.state()["streams.now"], alone["streams.now"])


def steps_there_own(count):
    return steps_there({}, same_streams=False, count=count)


def trained_there(folder, steps):
    """Train there up to some step, with records, a watch, checkpoints; return what it says."""
    records = []
    with there():
        model = train_ensemble(
            ensemble_of(training__steps=steps, watch__every_steps=2, watch__rows=40),
            classes=("a", "b"),
            dev=HeldOut(VECTORS, TRUTH),
            record=records.append,
            checkpoint=folder,
            watch=CollapseWatch(("a", "b")),
        )
    for record in records:
        del record["seconds"]
    return records, model.sample(np.array([0, 1]), seed=0), model.predict_proba(VECTORS)


def test_training_there_records_resumes_and_leaves_a_model_of_the_cpu(apart, tmp_path):
    whole, fakes, probabilities = apart(trained_there, tmp_path / "whole", 6)
    apart(trained_there, tmp_path / "half", 4)
    rest, same, again = apart(trained_there, tmp_path / "half", 6)
    assert [row["step"] for row in whole] == [2, 4, 6]
    assert rest == whole[2:]
    np.testing.assert_array_equal(same, fakes)
    np.testing.assert_array_equal(again, probabilities)
    assert "dev_accuracy" in whole[0]
    assert "collapse/warnings" in whole[0]


def diverged_there(folder):
    with there():
        trained = ensemble_of(training__divergence_norm=1e-9, training__steps=40)
        train_ensemble(trained, classes=("a", "b"), checkpoint=folder)


def test_divergence_there_is_seen_before_anything_is_kept(apart, tmp_path):
    with pytest.raises(DivergenceError, match="diverged at step 10"):
        apart(diverged_there, tmp_path)


def test_streams_of_another_kind_of_device_are_refused():
    trained = ensemble_of()
    state = trained.state()
    state["streams.now"] = state["streams.now"][:, :16]  # as those of a GPU are
    with pytest.raises(InputError, match="random streams are of another kind of device"):
        trained.load_state(state)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("cpu") == chosen_device("auto") == best_device() == CPU
    with pytest.raises(InputError, match=r"training\.device: cuda, but torch sees no GPU"):
        chosen_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen_device("cpu") == CPU
    assert chosen_device("auto") == chosen_device("cuda") == torch.device("cuda", 0)


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(tmp_path, capsys):
    out = tmp_path / "out"
    for command in (["demo"], ["study", "depth", "--data.train", "demo:sentiment"]):
        assert cli.main([*command, "--out", str(out), "--training.device", "cuda"]) == 2
        assert "training.device: cuda, but torch sees no GPU" in capsys.readouterr().err
        assert not out.exists()
