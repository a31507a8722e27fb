import copy

import pytest
import torch

from mtl.bert.encoder import load_encoder
from mtl.bert.pals import PALs, ProjectedAttention, add_pals, pal_size
from mtl.bert.toy import toy_encoder, write_toy
from mtl.errors import InputError
from mtl.text.collate import TokenBatch
from tests.mtl.adapted import BATCH, TASKS, assert_first_task_trains_its_own
from tests.properties import assert_same_bits, snapshot


def train(pals):
    """Give every PAL weights as training would."""
    with torch.no_grad():
        for parameter in pals.parameters():
            parameter.normal_(std=0.3)


def encode(encoder, pals, task, batch=BATCH):
    with pals.use(task), torch.no_grad():
        return encoder(batch)


@pytest.fixture(params=["bert", "roberta"])
def encoder(request, tmp_path):
    write_toy(tmp_path, architecture=request.param)
    return load_encoder(str(tmp_path))


def test_fresh_pals_leave_the_encoder_as_it_was(encoder):
    with torch.no_grad():
        before_BD, state = encoder(BATCH), snapshot(encoder)
    pals = add_pals(encoder, TASKS)
    for task in (None, *TASKS):
        assert torch.equal(encode(encoder, pals, task), before_BD)
    assert_same_bits(encoder.state_dict(), state)
    assert not pals.training


def test_trained_pals_change_their_own_task_only(encoder):
    with torch.no_grad():
        before_BD = encoder(BATCH)
    pals = add_pals(encoder, TASKS)
    train(pals.tasks["sentiment"])
    assert not torch.allclose(encode(encoder, pals, "sentiment"), before_BD, atol=1e-2)
    assert torch.equal(encode(encoder, pals, "similarity"), before_BD)
    assert torch.equal(encode(encoder, pals, None), before_BD)
    assert pals.active is None


def layer_by_hand(layer, pal, index, h_BLD, heads):
    """LN(a + FFN(a) + V_D MH(V_E h)), written out with one softmax a head."""
    a_BLD = layer.attention(h_BLD)[0]
    narrow_BLS = pal.encode(h_BLD)
    mixed = []
    weights = pal.attention[index].weight.chunk(3), pal.attention[index].bias.chunk(3)
    q, k, v = (narrow_BLS @ w.T + b for w, b in zip(*weights, strict=True))
    for q_h, k_h, v_h in zip(*(t.chunk(heads, dim=-1) for t in (q, k, v)), strict=True):
        share_BLL = (q_h @ k_h.transpose(1, 2) / q_h.shape[-1] ** 0.5).softmax(dim=-1)
        mixed.append(share_BLL @ v_h)
    extra_BLD = pal.decode(torch.cat(mixed, dim=-1))
    ffn_BLD = layer.output.dense(layer.intermediate(a_BLD))
    return layer.output.LayerNorm(a_BLD + ffn_BLD + extra_BLD)


