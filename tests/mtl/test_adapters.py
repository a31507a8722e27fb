import copy
import sys
from functools import partial

import pytest
import torch
from torch import nn

from mtl.bert.adapters import (
    add_experts,
    count_trainable,
    encoder_layers,
    set_trainable,
    use_expert,
)
from mtl.bert.encoder import load_encoder
from mtl.bert.toy import toy_encoder, write_toy
from mtl.errors import InputError
from tests.mtl.adapted import BATCH, TASKS, assert_first_task_trains_its_own
from tests.properties import assert_same_bits


@pytest.fixture(params=["bert", "roberta", "distilbert"])
def encoder(request, tmp_path):
    write_toy(tmp_path, architecture=request.param)
    return load_encoder(str(tmp_path))


@pytest.fixture
def experts():
    """A tiny encoder with one expert a task."""
    pytest.importorskip("peft")
    encoder = toy_encoder()
    add_experts(encoder, TASKS, rank=4, alpha=8)
    return encoder


def train(encoder, task):
    """Give one expert weights as training would."""
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if f".lora_B.{task}." in name:
                parameter.normal_()


def encode(encoder, task):
    with use_expert(encoder, task), torch.no_grad():
        return encoder(BATCH)


def test_layers_are_found_in_every_architecture(encoder):
    path, layers = encoder_layers(encoder)
    assert path in ("encoder.layer", "transformer.layer")
    assert len(layers) == encoder.config.num_hidden_layers


def test_an_encoder_without_layers_is_named(encoder):
    encoder.model = nn.Linear(2, 2)
    with pytest.raises(InputError, match=r"is a Linear without layers at encoder\.layer or"):
        encoder_layers(encoder)


def test_fresh_experts_leave_the_encoder_as_it_was(encoder):
    pytest.importorskip("peft")
    with torch.no_grad():
        before_BD = encoder(BATCH)
    add_experts(encoder, TASKS, rank=4, alpha=8, dropout=0.5)
    assert not any(module.training for module in encoder.modules())
    for task in (None, *TASKS):
        assert torch.equal(encode(encoder, task), before_BD)


def test_experts_sit_on_the_three_dense_maps(encoder):
    pytest.importorskip("peft")
    rank, (path, layers) = 4, encoder_layers(encoder)
    width, inner = encoder.dimension, 2 * encoder.dimension
    add_experts(encoder, TASKS, rank=rank, alpha=8)
    numbers = rank * (2 * width + 2 * (width + inner))
    assert count_trainable(encoder) == len(TASKS) * len(layers) * numbers
    holders = {name.split(".lora_")[0] for name, _ in encoder.named_parameters() if "lora_" in name}
    assert len(holders) == 3 * len(layers)
    assert all(name.startswith(f"model.{path}.") for name in holders)


def test_an_expert_adds_alpha_over_rank_times_b_a(experts):
    dense = experts.model.encoder.layer[0].output.dense
    train(experts, "similarity")
    x = torch.randn(3, 32)
    a, b = dense.lora_A["similarity"].weight, dense.lora_B["similarity"].weight
    expected = dense.base_layer(x) + (8 / 4) * x @ a.T @ b.T
    with use_expert(experts, "similarity"):
        torch.testing.assert_close(dense(x), expected)
    assert torch.equal(dense(x), dense.base_layer(x))


def test_a_trained_expert_changes_its_own_task_only(experts):
    before_BD = encode(experts, None)
    train(experts, "sentiment")
    assert not torch.allclose(encode(experts, "sentiment"), before_BD, atol=1e-2)
    assert torch.equal(encode(experts, "similarity"), before_BD)
    assert torch.equal(encode(experts, None), before_BD)


def test_contexts_nest_and_restore(experts):
    train(experts, "sentiment")
    sentiment_BD = encode(experts, "sentiment")
    with torch.no_grad(), use_expert(experts, "sentiment"):
        with use_expert(experts, None), use_expert(experts, "similarity"):
            assert not torch.equal(experts(BATCH), sentiment_BD)
        assert torch.equal(experts(BATCH), sentiment_BD)
        with pytest.raises(RuntimeError), use_expert(experts, "similarity"):
            raise RuntimeError
        assert torch.equal(experts(BATCH), sentiment_BD)


