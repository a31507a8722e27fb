import json
import shutil
import sys

import numpy as np
import pytest
import torch

from mtl import MultitaskModel, saved
from mtl.bert.encoder import load_encoder
from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings
from mtl.bert.toy import toy_encoder, write_toy
from mtl.errors import InputError
from mtl.files import CHECKSUMS, sha256, write_json
from mtl.saved import CARD, CONFIG, WEIGHTS
from mtl.text.tasks import Task
from tests.properties import assert_same_bits

MOOD = Task(name="mood", arity=1, output="classes", classes=("bad", "so", "göod"))
SAME = Task(name="same", arity=2, output="classes", classes=("no", "yes"))
NEAR = Task(name="near", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0)
TASKS = {task.name: task for task in (MOOD, SAME, NEAR)}
HEADS = {
    "mood": HeadSettings(depth=1, width=8, activation="leaky-relu", hidden_dropout=0.1),
    "same": HeadSettings(kind="binary", pair="cross"),
    "near": HeadSettings(kind="cosine-affine", depth=1, width=8),
}
OTHER_HEADS = {
    "mood": HeadSettings(),
    "same": HeadSettings(pair="triplet", activation="gelu"),
    "near": HeadSettings(kind="sigmoid", pair="product"),
}
TEXTS = ["a good film", "", "not so good", "the plot was bad and the worst of it never ends"]
OTHERS = ["a great movie", "sad", "", "dull"]
SETTINGS = {
    "finetune": {},
    "last": {"train": "last", "last_layers": 2, "shared_depth": 2, "shared_width": 12},
    "frozen": {"train": "frozen", "shared_depth": 1, "activation": "gelu"},
    "lora": {"train": "lora", "rank": 2, "lora_modules": ("attention.self.query", "output.dense")},
    "experts": {"train": "lora", "adapter": "experts", "rank": 3, "alpha": 6},
    "pals": {"adapter": "pals", "pal_size": 6},
}


def build(heads=HEADS, encoder=None, **settings):
    """Return a model of which no weight, adapters included, is what it was made with."""
    model = MultitaskModel(encoder or toy_encoder(), TASKS, heads, ModelSettings(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model


def predictions(model):
    return {
        name: model.predict_texts(name, TEXTS, OTHERS if task.arity == 2 else None)
        for name, task in TASKS.items()
    }


def assert_same_model(found, expected):
    assert (found.tasks, found.head_settings) == (expected.tasks, expected.head_settings)
    assert found.settings == expected.settings
    assert_same_bits(found.state_dict(), expected.state_dict())
    trained = [
        {name for name, p in m.named_parameters() if p.requires_grad} for m in (found, expected)
    ]
    assert trained[0] == trained[1]
    assert found.encoder.fingerprint() == expected.encoder.fingerprint()
    assert not any(module.training for module in found.modules())
    values = predictions(found)
    for name, value in predictions(expected).items():
        np.testing.assert_array_equal(values[name], value)


def rewrite(folder, **changes):
    """Change ``config.json`` so that the checksums are right, as another version would write it."""
    content = json.loads((folder / CONFIG).read_text("utf-8"))
    write_json(folder / CONFIG, content | changes)
    sums = json.loads((folder / CHECKSUMS).read_text("utf-8"))
    write_json(folder / CHECKSUMS, sums | {CONFIG: sha256(folder / CONFIG)})


@pytest.fixture
def folder(tmp_path):
    """A saved model, with only what is in its own folder left of it."""
    build().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("heads", [HEADS, OTHER_HEADS], ids=["cross-cosine", "triplet-sigmoid"])
@pytest.mark.parametrize("name", SETTINGS)
def test_saved_model_predicts_the_same_bits(name, heads, tmp_path):
    model = build(heads, **SETTINGS[name])
    model.save_pretrained(tmp_path / "model")
    assert_same_model(MultitaskModel.from_pretrained(tmp_path / "model"), model)


@pytest.mark.parametrize(
    ("architecture", "pooling"),
    [("bert", "cls"), ("bert", "pooler"), ("roberta", "pooler"), ("distilbert", "cls")],
)
def test_every_encoder_is_rebuilt_without_its_folder(architecture, pooling, tmp_path):
    write_toy(tmp_path / "encoder", architecture=architecture)
    encoder = load_encoder(str(tmp_path / "encoder"), pooling=pooling, max_length=9)
    model = build(encoder=encoder, train="lora", rank=2)
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "encoder")
    loaded = MultitaskModel.from_pretrained(tmp_path / "model")
    assert_same_model(loaded, model)
    assert (loaded.encoder.pooling, loaded.encoder.max_length) == (pooling, 9)
    assert loaded.encoder.name == "encoder"
    assert str(tmp_path) not in (tmp_path / "model" / CONFIG).read_text("utf-8")


def test_loading_draws_nothing_from_the_global_stream(folder):
    before = torch.random.get_rng_state()
    MultitaskModel.from_pretrained(folder)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_directory_holds_safetensors_and_json_only(folder):
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    listed = json.loads((folder / CHECKSUMS).read_text("utf-8"))
    assert (folder / WEIGHTS).stat().st_mode & 0o777 == 0o644
    assert listed.keys() | {CHECKSUMS} == {path.name for path in folder.iterdir()}


def test_saving_again_replaces_a_model_and_nothing_else(folder, tmp_path):
    other = build(train="frozen")
    other.save_pretrained(folder)
    assert_same_model(MultitaskModel.from_pretrained(folder), other)
    write_toy(tmp_path / "encoder")
    with pytest.raises(InputError, match="encoder: holds something other than a model"):
        other.save_pretrained(tmp_path / "encoder")
    assert load_encoder(str(tmp_path / "encoder")).dimension == 16


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, CHECKSUMS, "tokenizer.json"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_damaged_or_incomplete_model_is_refused(folder, name, harm):
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if harm == "cut":
        (folder / name).write_bytes(content[: len(content) // 2])
    absent = harm == "gone" and name in (CONFIG, WEIGHTS)
    with pytest.raises(InputError, match="not a model directory" if absent else "damaged model: "):
        MultitaskModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "a model of format 2, this version reads 1; install a newer version"),
        ({"format": 0}, "a model of format 0, this version reads 1; train it again"),
        ({"model": "GANModel"}, r"holds a GANModel; load it with GANModel\.from_pretrained"),
        ({"heads": {}}, r"do not fit together \(KeyError: 'mood'\); restore it"),
        ({"encoder": {"config": {"model_type": "mould"}}}, r"do not fit together \(.*mould"),
    ],
)
def test_configuration_of_something_else_is_refused(folder, changes, said):
    rewrite(folder, **changes)
    with pytest.raises(InputError, match=said) as raised:
        MultitaskModel.from_pretrained(folder)
    assert "\n" not in str(raised.value)


