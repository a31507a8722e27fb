from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from mtl.bert.heads import (
    CosineHead,
    HeadSettings,
    MLPHead,
    SharedBlock,
    SigmoidHead,
    build_head,
    pair_features,
    predictions,
)
from mtl.errors import InputError
from mtl.text.tasks import Task
from tests.properties import assert_gradient_reaches_every_parameter

D = 8
SENTIMENT = Task(name="sentiment", arity=1, output="classes", classes=tuple("abcde"))
PARAPHRASE = Task(name="paraphrase", arity=2, output="classes", classes=("no", "yes"))
SIMILARITY = Task(
    name="similarity", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0
)
TASKS = {task.name: task for task in (SENTIMENT, PARAPHRASE, SIMILARITY)}
VECTORS = {"cross": 1, "concat": 2, "difference": 2, "product": 2, "triplet": 3}
FITTING = [
    ("sentiment", "mlp", "concat"),
    *[("paraphrase", kind, pair) for kind in ("mlp", "binary") for pair in VECTORS],
    *[("similarity", kind, pair) for kind in ("mlp", "sigmoid") for pair in VECTORS],
    ("similarity", "cosine-relu", "concat"),
    ("similarity", "cosine-affine", "concat"),
]


def vectors_for(task, pair, batch):
    return torch.randn(VECTORS[pair] if task.arity == 2 else 1, batch, D).unbind()


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize(("name", "kind", "pair"), FITTING)
def test_every_head_has_its_shape_and_trains(name, kind, pair, depth):
    task = TASKS[name]
    settings = HeadSettings(kind=kind, pair=pair, depth=depth, width=32, activation="gelu")
    head = build_head(task, settings, D)
    for batch in (1, 16):
        output = head(*vectors_for(task, pair, batch))
        assert output.shape == ((batch, task.num_classes) if task.output == "classes" else (batch,))
    vectors = [vector.requires_grad_() for vector in vectors_for(task, pair, 16)]
    head(*vectors).square().sum().backward()
    assert all(vector.grad.any() for vector in vectors)
    assert_gradient_reaches_every_parameter(head)
    assert sum(isinstance(module, nn.Linear) for module in head.modules()) == (
        depth if kind.startswith("cosine") else depth + 1
    )


@pytest.mark.parametrize(("name", "kind", "pair"), FITTING)
def test_saved_heads_predict_the_same(name, kind, pair):
    task, settings = TASKS[name], HeadSettings(kind=kind, pair=pair, depth=1, width=4)
    head, other = (build_head(task, settings, D).eval() for _ in range(2))
    other.load_state_dict(head.state_dict())
    vectors = vectors_for(task, pair, 3)
    assert torch.equal(head(*vectors), other(*vectors))


def test_pair_features_by_hand():
    u, v, joint = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 1.0]]), torch.tensor([[7.0, 8]])
    assert pair_features("cross", joint).tolist() == [[7, 8]]
    assert pair_features("concat", u, v).tolist() == [[1, -2, 3, 1]]
    assert pair_features("difference", u, v).tolist() == [[1, -2, 3, 1, 2, 3]]
    assert pair_features("product", u, v).tolist() == [[1, -2, 3, 1, 2, 3, 3, -2]]
    assert pair_features("triplet", u, v, joint).tolist() == [[1, -2, 3, 1, 7, 8]]


@pytest.mark.parametrize("pair", VECTORS)
def test_pair_features_take_exactly_their_vectors(pair):
    with pytest.raises(ValueError, match="unpack"):
        pair_features(pair, *torch.zeros(4, 1, D))


