import json
import shutil

import numpy as np
import pytest
import torch

from acgan_bert.model import GANModel
from acgan_bert.trainer import TrainingRows, train_gan
from mtl import MultitaskModel, saved
from mtl.calibration import fit_temperature, log_loss, tempered
from mtl.errors import InputError
from mtl.files import CHECKSUMS, sha256, write_json
from mtl.saved import CARD, CONFIG, WEIGHTS
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs(classes=3)


def trained(**changes):
    rows = TrainingRows(VECTORS, LABELS, ("a", "b", "ü"))
    return train_gan(rows, tiny_recipe(training__members=2, **changes))


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_probabilities_are_the_mean_over_members(model):
    probabilities_NC = model.predict_proba(VECTORS)
    assert probabilities_NC.shape == (60, 3)
    assert probabilities_NC.dtype == np.float64
    np.testing.assert_allclose(probabilities_NC.sum(1), 1.0, rtol=1e-12)
    members_ENC = model.member_probabilities(VECTORS)
    np.testing.assert_allclose(members_ENC.mean(0), probabilities_NC)
    assert not np.allclose(members_ENC[0], members_ENC[1], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_rows_are_judged_one_by_one(model, count, monkeypatch):
    whole, fake = model.predict_proba(VECTORS), model.p_fake(VECTORS)
    assert ((fake > 0) & (fake < 1)).all()
    monkeypatch.setattr("acgan_bert.model.BLOCK_ROWS", 3)
    few = VECTORS[:count].astype(np.float64)[:, ::1]
    np.testing.assert_allclose(model.predict_proba(few), whole[:count], rtol=1e-4)
    np.testing.assert_allclose(model.p_fake(few), fake[:count], rtol=1e-4)


def test_prediction_leaves_the_model_as_it_is(model):
    before = {k: v.clone() for k, v in model.discriminator.state_dict().items()}
    first = model.predict_proba(VECTORS)
    np.testing.assert_array_equal(model.predict_proba(VECTORS), first)
    after = model.discriminator.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_samples_are_those_of_the_seed(model):
    labels = np.arange(9) % 3
    fakes_MD = model.sample(labels, seed=4)
    assert fakes_MD.shape == (9, 6)
    assert fakes_MD.dtype == np.float32
    np.testing.assert_array_equal(model.sample(labels, seed=4), fakes_MD)
    assert not np.array_equal(model.sample(labels, seed=5), fakes_MD)
    assert len(np.unique(fakes_MD, axis=0)) == 9


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_any_count_is_shared_out_among_members(model, count):
    assert model.sample(np.zeros(count, dtype=np.int64), seed=0).shape == (count, 6)


def test_sample_depends_on_its_own_label_only(model):
    first, second = np.array([0, 1, 2, 0]), np.array([0, 2, 1, 0])
    ours, others = model.sample(first, seed=0), model.sample(second, seed=0)
    np.testing.assert_array_equal(ours[[0, 3]], others[[0, 3]])
    assert not np.allclose(ours[1:3], others[1:3])


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_members_take_turns_at_the_same_noise(noise):
    model = trained(generator__noise=noise)
    noise_MZ = (torch.rand if noise == "uniform" else torch.randn)(
        4, 4, generator=torch.Generator().manual_seed(3)
    )
    condition_MK = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    fakes_EMD = model.space.restore(
        model.generator(noise_MZ.expand(2, -1, -1), condition_MK.expand(2, -1, -1))
    )
    expected_MD = fakes_EMD[[0, 1, 0, 1], [0, 1, 2, 3]]
    found_MD = torch.from_numpy(model.sample(np.array([0, 1, 2, 0]), seed=3))
    torch.testing.assert_close(found_MD, expected_MD)


def test_samples_lie_in_the_space_of_the_embeddings(model):
    fakes_MD = model.sample(np.arange(300) % 3, seed=0)
    np.testing.assert_allclose(fakes_MD.mean(0), VECTORS.mean(0), atol=1.0)
    assert 0.3 < fakes_MD.std() / VECTORS.std() < 3.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective__name": "reac-gan", "discriminator__spectral_norm": True},
        {"objective__name": "gan-bert", "generator__noise": "uniform", "generator__depth": 2},
        {"discriminator__spectra": [0.0]},
        {"discriminator__linear_skip": False, "generator__linear_skip": False},
    ],
)
def test_saved_model_predicts_and_samples_the_same(changes, tmp_path):
    model = trained(**changes)
    model.save_pretrained(tmp_path / "model")
    loaded = GANModel.from_pretrained(str(tmp_path / "model"))
    assert (loaded.classes, loaded.dimension) == (("a", "b", "ü"), 6)
    labels = np.arange(7) % 3
    np.testing.assert_array_equal(loaded.predict_proba(VECTORS), model.predict_proba(VECTORS))
    np.testing.assert_array_equal(loaded.p_fake(VECTORS), model.p_fake(VECTORS))
    np.testing.assert_array_equal(loaded.sample(labels, seed=1), model.sample(labels, seed=1))