def test_another_architecture_is_refused(folder):
    encoder = json.loads((folder / CONFIG).read_text("utf-8"))["encoder"]
    encoder["config"]["num_hidden_layers"] = 3
    rewrite(folder, encoder=encoder)
    with pytest.raises(InputError, match=r"do not fit together \(.*encoder\.layer\.2") as raised:
        MultitaskModel.from_pretrained(folder)
    assert "\n" not in str(raised.value)


def test_no_code_is_fetched_or_run(folder):
    """Two keys by which a configuration could name code: its own classes, and attention kernels."""
    encoder = json.loads((folder / CONFIG).read_text("utf-8"))["encoder"]
    before = predictions(MultitaskModel.from_pretrained(folder))
    encoder["config"]["attn_implementation"] = "nobody/kernel"
    rewrite(folder, encoder=encoder)
    after = predictions(MultitaskModel.from_pretrained(folder))
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    encoder["config"]["auto_map"] = {"AutoModel": "nobody/code--modeling.Model"}
    rewrite(folder, encoder=encoder)
    MultitaskModel.from_pretrained(folder)
    assert not any("transformers_modules" in name for name in sys.modules)


class Hub:
    """A hub of one folder, in place of huggingface_hub's client and download."""

    def __init__(self, folder):
        self.folder, self.created, self.asked = folder, [], []

    def __call__(self, **_):
        return self

    def create_repo(self, *, repo_id, private, exist_ok):
        self.created.append((repo_id, private, exist_ok))
        return type("Address", (), {"repo_id": repo_id})

    def upload_folder(self, *, repo_id, folder_path, **_):
        shutil.copytree(folder_path, self.folder)
        return f"hub/{repo_id}/commit/1"

    def download(self, name, *, allow_patterns, **options):
        self.asked.append((name, tuple(allow_patterns), options))
        return str(self.folder)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", hub)
    monkeypatch.setattr(saved, "snapshot_download", hub.download)
    return hub


def test_pushed_model_is_loaded_by_its_name(hub):
    model = build(adapter="pals")
    assert model.push_to_hub("me/model", private=True) == "hub/me/model/commit/1"
    assert hub.created == [("me/model", True, True)]
    card = (hub.folder / CARD).read_text("utf-8")
    assert "library_name: acgan-bert" in card
    assert 'MultitaskModel.from_pretrained("me/model")' in card
    (hub.folder / CARD).write_text("cards are edited")
    assert_same_model(MultitaskModel.from_pretrained("me/model", revision="main"), model)
    files = {path.name for path in hub.folder.iterdir()} - {CARD}
    assert [set(asked) for _, asked, _ in hub.asked] == [{CHECKSUMS}, files]
    assert all(options == {"revision": "main"} for _, _, options in hub.asked)


def test_a_hub_that_refuses_is_named(hub, monkeypatch):
    def refuse(**_):
        raise OSError("401\nUnauthorized")

    monkeypatch.setattr(hub, "create_repo", refuse)
    with pytest.raises(InputError, match=r"me/model: cannot be pushed .*401 Unauthorized.*log in"):
        build().push_to_hub("me/model")
    with pytest.raises(InputError, match="cannot be pushed"):
        build().push_to_hub("no/such/name")


@pytest.mark.parametrize("name", ["nobody/nothing", "runs/nothing"])
def test_a_name_that_is_nowhere_is_refused(name):
    with pytest.raises(InputError, match="neither a model directory nor such a model on the hub"):
        MultitaskModel.from_pretrained(name)


def test_a_path_is_never_looked_for_on_the_hub(hub, tmp_path):
    for name in (tmp_path / "x", "runs/x/model", "./x/model", "~/x", "model"):
        with pytest.raises(InputError, match="not a model directory"):
            MultitaskModel.from_pretrained(name)
    assert not hub.asked
