"""Task losses and penalties: by hand, against torch and scikit-learn, silent where no target is."""

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from mtl.errors import InputError
from mtl.losses import (
    LOSSES,
    PENALTIES,
    binary_cross_entropy,
    class_weights,
    cosine_similarity,
    cross_entropy,
    loss_named,
    mean_squared_error,
    penalty_named,
    weight_norm,
)
from tests.properties import assert_gradients_finite, assert_gradients_right, gradients

NAN = math.nan


def case(name, rows=6):
    """Return a loss over what is predicted, the inputs, and targets with rows 1 and 4 missing."""
    labels_B, scores_B = torch.randint(3, (rows,)), 5 * torch.rand(rows)
    labels_B[[1, 4]], scores_B[[1, 4]] = -1, NAN
    if name == "cosine_similarity":
        pair = [torch.randn(rows, 4) for _ in range(2)]
        return lambda u, v, targets: cosine_similarity((u, v), targets), pair, scores_B
    if name == "mean_squared_error":
        return mean_squared_error, [torch.randn(rows)], scores_B
    return LOSSES[name], [torch.randn(rows, 3)], labels_B


@pytest.mark.parametrize("name", LOSSES)
def test_rows_without_target_contribute_exactly_zero(name):
    loss, inputs, targets = case(name)
    known = [0, 2, 3, 5]
    for value in inputs:
        value.requires_grad_()
    whole = loss(*inputs, targets)
    torch.testing.assert_close(whole, loss(*[value[known] for value in inputs], targets[known]))
    for gradient in gradients(whole, inputs):
        assert not gradient[[1, 4]].any()
        assert gradient[known].any(-1).all() if gradient.ndim > 1 else gradient[known].all()


@pytest.mark.parametrize("name", LOSSES)
def test_no_target_at_all_is_exactly_zero(name):
    loss, inputs, targets = case(name)
    nothing = torch.full_like(targets, NAN if targets.is_floating_point() else -1)
    for value in inputs:
        value.requires_grad_()
    total = loss(*inputs, nothing)
    assert total.item() == 0.0
    assert not any(gradient.any() for gradient in gradients(total, inputs))


@pytest.mark.parametrize("name", LOSSES)
def test_order_of_rows_does_not_matter(name):
    loss, inputs, targets = case(name)
    order = torch.randperm(len(targets))
    shuffled = loss(*[value[order] for value in inputs], targets[order])
    torch.testing.assert_close(loss(*inputs, targets), shuffled)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    loss, inputs, targets = case(name)
    targets = targets.double() if targets.is_floating_point() else targets
    assert_gradients_right(lambda *values: loss(*values, targets), inputs)


