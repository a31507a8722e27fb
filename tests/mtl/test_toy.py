import pytest
import torch
from safetensors.torch import load_file

from mtl.bert.encoder import load_encoder
from mtl.bert.toy import toy_encoder, write_toy


def test_same_seed_gives_the_same_encoder_and_another_seed_another():
    assert toy_encoder(seed=3).fingerprint() == toy_encoder(seed=3).fingerprint()
    assert toy_encoder(seed=3).fingerprint() != toy_encoder(seed=4).fingerprint()


def test_global_random_state_is_left_alone(tmp_path):
    before = torch.get_rng_state()
    write_toy(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_sizes_are_those_asked_for(tmp_path):
    encoder = toy_encoder(tmp_path, dimension=24, layers=3)
    assert encoder.dimension == 24
    assert len(encoder.model.encoder.layer) == 3


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_folder_loads_with_the_weights_that_were_written(tmp_path, architecture):
    write_toy(tmp_path, architecture=architecture)
    loaded = load_encoder(str(tmp_path)).model.state_dict()
    written = load_file(tmp_path / "model.safetensors")
    assert loaded.keys() == {key for key in written if "pooler" not in key}
    assert all(torch.equal(loaded[key], written[key]) for key in loaded)


def test_words_are_tokens_and_others_are_spelled(encoder):
    tokens = encoder.tokenizer.tokenize("A truly boring film, zq 7!")
    assert tokens == ["a", "truly", "boring", "film", ",", "z", "##q", "7", "!"]


def test_writing_and_loading_print_nothing(tmp_path, capfd):
    toy_encoder(tmp_path)
    assert capfd.readouterr() == ("", "")