@pytest.mark.parametrize("affine", [False, True])
def test_cosine_head_on_known_angles(affine):
    u = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    v = torch.tensor([[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [1.0, 0.0]])
    score = CosineHead(nn.Identity(), low=0.0, high=5.0, affine=affine)(u, v)
    torch.testing.assert_close(
        score, torch.tensor([5.0, 2.5, 0, 2.5] if affine else [5.0, 0, 0, 0])
    )
    shifted = CosineHead(nn.Identity(), low=1.0, high=3.0, affine=affine)(u, v)
    torch.testing.assert_close(shifted, 1 + score * 2 / 5)


def test_sigmoid_head_stays_within_its_range():
    head = SigmoidHead(nn.Identity(), low=1.0, high=3.0)
    score_B = head(torch.tensor([[-1e4], [0.0], [1e4]]))
    torch.testing.assert_close(score_B, torch.tensor([1.0, 2.0, 3.0]))


def test_cross_entropy_of_a_binary_head_is_binary_cross_entropy():
    head = build_head(PARAPHRASE, HeadSettings(kind="binary", dropout=0.0), D)
    logits_B2, labels_B = head(*torch.randn(2, 6, D)), torch.tensor([0, 1, 1, 0, 1, 0])
    expected = binary_cross_entropy_with_logits(logits_B2[:, 1], labels_B.float())
    torch.testing.assert_close(cross_entropy(logits_B2, labels_B), expected)


def test_mlp_head_has_the_layers_of_the_papers():
    linear = MLPHead(4, 2, dropout=0.3)
    assert [type(layer) for layer in linear] == [nn.Dropout, nn.Linear]
    head = MLPHead(4, 1, depth=1, width=6, activation="leaky-relu", dropout=0.5, hidden_dropout=0.3)
    kinds = [nn.Dropout, nn.Linear, nn.LeakyReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in head] == kinds
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.5, 0.3]


def test_shared_block_feeds_any_head():
    block = SharedBlock(D, 6, depth=2, activation="relu", dropout=0.1)
    head = build_head(SIMILARITY, HeadSettings(kind="sigmoid", pair="triplet"), 6)
    head(*map(block, torch.randn(3, 32, D))).sum().backward()
    assert_gradient_reaches_every_parameter(block)
    with pytest.raises(InputError, match="depth 0"):
        SharedBlock(D, 6, depth=0, activation="relu", dropout=0.1)


def test_predictions_are_probabilities_or_clipped_scores():
    share_BC = predictions(PARAPHRASE, torch.tensor([[0.0, 0.0], [-9e4, 9e4]]).bfloat16())
    assert share_BC.dtype == torch.float32
    assert share_BC.tolist() == [[0.5, 0.5], [0.0, 1.0]]
    assert predictions(SIMILARITY, torch.tensor([-1.0, 2.5, 7.0])).tolist() == [0.0, 2.5, 5.0]


@pytest.mark.parametrize(
    ("task", "settings", "advice"),
    [
        (SENTIMENT, {"kind": "cosine-relu"}, "this task has classes; use mlp"),
        (PARAPHRASE, {"kind": "cosine-affine"}, "this task has classes; use mlp"),
        (PARAPHRASE, {"kind": "sigmoid"}, "this task has classes; use mlp"),
        (SENTIMENT, {"kind": "binary"}, "needs exactly two classes; use mlp"),
        (SIMILARITY, {"kind": "binary"}, "needs exactly two classes; use mlp"),
        (
            SIMILARITY,
            {"kind": "cosine-relu", "pair": "cross"},
            "similarity.pair is cross; use pair",
        ),
        (SIMILARITY, {"kind": "cosine-relu", "pair": "triplet"}, "use pair concat, or head sigmo"),
        (replace(SIMILARITY, arity=1), {"kind": "cosine-relu"}, "has one; use sigmoid or mlp"),
    ],
)
def test_contradictions_say_what_to_do(task, settings, advice):
    with pytest.raises(InputError, match=f"tasks.{task.name}.head: .*{advice}"):
        build_head(task, HeadSettings(**settings), D)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"kind": "linear"}, "head: 'linear' is unknown; use mlp, binary"),
        ({"pair": "sum"}, "pair: 'sum'"),
        ({"activation": "tanh"}, "activation: 'tanh'"),
        ({"depth": -1}, "depth -1"),
        ({"width": 0}, "width 0"),
        ({"dropout": 1.0}, "dropout: 1.0"),
        ({"hidden_dropout": -0.1}, "dropout: -0.1"),
    ],
)
def test_settings_out_of_range(settings, found):
    with pytest.raises(InputError, match=found):
        HeadSettings(**settings)
