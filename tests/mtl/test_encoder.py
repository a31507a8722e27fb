import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtl.bert.encoder import first_pool, load_encoder, mean_pool
from mtl.bert.toy import MAX_TOKENS, toy_encoder, write_toy
from mtl.errors import InputError
from mtl.text.collate import TokenBatch, token_batches

TEXTS = ("good", "a truly boring film , but never dull", "", "she was happy")


def batch_of(encoder, texts=TEXTS, pairs=None):
    batches = token_batches(
        texts, pairs, encoder.tokenizer, max_length=encoder.max_length, token_budget=10_000
    )
    (batch,) = batches
    return batch


def states_alone(encoder, text):
    """Hidden states of one text without padding: the oracle of every pooling."""
    ids_1L = torch.tensor([encoder.tokenizer(text)["input_ids"]])
    with torch.inference_mode():
        return encoder.model(input_ids=ids_1L, attention_mask=torch.ones_like(ids_1L))


def rows_in_order(batch, h_BD):
    return h_BD[torch.as_tensor(batch.rows).argsort()]


def test_mean_pool_by_hand():
    h_BLD = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [99.0, 99.0]], [[5.0, 5.0], [7.0, 1.0], [0, 0]]])
    mask_BL = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert torch.allclose(mean_pool(h_BLD, mask_BL), torch.tensor([[2.0, 4.0], [4.0, 2.0]]))


def test_first_pool_by_hand_with_padding_on_either_side():
    h_BLD = torch.arange(12.0).reshape(2, 3, 2)
    mask_BL = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert first_pool(h_BLD, mask_BL).tolist() == [[0.0, 1.0], [8.0, 9.0]]


def test_pool_of_nothing_is_finite():
    assert mean_pool(torch.ones(1, 2, 3), torch.zeros(1, 2)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("architecture", "pooling"),
    [(a, p) for a in ("bert", "roberta", "distilbert") for p in ("cls", "mean", "pooler")][:-1],
)
def test_padding_never_reaches_a_vector(tmp_path, architecture, pooling):
    """RoBERTa's padding id is 1 and its first token's is 0: `id > 0` is no mask."""
    write_toy(tmp_path, architecture=architecture)
    encoder = load_encoder(str(tmp_path), pooling=pooling)
    batch = batch_of(encoder)
    assert (batch.attention_mask_BL == 0).any()
    with torch.inference_mode():
        h_BD = rows_in_order(batch, encoder(batch))
    for row, text in enumerate(TEXTS):
        alone = states_alone(encoder, text)
        expected = {
            "cls": lambda output: output.last_hidden_state[0, 0],
            "mean": lambda output: output.last_hidden_state[0].mean(dim=0),
            "pooler": lambda output: output.pooler_output[0],
        }[pooling](alone)
        torch.testing.assert_close(h_BD[row], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_blocks_of_like_length_change_no_vector_and_no_gradient(
    encoder_folder, pooling, monkeypatch
):
    encoder = load_encoder(str(encoder_folder), pooling=pooling)
    texts = ["good film " * count for count in (1, 9, 2, 1, 8, 1, 2, 7)] * 8
    batch, encoded, blocks = batch_of(encoder, texts), encoder._encoded, []

    def counted(*arguments):
        blocks.append(arguments)
        return encoded(*arguments)

    def passed(forward):
        encoder.zero_grad()
        vectors_BD = forward()
        weight_B1 = torch.arange(len(texts)).unsqueeze(1) / len(texts)
        (vectors_BD * weight_B1).square().sum().backward()
        return vectors_BD.detach(), [p.grad for p in encoder.parameters() if p.grad is not None]

    expected = passed(lambda: encoded(batch, None))
    monkeypatch.setattr(encoder, "_encoded", counted)
    torch.testing.assert_close(passed(lambda: encoder(batch)), expected, rtol=1e-3, atol=1e-4)
    assert len(blocks) == 4
    vectors_BD = encoder(batch, encoder.embed(batch))  # given embeddings are not cut
    torch.testing.assert_close(vectors_BD.detach(), expected[0], rtol=1e-4, atol=1e-5)
    assert len(blocks) == 5


def test_token_types_of_a_pair_reach_the_model(encoder):
    batch = batch_of(encoder, ("good film",), ("bad film",))
    assert batch.token_type_ids_BL.sum() == 3  # bad, film, [SEP]
    zeros = batch._replace(token_type_ids_BL=torch.zeros_like(batch.token_type_ids_BL))
    with torch.inference_mode():
        assert not torch.allclose(encoder(batch), encoder(zeros), atol=1e-3)


def test_token_types_are_kept_from_a_model_that_knows_none(tmp_path):
    write_toy(tmp_path, architecture="distilbert")
    encoder = load_encoder(str(tmp_path))
    ids_BL = torch.tensor([[2, 50, 3]])
    with_types = TokenBatch(ids_BL, torch.ones_like(ids_BL), torch.ones_like(ids_BL), [0])
    without = with_types._replace(token_type_ids_BL=None)
    with torch.inference_mode():
        assert torch.equal(encoder(with_types), encoder(without))


def test_gradient_reaches_every_parameter(encoder):
    encoder(batch_of(encoder)).sum().backward()
    without = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert without == []


def test_half_precision_checkpoint_loads_as_float32(encoder_folder, tmp_path):
    shutil.copytree(encoder_folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.safetensors"
    halves = {key: tensor.bfloat16() for key, tensor in load_file(path).items()}
    save_file(halves, path, metadata={"format": "pt"})
    assert {p.dtype for p in load_encoder(str(tmp_path)).parameters()} == {torch.float32}


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_max_length_is_clipped_to_the_positions(tmp_path, architecture):
    write_toy(tmp_path, architecture=architecture)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"model_max_length": 10**30}))
    encoder = load_encoder(str(tmp_path), max_length=512)
    assert encoder.max_length == MAX_TOKENS
    batch = batch_of(encoder, ("film " * 10_000,))
    assert batch.input_ids_BL.shape == (1, MAX_TOKENS)
    assert encoder(batch).isfinite().all()


