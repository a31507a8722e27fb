import numpy as np
import pytest
import torch

from acgan_bert.encoding import write_identity
from acgan_bert.ensemble import Ensemble
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.member import Member
from acgan_bert.networks import build_discriminator, build_generator
from acgan_bert.real_rows import RealRows
from acgan_bert.recipe import EncoderRecipe
from acgan_bert.starts import start_players
from acgan_bert.studies.parts import removable
from acgan_bert.trainer import TrainingRows, train_gan
from acgan_bert.transfer import Start
from mtl.errors import InputError
from mtl.text.tasks import Task
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs(classes=3)
CLASSES = ("bad", "fair", "good")
COLD = {"generator__warm_start": False, "discriminator__warm_start": False}
OBJECTIVES = ("hinge", "reac-gan")  # with a projection on the class, with a second class head


def source(folder, *, classes=CLASSES, **changes):
    """Train two members on three blobs and save them as a run's model."""
    recipe = tiny_recipe(training__members=2, discriminator__spectral_norm=True, **changes)
    model = train_gan(TrainingRows(VECTORS, LABELS, classes), recipe)
    model.save_pretrained(folder)
    task = Task(name="mood", arity=1, output="classes", classes=classes)
    write_identity(folder, task, EncoderRecipe(), "fingerprint")
    return model


def begun(folder, classes, *, members=1, vectors=VECTORS, labels=LABELS, **changes):
    """Return an ensemble of the same shape that begins at a saved model."""
    recipe = tiny_recipe(discriminator__spectral_norm=True, **changes)
    made = [Member(recipe, labels, 40 + place, place) for place in range(members)]
    at = Start.read(str(folder), classes)
    return Ensemble(vectors, made, num_classes=len(classes), start=at)


def states(model):
    """Return the weights of a saved model's players, as float32."""
    players = {"generator": model.generator, "discriminator": model.discriminator}
    return {
        f"{name}.{key}": value.float()
        for name, player in players.items()
        for key, value in player.state_dict().items()
    }


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_with_the_same_classes_and_no_warm_start_every_weight_is_taken_over(tmp_path, objective):
    """Exactly, with the coordinates, whatever the rows; members in turns."""
    model = source(tmp_path / "m", objective__name=objective)
    other = VECTORS[::-1].copy() * 3 + 1
    found = begun(
        tmp_path / "m", CLASSES, members=3, vectors=other, objective__name=objective, **COLD
    ).state()
    expected = states(model)
    assert {key for key in found if key.startswith(("generator.", "discriminator."))} == {*expected}
    for key, value in expected.items():
        assert torch.equal(found[key], value[[0, 1, 0]]), key
    for key, value in model.space.state_dict().items():
        assert torch.equal(found[f"space.{key}"], value)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_classes_are_matched_by_name(tmp_path, objective):
    """In another order they are judged, and made, as they were."""
    model = source(tmp_path / "m", objective__name=objective)
    order = [2, 0, 1]
    names = tuple(CLASSES[index] for index in order)
    labels = np.where(LABELS < 0, -1, np.argsort(order)[LABELS])
    new = begun(tmp_path / "m", names, members=2, labels=labels, objective__name=objective, **COLD)
    judged = new.class_probabilities(new.real[:]).numpy()
    before = model.member_probabilities(VECTORS)
    np.testing.assert_allclose(judged, before[..., order], atol=1e-5)
    noise = torch.randn(2, 3, model.shape.noise_width)
    asked = torch.arange(3).expand(2, -1).unsqueeze(-1)
    was_asked = torch.tensor(order).expand(2, -1).unsqueeze(-1)
    generator = new.game.generator.eval()
    with torch.no_grad():
        made = generator(noise, one_hot_condition(asked, (3,)))
        expected = model.generator(noise, one_hot_condition(was_asked, (3,)))
    torch.testing.assert_close(made, expected)


def test_warm_linear_skips_are_those_of_the_new_rows_in_the_old_coordinates(tmp_path):
    """What they say is what they would without the rest, which is taken over beside them."""
    model = source(tmp_path / "m")
    vectors, _, labels = blobs(classes=3, seed=5, labeled=6)
    spectra = {"discriminator__spectra": [-0.5, 1.0]}  # other gains than those that are kept
    new = begun(tmp_path / "m", CLASSES, vectors=vectors, labels=labels, **spectra)
    streams = MemberStreams([0])
    plain = build_generator(new.shape, streams), build_discriminator(new.shape, streams)
    real = RealRows(vectors, model.space)
    start_players(*plain, new.members, model.space, real)
    generator, discriminator = new.game.generator, new.game.discriminator
    assert torch.equal(generator.skip.weight_EIO, plain[0].skip.weight_EIO)
    said, should = (p.skips[0](p.view(real[:])) for p in (discriminator, plain[1]))
    torch.testing.assert_close(said, should)
    assert torch.equal(discriminator.heads[0].bias_E1O, plain[1].heads[0].bias_E1O)
    old = states(model)
    for key in ("discriminator.heads.0.weight_EIO", "discriminator.gain_ED"):
        assert torch.equal(new.state()[key], old[key][:1])
    assert old["generator.output.weight_EIO"].abs().max() > 0
    assert torch.equal(generator.output.weight_EIO, old["generator.output.weight_EIO"][:1])


def test_a_class_that_is_new_begins_as_it_would_without(tmp_path):
    model = source(tmp_path / "m")
    names = ("fair", "strange")
    labels = np.where(LABELS == 2, -1, LABELS)
    new = begun(tmp_path / "m", names, labels=labels)
    old, noise = states(model), model.shape.noise_width
    head = new.game.discriminator.heads[0].weight_EIO
    assert torch.equal(head[..., 0], old["discriminator.heads.0.weight_EIO"][:1, :, 1])
    assert torch.equal(head[..., 1], torch.zeros_like(head[..., 1]))
    first = new.game.generator.body.linears[0].weight_EIO
    there = old["generator.body.linears.0.weight_EIO"][:1]
    assert torch.equal(first[:, : noise + 1], there[:, [*range(noise), noise + 1]])
    assert all(not torch.equal(first[:, noise + 1], there[:, noise + c]) for c in range(3))
    note = Start.read(str(tmp_path / "m"), names).note(new.recipe)
    assert "classes taken over: fair; new classes: strange; classes left behind: bad, good" in note


def test_numbers_name_classes_within_one_numbering(tmp_path):
    source(tmp_path / "m", classes=("0", "1", "2"))
    assert Start.read(str(tmp_path / "m"), ("0", "1")).same == []
    assert Start.read(str(tmp_path / "m"), ("2", "1", "0")).same == [(0, 2), (1, 1), (2, 0)]


def test_players_of_another_shape_are_refused_with_what_to_set(tmp_path):
    source(tmp_path / "m")
    with pytest.raises(InputError) as caught:
        begun(tmp_path / "m", CLASSES, generator__depth=2, discriminator__width=9)
    told = str(caught.value)
    assert "its players have generator.depth 1, discriminator.width 8" in told
    assert told.endswith("set --generator.depth 1 --discriminator.width 8")
    with pytest.raises(InputError, match="embeddings have width 6, these have 5"):
        begun(tmp_path / "m", CLASSES, vectors=VECTORS[:, :5])


def test_an_ablation_takes_away_the_start_and_what_only_new_players_can_lack():
    named = removable(tiny_recipe(training__start_from="runs/other"))
    assert named["players of another run"] == {"training.start_from": ""}
    assert named["linear skip"]["training.start_from"] == ""
    assert "players of another run" not in removable(tiny_recipe())
