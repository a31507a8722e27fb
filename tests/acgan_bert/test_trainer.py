from dataclasses import replace

import numpy as np
import pytest
import torch

from acgan_bert import trainer
from acgan_bert.ensemble import Ensemble
from acgan_bert.row_checks import check_rows
from acgan_bert.trainer import DivergenceError, HeldOut, TrainingRows, train_gan
from mtl.checkpoint import read_latest
from mtl.errors import InputError
from mtl.files import damage
from tests.properties import assert_same_bits
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs()
ROWS = TrainingRows(VECTORS, LABELS, ("down", "up"))
STEPS = 6


def everything(**changes):
    """Return a recipe with every term, dropout and spectral norm, two members."""
    terms = ("class_fake", "mode_seeking", "r1", "negative_augmentation")
    return tiny_recipe(
        **{f"objective__{term}": 0.1 for term in terms},
        discriminator__spectral_norm=True,
        generator__dropout=0.2,
        training__members=2,
        **changes,
    )


def weights(model):
    parts = {"generator": model.generator, "discriminator": model.discriminator}
    return {
        f"{part}.{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }


class Killed(Exception):
    """Stands for the end of a process."""


def interrupted(checkpoint, recipe, *, after):
    def progress(step, steps):
        assert steps == STEPS
        if step == after:
            raise Killed

    with pytest.raises(Killed):
        train_gan(ROWS, recipe, checkpoint=checkpoint, progress=progress)


@pytest.fixture(scope="module")
def uninterrupted():
    return {
        every: train_gan(ROWS, everything(training__checkpoint_every_steps=every))
        for every in (1, 4)
    }


@pytest.mark.parametrize("after", range(1, STEPS + 1))
@pytest.mark.parametrize("every", [1, 4])
def test_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    tmp_path, uninterrupted, after, every
):
    recipe = everything(training__checkpoint_every_steps=every)
    interrupted(tmp_path, recipe, after=after)
    torch.manual_seed(after)  # another process would have another global state
    done = []
    resumed = train_gan(ROWS, recipe, checkpoint=tmp_path, progress=lambda s, _: done.append(s))
    last = STEPS if after == STEPS else after - after % every
    assert done == list(range(last + 1, STEPS + 1))
    assert_same_bits(weights(resumed), weights(uninterrupted[every]))


def test_checkpoints_do_not_change_the_run(tmp_path, uninterrupted):
    with_files = train_gan(ROWS, everything(), checkpoint=tmp_path)
    assert_same_bits(weights(with_files), weights(uninterrupted[1]))
    assert [path.name for path in tmp_path.iterdir()] == [f"step-{STEPS:08d}"]


def test_same_seed_same_run_and_another_seed_another(uninterrupted):
    again = train_gan(ROWS, everything())
    assert_same_bits(weights(again), weights(uninterrupted[1]))
    other = train_gan(ROWS, replace(everything(), seed=1))
    assert not np.array_equal(other.predict_proba(VECTORS), again.predict_proba(VECTORS))


def test_members_have_streams_of_their_own(uninterrupted):
    first, second = uninterrupted[1].generator.output.weight_EIO
    assert not torch.equal(first, second)


def test_records_are_flat_numbers_at_each_evaluation():
    records = []
    recipe = everything(training__eval_every_steps=4)
    train_gan(ROWS, recipe, dev=HeldOut(VECTORS, TRUTH), record=records.append)
    assert [record["step"] for record in records] == [4, 6]  # and always the last step
    for record in records:
        assert all(isinstance(value, int | float) for value in record.values())
        assert 0.0 <= record["dev_accuracy"] <= 1.0
        assert {"loss_discriminator", "loss_generator", "seconds"} <= record.keys()
        assert "discriminator_class" in record
    assert records[-1]["norm_discriminator"] > 0
    assert records[-1]["norm_generator"] > 0


def test_dev_rows_without_labels_are_not_scored():
    records = []
    dev = HeldOut(VECTORS[:4], np.array([-1, -1, -1, 0]))
    train_gan(ROWS, tiny_recipe(), dev=dev, record=records.append)
    assert {record["dev_accuracy"] for record in records} <= {0.0, 1.0}
    unlabeled = HeldOut(VECTORS, np.full(len(VECTORS), -1))
    train_gan(ROWS, tiny_recipe(), dev=unlabeled, record=records.append)
    assert "dev_accuracy" not in records[-1]


def judge_samples(model, vectors, truth):
    """Return the share of samples nearest to the mean of their own class, and how far means err."""
    wanted = np.repeat([0, 1], 100)
    means = np.stack([vectors[truth == c].mean(0) for c in (0, 1)])
    fakes = model.sample(wanted, seed=0)
    distances = np.linalg.norm(fakes[:, None] - means, axis=2)
    errors = [np.linalg.norm(fakes[wanted == c].mean(0) - means[c]) for c in (0, 1)]
    return (distances.argmin(1) == wanted).mean(), max(errors) / np.linalg.norm(means[0])