def test_fingerprint_follows_what_decides_a_vector(encoder_folder, tmp_path):
    base = load_encoder(str(encoder_folder)).fingerprint()
    shutil.copytree(encoder_folder, tmp_path / "copy")
    same = load_encoder(str(tmp_path / "copy"))
    assert same.fingerprint() == base
    batch_of(same)
    assert same.fingerprint() == base, "a call of the tokenizer changed it"
    assert load_encoder(str(encoder_folder), pooling="cls").fingerprint() != base
    assert load_encoder(str(encoder_folder), max_length=32).fingerprint() != base
    with torch.no_grad():
        next(same.parameters())[0, 0] += 1e-6
    assert same.fingerprint() != base


def test_fingerprint_follows_the_tokenizer(encoder_folder, tmp_path):
    shutil.copytree(encoder_folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace('"lowercase": true', '"lowercase": false'))
    changed = load_encoder(str(tmp_path)).fingerprint()
    assert changed != load_encoder(str(encoder_folder)).fingerprint()


def without_pooler(folder):
    path = folder / "model.safetensors"
    kept = {key: tensor for key, tensor in load_file(path).items() if "pooler" not in key}
    save_file(kept, path, metadata={"format": "pt"})


def test_checkpoint_without_pooler_weights_has_a_stable_fingerprint(encoder_folder, tmp_path):
    """BERT would fill the absent pooler at random, and no cache would ever be found again."""
    shutil.copytree(encoder_folder, tmp_path, dirs_exist_ok=True)
    without_pooler(tmp_path)
    first, second = load_encoder(str(tmp_path)), load_encoder(str(tmp_path))
    assert first.fingerprint() == second.fingerprint()


def test_untrained_or_absent_pooler_is_refused(encoder_folder, tmp_path):
    shutil.copytree(encoder_folder, tmp_path / "bert")
    without_pooler(tmp_path / "bert")
    write_toy(tmp_path / "distilbert", architecture="distilbert")
    for folder in (tmp_path / "bert", tmp_path / "distilbert"):
        with pytest.raises(InputError, match=r"no trained pooler; use .* mean or cls"):
            load_encoder(str(folder), pooling="pooler")


def test_settings_out_of_range(encoder_folder):
    with pytest.raises(InputError, match=r"encoder\.pooling: 'max'"):
        load_encoder(str(encoder_folder), pooling="max")
    with pytest.raises(InputError, match=r"encoder\.max_length: 2"):
        load_encoder(str(encoder_folder), max_length=2)


@pytest.mark.encoder
def test_offline_encoder_knows_what_is_similar(capfd):
    encoder = load_encoder("offline")
    assert (encoder.dimension, encoder.max_length) == (384, 256)
    texts = ("A man plays the guitar.", "Someone plays an instrument.", "Shares fell on Monday.")
    batch = batch_of(encoder, texts)
    with torch.inference_mode():
        h_BD = torch.nn.functional.normalize(rows_in_order(batch, encoder(batch)))
    assert h_BD[0] @ h_BD[1] > 0.5 > 0.2 > h_BD[0] @ h_BD[2]
    assert capfd.readouterr() == ("", "")


def test_toy_without_pooler_is_an_encoder_like_any_other():
    encoder = toy_encoder(pooler=False)
    assert not hasattr(encoder.model, "pooler")
    assert encoder(batch_of(encoder)).shape == (len(TEXTS), 16)