def test_a_layer_is_the_equation_of_the_paper(encoder):
    layers = encoder.model.encoder.layer
    h_BLD = torch.randn(3, 5, encoder.dimension)
    pals = add_pals(encoder, TASKS, size=6)
    train(pals)
    with torch.no_grad():
        expected = layer_by_hand(layers[1], pals.tasks["similarity"], 1, h_BLD, heads=2)
        with pals.use("similarity"):
            torch.testing.assert_close(layers[1](h_BLD), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_padding_never_reaches_a_vector(encoder, attention):
    encoder.model.set_attn_implementation(attention)
    pals = add_pals(encoder, TASKS)
    train(pals)
    together_BD = encode(encoder, pals, "similarity")
    for row, length in enumerate(BATCH.attention_mask_BL.sum(dim=1)):
        alone = TokenBatch(*(t[row : row + 1, :length] for t in BATCH[:2]), None, [0])
        alone_D = encode(encoder, pals, "similarity", alone)[0]
        torch.testing.assert_close(together_BD[row], alone_D, atol=1e-5, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_half_precision_is_near(encoder, attention):
    encoder.model.set_attn_implementation(attention)
    pals = add_pals(encoder, TASKS)
    train(pals)
    exact_BD = encode(encoder, pals, "sentiment")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(encode(encoder, pals, "sentiment"), exact_BD, atol=0.2, rtol=0)


def test_one_task_trains_its_own_pals_and_leaves_the_others(encoder):
    pals = add_pals(encoder, TASKS)
    assert_first_task_trains_its_own(encoder, pals, pals.use)


def test_matrices_are_shared_by_layers_and_not_by_tasks():
    dimension, size, layers = 16, 4, 5
    pals = add_pals(toy_encoder(dimension=dimension, layers=layers), TASKS)
    shared = 2 * dimension * size + dimension + size
    per_layer = 3 * size * (size + 1)
    count = sum(parameter.numel() for parameter in pals.parameters())
    assert count == len(TASKS) * (shared + layers * per_layer)


def test_saved_pals_encode_the_same():
    encoder, other = toy_encoder(), toy_encoder()
    pals, loaded = add_pals(encoder, TASKS), add_pals(other, TASKS)
    train(pals)
    loaded.load_state_dict(pals.state_dict())
    for task in TASKS:
        assert torch.equal(encode(encoder, pals, task), encode(other, loaded, task))


def test_a_deep_copy_uses_its_own_pals(encoder):
    pals = add_pals(encoder, TASKS)
    train(pals)
    before_BD = encode(encoder, pals, "sentiment")
    encoder_copy, pals_copy = copy.deepcopy((encoder, pals))
    train(pals_copy)
    assert torch.equal(encode(encoder, pals, "sentiment"), before_BD)
    assert not torch.allclose(encode(encoder_copy, pals_copy, "sentiment"), before_BD, atol=1e-2)


def test_dropout_acts_in_training_only():
    pal = ProjectedAttention(8, 4, heads=2, layers=1, dropout=0.5)
    train(pal)
    h_BLD = torch.randn(2, 6, 8)
    assert not torch.equal(pal(h_BLD, None, 0), pal(h_BLD, None, 0))
    pal.eval()
    assert torch.equal(pal(h_BLD, None, 0), pal(h_BLD, None, 0))


def test_a_task_without_pals_is_named(encoder):
    pals = add_pals(encoder, TASKS)
    with pytest.raises(InputError, match="no PALs for 'topic'; there are sentiment, similarity"):
        encode(encoder, pals, "topic")


def test_what_is_no_bert_layer_is_refused(tmp_path):
    write_toy(tmp_path, architecture="distilbert")
    with pytest.raises(InputError, match="TransformerBlock; use experts"):
        add_pals(load_encoder(str(tmp_path)), TASKS)


def test_what_cannot_work_is_refused(encoder):
    with pytest.raises(InputError, match=r"sharing\.pal_size: 5 is no multiple of the encoder's 2"):
        add_pals(encoder, TASKS, size=5)
    for tasks in ((), ("a", "a"), ("a.b",), ("type",)):
        with pytest.raises(InputError, match="without dots"):
            add_pals(encoder, tasks)
    pals = add_pals(encoder, TASKS)
    encoder.model.encoder.layer[0].gradient_checkpointing = True
    encoder.train()
    with pytest.raises(InputError, match="gradient checkpointing"):
        encode(encoder, pals, "sentiment")
    encoder.config.chunk_size_feed_forward = 2
    with pytest.raises(InputError, match="chunk_size_feed_forward 0"):
        add_pals(encoder, TASKS)


def test_pal_sizes():
    assert isinstance(add_pals(toy_encoder(), ["a"]), PALs)
    assert pal_size(768, 12) == 204
    assert pal_size(384, 12) == 96
    assert pal_size(1024, 16) == 272
    assert pal_size(16, 4) == 4