def test_directory_holds_safetensors_and_json_only(folder):
    assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, CHECKSUMS}
    assert json.loads((folder / CONFIG).read_text("utf-8"))["classes"] == ["a", "b", "ü"]


@pytest.mark.parametrize("missing", ["all", CONFIG, WEIGHTS])
def test_directory_that_is_no_model_is_refused(folder, tmp_path, missing):
    if missing != "all":
        (folder / missing).unlink()
    directory = tmp_path / "nothing" if missing == "all" else folder
    with pytest.raises(InputError, match="not a model directory"):
        GANModel.from_pretrained(directory)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, CHECKSUMS])
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_damaged_model_is_refused(folder, name, harm):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content if harm == "flipped" else content[: len(content) // 2])
    with pytest.raises(InputError, match=r"damaged model: .*; restore it or train again"):
        GANModel.from_pretrained(folder)


def test_saving_again_replaces_a_model(folder):
    other = trained(objective__name="moment-matching")
    other.save_pretrained(folder)
    np.testing.assert_array_equal(
        GANModel.from_pretrained(folder).predict_proba(VECTORS), other.predict_proba(VECTORS)
    )


def test_a_model_of_another_format_is_named(model, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GANModel, "FORMAT", 1)
        model.save_pretrained(tmp_path / "old")
    with pytest.raises(InputError, match="old: a model of format 1, this version reads 2; train"):
        GANModel.from_pretrained(tmp_path / "old")


def test_a_model_of_format_2_without_class_and_temperature_is_read(folder, model):
    content = json.loads((folder / CONFIG).read_text("utf-8"))
    assert content.pop("model") == "GANModel"
    assert content.pop("temperature") == 1.0
    assert content.keys() == {"format", "classes", "shape", "space"}
    (folder / CONFIG).write_text(json.dumps(content))
    write_json(folder / CHECKSUMS, {name: sha256(folder / name) for name in (CONFIG, WEIGHTS)})
    loaded = GANModel.from_pretrained(folder)
    assert loaded.temperature == 1.0
    np.testing.assert_array_equal(loaded.predict_proba(VECTORS), model.predict_proba(VECTORS))


def test_the_temperature_is_fitted_to_the_average_and_saved(tmp_path):
    model = trained()
    raw, alone = model.predict_proba(VECTORS), model.member_probabilities(VECTORS)
    labels = np.where(np.arange(60) % 4 == 0, (TRUTH + 1) % 3, TRUTH)  # a quarter is wrong
    labels[:6] = -1
    model.temperature = 5.0  # an older one takes no part
    model.calibrate(VECTORS, labels)
    assert model.temperature == pytest.approx(fit_temperature(np.log(raw), labels))
    assert model.temperature != 1.0
    found = model.predict_proba(VECTORS)
    np.testing.assert_array_equal(found, tempered(raw, model.temperature))
    np.testing.assert_array_equal(found.argmax(1), raw.argmax(1))
    assert log_loss(found[6:], labels[6:]) < log_loss(raw[6:], labels[6:])
    np.testing.assert_array_equal(model.member_probabilities(VECTORS), alone)
    model.save_pretrained(tmp_path / "model")
    loaded = GANModel.from_pretrained(tmp_path / "model")
    assert loaded.temperature == model.temperature
    np.testing.assert_array_equal(loaded.predict_proba(VECTORS), found)


def test_a_model_of_another_class_is_named(folder):
    with pytest.raises(InputError, match="holds a GANModel; load it with GANModel"):
        MultitaskModel.from_pretrained(folder)


def test_pushed_model_is_loaded_by_its_name(model, tmp_path, monkeypatch):
    class Hub:
        def __init__(self, **_):
            pass

        def create_repo(self, *, repo_id, **_):
            return type("Address", (), {"repo_id": repo_id})

        def upload_folder(self, *, folder_path, **_):
            shutil.copytree(folder_path, tmp_path / "hub")
            return "commit"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Hub)
    monkeypatch.setattr(saved, "snapshot_download", lambda *_, **__: str(tmp_path / "hub"))
    assert model.push_to_hub("me/gan") == "commit"
    card = (tmp_path / "hub" / CARD).read_text("utf-8")
    assert "from acgan_bert.model import GANModel" in card
    loaded = GANModel.from_pretrained("me/gan")
    np.testing.assert_array_equal(loaded.predict_proba(VECTORS), model.predict_proba(VECTORS))


@pytest.mark.parametrize("names", [("notes.txt",), (CONFIG, WEIGHTS, "tokenizer.json")])
def test_folder_of_something_else_is_not_overwritten(model, tmp_path, names):
    """Saving removed everything that lay there, such as an encoder's folder."""
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="holds something other than a model"):
        model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="holds something other than a model"):
        model.save_pretrained(tmp_path / names[0])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        names, "mine"
    )


def test_empty_folder_is_filled(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert GANModel.from_pretrained(tmp_path).dimension == 6