def test_extreme_and_zero_inputs_keep_gradients_finite():
    labels_B = torch.tensor([0, 1, -1])
    logits_BC = torch.tensor([[1e4, -1e4], [1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    for loss in (cross_entropy, binary_cross_entropy):
        assert_gradients_finite(lambda x, loss=loss: loss(x, labels_B), [logits_BC])
    zero_BD = torch.zeros(3, 4, requires_grad=True)
    scores_B = torch.tensor([0.0, 5.0, NAN])
    assert_gradients_finite(lambda x: cosine_similarity((x, x), scores_B), [zero_BD])


def test_cross_entropy_by_hand():
    logits_BC = torch.log(torch.tensor([[1.0, 3.0], [1.0, 1.0], [9.0, 1.0]]))
    loss = cross_entropy(logits_BC, torch.tensor([1, 0, -1]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_class_weights_scale_each_row_and_the_divisor_counts_rows():
    logits_BC = torch.log(torch.tensor([[1.0, 3.0], [1.0, 1.0], [9.0, 1.0]]))
    weights_C = torch.tensor([3.0, 0.5])
    loss = cross_entropy(logits_BC, torch.tensor([1, 0, -1]), weights_C=weights_C)
    assert loss.item() == pytest.approx((0.5 * math.log(4 / 3) + 3.0 * math.log(2)) / 2)
    alone = cross_entropy(logits_BC[:1], torch.tensor([1]), weights_C=weights_C)
    assert alone.item() == pytest.approx(0.5 * math.log(4 / 3))  # torch's mean forgets the weight


def test_batches_of_a_weighted_epoch_average_to_the_epoch():
    logits_BC, labels_B = torch.randn(12, 3), torch.randint(3, (12,))
    weights_C = torch.tensor([0.2, 1.0, 5.0])
    for loss in (cross_entropy, binary_cross_entropy):
        batches = [
            loss(logits_BC[rows], labels_B[rows], weights_C=weights_C)
            for rows in torch.arange(12).split(4)
        ]
        whole = loss(logits_BC, labels_B, weights_C=weights_C)
        torch.testing.assert_close(torch.stack(batches).mean(), whole)


def test_class_weights_are_balanced():
    labels = np.repeat([0, 1, 2], [6, 2, 4])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    weights_C = class_weights(torch.tensor([6, 2, 4]))
    assert weights_C.tolist() == pytest.approx(expected.tolist())
    assert weights_C[labels].mean().item() == pytest.approx(1.0)


def test_a_class_without_rows_weighs_nothing():
    assert class_weights(torch.tensor([4, 0])).tolist() == [0.5, 0.0]


def test_one_logit_is_the_logistic_loss():
    logits_B1 = torch.tensor([[0.0], [math.log(3.0)], [7.0]], requires_grad=True)
    loss = binary_cross_entropy(logits_B1, torch.tensor([1, 0, -1]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    (slope_B1,) = gradients(loss, [logits_B1])  # (σ - y) / count
    assert slope_B1.flatten().tolist() == pytest.approx([-0.25, 0.375, 0.0])


def test_one_logit_is_the_softmax_of_that_logit_against_zero():
    logits_B1, labels_B = torch.randn(9, 1), torch.randint(2, (9,))
    both_B2 = torch.cat([torch.zeros(9, 1), logits_B1], dim=1)
    one = binary_cross_entropy(logits_B1, labels_B)
    torch.testing.assert_close(one, cross_entropy(both_B2, labels_B))


def test_several_logits_are_one_question_each():
    logits_BC, labels_B = torch.randn(7, 3), torch.randint(3, (7,))
    answers_BC = functional.one_hot(labels_B, 3).float()
    expected = functional.binary_cross_entropy_with_logits(logits_BC, answers_BC)
    torch.testing.assert_close(binary_cross_entropy(logits_BC, labels_B), expected)
    weights_C = torch.tensor([0.5, 1.0, 4.0])
    alone = [binary_cross_entropy(logits_BC[[i]], labels_B[[i]]) for i in range(7)]
    weighted = (torch.stack(alone) * weights_C[labels_B]).mean()
    found = binary_cross_entropy(logits_BC, labels_B, weights_C=weights_C)
    torch.testing.assert_close(found, weighted)


def test_mean_squared_error_by_hand():
    predictions_B = torch.tensor([1.0, 4.0, 9.0], requires_grad=True)
    loss = mean_squared_error(predictions_B, torch.tensor([2.0, 2.0, NAN]))
    assert loss.item() == 2.5
    assert gradients(loss, [predictions_B])[0].tolist() == [-1.0, 2.0, 0.0]


def test_a_column_of_predictions_is_not_broadcast():
    with pytest.raises(ValueError, match=r"shape \(3, 3\) for \(3,\) targets"):
        mean_squared_error(torch.zeros(3, 1), torch.zeros(3))


def test_cosine_similarity_by_hand():
    u_BD = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    v_BD = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    loss = cosine_similarity((u_BD, v_BD), torch.tensor([5.0, 0.0, 0.0]))
    assert loss.item() == pytest.approx(1 / 3)  # same and unrelated texts fit; opposite is wrong
    shifted = cosine_similarity((u_BD, v_BD), torch.tensor([3.0, 1.0, 1.0]), low=1.0, high=3.0)
    assert shifted.item() == pytest.approx(1 / 3)


def test_cosine_similarity_knows_neither_lengths_nor_which_text_came_first():
    u_BD, v_BD, scores_B = torch.randn(5, 4), torch.randn(5, 4), 5 * torch.rand(5)
    loss = cosine_similarity((u_BD, v_BD), scores_B)
    torch.testing.assert_close(cosine_similarity((3 * u_BD, 0.1 * v_BD), scores_B), loss)
    torch.testing.assert_close(cosine_similarity((v_BD, u_BD), scores_B), loss)


def test_cosine_similarity_is_that_of_sentence_transformers():
    peers = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    u_BD, v_BD, scores_B = torch.randn(5, 4), torch.randn(5, 4), 5 * torch.rand(5)
    peer = peers.CosineSimilarityLoss(None).compute_loss_from_embeddings([u_BD, v_BD], scores_B / 5)
    torch.testing.assert_close(cosine_similarity((u_BD, v_BD), scores_B), peer)


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("l1", 7.0, [1.0, 0.0, -1.0]),
        ("l2", 5.0, [0.6, 0.0, -0.8]),
        ("linf", 4.0, [0.0, 0.0, -1.0]),
    ],
)
def test_penalties_by_hand(name, value, slope):
    weights = [torch.tensor([[3.0, 0.0]], requires_grad=True), torch.tensor([-4.0])]
    weights[1].requires_grad_()
    penalty = PENALTIES[name](weights)
    assert penalty.item() == value
    found = torch.cat([gradient.flatten() for gradient in gradients(penalty, weights)])
    assert found.tolist() == pytest.approx(slope)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_norms_of_the_whole_vector(name):
    weights = [torch.randn(3, 4), torch.randn(5)]
    vector = torch.cat([weight.flatten() for weight in weights])
    penalty = PENALTIES[name](weights)
    torch.testing.assert_close(penalty, PENALTIES[name]([vector]))
    torch.testing.assert_close(PENALTIES[name]([-2 * weight for weight in weights]), 2 * penalty)
    assert_gradients_finite(lambda w: PENALTIES[name]([w]), [torch.zeros(3, requires_grad=True)])


def test_orders_of_a_norm_fall():
    weights = [torch.randn(4, 4)]
    first, second, largest = (weight_norm(weights, order=order) for order in (1, 2, math.inf))
    assert first >= second >= largest > 0


def test_names_are_found_and_a_wrong_one_names_the_nearest():
    assert loss_named("cross_entropy") is cross_entropy
    assert penalty_named("l1") is PENALTIES["l1"]
    with pytest.raises(InputError) as error:
        loss_named("cross_entropi")
    assert str(error.value) == (
        "unknown loss 'cross_entropi'; did you mean 'cross_entropy'? the losses are "
        "cross_entropy, binary_cross_entropy, mean_squared_error, cosine_similarity"
    )
    with pytest.raises(InputError, match="unknown penalty 'zzz'; the penalties are l1, l2, linf"):
        penalty_named("zzz")