def test_one_task_trains_its_own_expert_and_leaves_the_rest(experts):
    assert_first_task_trains_its_own(experts, experts, partial(use_expert, experts))


@pytest.mark.parametrize("mode", ["frozen", "finetune", "lora"])
def test_switching_keeps_what_is_trainable(experts, mode):
    set_trainable(experts, mode)
    before = [parameter.requires_grad for parameter in experts.parameters()]
    for task in (*TASKS, None):
        with use_expert(experts, task):
            assert [parameter.requires_grad for parameter in experts.parameters()] == before
    assert [parameter.requires_grad for parameter in experts.parameters()] == before


def test_saved_experts_encode_the_same(experts):
    for task in TASKS:
        train(experts, task)
    other = toy_encoder(seed=1)
    add_experts(other, TASKS, rank=4, alpha=8)
    other.load_state_dict(experts.state_dict())
    assert_same_bits(other.state_dict(), experts.state_dict())
    for task in TASKS:
        assert torch.equal(encode(other, task), encode(experts, task))


def test_a_deep_copy_has_experts_of_its_own(experts):
    before_BD = encode(experts, "sentiment")
    other = copy.deepcopy(experts)
    train(other, "sentiment")
    assert torch.equal(encode(experts, "sentiment"), before_BD)
    assert not torch.allclose(encode(other, "sentiment"), before_BD, atol=1e-2)


def test_modules_are_free_and_absent_ones_are_named(experts):
    encoder = toy_encoder()
    with pytest.raises(InputError, match=r"no linear map query; it has attention\.self\.query, "):
        add_experts(encoder, TASKS, modules=["query"])
    add_experts(encoder, ["shared"], rank=2, modules=["attention.self.query"])
    assert count_trainable(encoder) == 2 * 2 * (16 + 16)


def test_what_cannot_work_is_refused(experts):
    with pytest.raises(InputError, match="no expert for 'topic'; there are sentiment, similarity"):
        encode(experts, "topic")
    with pytest.raises(InputError, match="has no low-rank experts"):
        encode(toy_encoder(), "sentiment")
    for values in ({"rank": 0}, {"alpha": 0}, {"dropout": 1.0}):
        with pytest.raises(InputError, match=r"^encoder\.lora_rank .* rank >= 1"):
            add_experts(toy_encoder(), TASKS, **values)


def test_a_missing_peft_is_named(encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"needs peft.*pip install peft"):
        add_experts(encoder, TASKS)


def test_modes_train_what_they_say(encoder):
    _, layers = encoder_layers(encoder)
    everything = sum(parameter.numel() for parameter in encoder.parameters())
    one_layer = sum(parameter.numel() for parameter in layers[0].parameters())
    expected = {"frozen": 0, "finetune": everything, "last": one_layer}
    for mode, count in expected.items():
        set_trainable(encoder, mode)
        assert count_trainable(encoder) == count
    set_trainable(encoder, "last", last_layers=2)
    assert count_trainable(encoder, encoder.model) == 2 * one_layer
    assert not any(parameter.requires_grad for parameter in encoder.model.embeddings.parameters())


def test_last_layers_train_the_pooler_above_them(encoder_folder):
    encoder = load_encoder(str(encoder_folder), pooling="pooler")
    set_trainable(encoder, "last")
    encoder(BATCH).sum().backward()
    reached = {name for name, value in encoder.named_parameters() if value.grad is not None}
    assert {name.split(".")[1] for name in reached} == {"pooler", "encoder"}
    assert all("encoder.layer.1." in name for name in reached if "pooler" not in name)


@pytest.mark.parametrize(
    ("mode", "last_layers", "message"),
    [
        ("all", 1, r"encoder\.mode: 'all' is unknown; use frozen, finetune, last, lora"),
        ("last", 0, "has 2 layers"),
        ("last", 3, "has 2 layers"),
        ("lora", 1, "lora needs low-rank experts"),
    ],
)
def test_modes_that_cannot_be(encoder, mode, last_layers, message):
    flags = [parameter.requires_grad for parameter in encoder.parameters()]
    with pytest.raises(InputError, match=message):
        set_trainable(encoder, mode, last_layers=last_layers)
    assert [parameter.requires_grad for parameter in encoder.parameters()] == flags