@pytest.mark.parametrize("name", ["hinge", "moment-matching"])
def test_two_labels_a_class_are_enough_for_two_blobs(name):
    vectors, truth, labels = blobs(rows=60, distance=3.0)
    rows = TrainingRows(vectors, labels, ("a", "b"))
    recipe = tiny_recipe(
        objective__name=name,
        generator__width=16,
        generator__warm_start=False,  # it has to learn where the classes lie
        generator__ema=0.9,
        training__generator_learning_rate=5e-3,
        training__batch_size=32,
        training__steps=80,
    )
    untrained = train_gan(rows, replace(recipe, training=replace(recipe.training, steps=1)))
    model = train_gan(rows, recipe)
    assert (model.predict_proba(vectors).argmax(1) == truth).mean() > 0.97
    nearest, error = judge_samples(model, vectors, truth)
    assert nearest > 0.97
    assert error < 0.4
    assert judge_samples(untrained, vectors, truth)[1] > 0.6


def test_generator_starts_near_its_classes():
    vectors, truth, labels = blobs(rows=60, distance=3.0)
    recipe = tiny_recipe(training__steps=1)
    model = train_gan(TrainingRows(vectors, labels, ("a", "b")), recipe)
    assert judge_samples(model, vectors, truth)[0] > 0.8


def test_absurd_learning_rate_stops_with_cause_step_and_state(tmp_path):
    recipe = tiny_recipe(training__discriminator_learning_rate=1e12)
    with pytest.raises(
        DivergenceError, match=r"^diverged at step \d: \w+ of member 0 is "
    ) as found:
        train_gan(ROWS, recipe, checkpoint=tmp_path)
    (kept,) = tmp_path.iterdir()
    assert damage(kept) == ""
    assert str(tmp_path) in str(found.value)
    assert f"(step {int(kept.name.removeprefix('step-'))})" in str(found.value)


def test_nan_in_the_weights_stops_and_leaves_the_last_good_state(tmp_path, monkeypatch):
    step = Ensemble.step

    def poisoned(self):
        if self.step_number == 4:
            with torch.no_grad():
                self.players.generator.output.weight_EIO[1, 0, 0] = torch.nan
        return step(self)

    monkeypatch.setattr(Ensemble, "step", poisoned)
    recipe = everything(training__checkpoint_every_steps=3)
    with pytest.raises(DivergenceError) as found:
        train_gan(ROWS, recipe, checkpoint=tmp_path)
    message = str(found.value)
    assert message.startswith("diverged at step 5: ")
    assert "of member 1 is nan" in message
    assert "last good state (step 3) is in" in message
    good = read_latest(tmp_path)
    assert int(good["step_number"]) == 3
    assert all(torch.isfinite(v).all() for v in good.values() if v.is_floating_point())
    monkeypatch.setattr(Ensemble, "step", step)
    resumed = train_gan(ROWS, recipe, checkpoint=tmp_path)  # it was no cause of its own
    assert np.isfinite(resumed.predict_proba(VECTORS)).all()


@pytest.mark.parametrize("clip", [0.0, 1e-3])
def test_norm_beyond_the_limit_is_divergence_even_where_it_is_clipped(clip, monkeypatch):
    """Clipped gradients were what the guard looked at: no norm could reach its limit."""
    monkeypatch.setattr(trainer, "GUARD_EVERY_STEPS", 3)
    recipe = tiny_recipe(training__divergence_norm=0.01, training__clip=clip)
    with pytest.raises(DivergenceError, match=r"step 3: norm_\w+ .*step 2\) is in memory only"):
        train_gan(ROWS, recipe)


def change(values, index, value):
    changed = values.copy()
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (replace(ROWS, vectors=VECTORS[0]), r"\(N, D\) matrix is needed, found shape \(6,\)"),
        (replace(ROWS, vectors=VECTORS[:, :0]), r"found shape \(40, 0\)"),
        (replace(ROWS, labels=LABELS[:9]), "40 rows, but 9 labels"),
        (replace(ROWS, vectors=change(VECTORS, (3, 1), np.nan)), "row 3 holds NaN or infinity"),
        (replace(ROWS, vectors=change(VECTORS, (7, 0), np.inf)), "row 7 holds NaN or infinity"),
        (replace(ROWS, labels=np.full(40, -1)), "labelled rows only for: none"),
        (replace(ROWS, labels=np.where(LABELS == 0, 0, -1)), "labelled rows only for: down;"),
        (replace(ROWS, classes=("a", "b", "c")), "3 classes, labelled rows only for: a, b;"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        check_rows(rows)
    with pytest.raises(InputError):
        train_gan(rows, tiny_recipe())


def test_good_rows_pass():
    assert check_rows(ROWS) is None
