"""Contrastive losses: by hand, against sentence-transformers, and blind to repeated texts."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mtl.contrastive import (
    hardest_triplet,
    multiple_negatives_ranking,
    not_negatives,
    positive_class,
    positive_rows,
    simcse,
    text_ids,
    triplet,
)
from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from tests.properties import assert_gradients_finite, assert_gradients_right, gradients

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def vectors(count, rows=5, width=4):
    return [torch.randn(rows, width) for _ in range(count)]


def simcse_by_loop(anchors, positives, negatives, temperature):
    """Gao et al. 2021, equation 5, row by row in Python floats."""

    def similarity(a, b):
        return float(normalize(a, dim=0) @ normalize(b, dim=0)) / temperature

    losses = []
    for i, anchor in enumerate(anchors):
        below = sum(math.exp(similarity(anchor, other)) for other in [*positives, *negatives])
        losses.append(math.log(below) - similarity(anchor, positives[i]))
    return sum(losses) / len(losses)


def test_simcse_by_hand():
    texts_BD = torch.tensor([EAST, NORTH])
    loss = simcse(texts_BD, 2 * texts_BD, temperature=0.5)  # cosines 1 and 0
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))
    hard = simcse(texts_BD, texts_BD, -texts_BD, temperature=0.5)  # and -1 and 0
    assert hard.item() == pytest.approx(math.log(1 + 2 * math.exp(-2) + math.exp(-4)))


def test_simcse_is_the_equation_row_by_row():
    anchors, positives, negatives = vectors(3)
    loss = simcse(anchors, positives, negatives, temperature=0.3)
    assert loss.item() == pytest.approx(simcse_by_loop(anchors, positives, negatives, 0.3))
    loss = simcse(anchors, positives, temperature=0.3)
    assert loss.item() == pytest.approx(simcse_by_loop(anchors, positives, [], 0.3))


def test_simcse_pulls_the_positive_and_pushes_the_others():
    inputs = [
        torch.tensor([EAST], requires_grad=True),
        torch.tensor([[0.6, 0.8]], requires_grad=True),
        torch.tensor([[0.6, -0.8]], requires_grad=True),
    ]
    _, positive, negative = gradients(simcse(*inputs), inputs)
    assert -positive[0] @ torch.tensor(EAST) > 0
    assert -negative[0] @ torch.tensor(EAST) < 0


def test_one_row_without_negatives_teaches_nothing():
    inputs = [value.requires_grad_() for value in vectors(2, rows=1)]
    loss = simcse(*inputs)
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients(loss, inputs))


@pytest.mark.parametrize("loss", [simcse, multiple_negatives_ranking])
def test_cosine_losses_know_no_lengths_and_no_order_of_rows(loss):
    anchors, positives = vectors(2)
    value, order = loss(anchors, positives), torch.randperm(5)
    torch.testing.assert_close(loss(7 * anchors, torch.rand(5, 1) * positives), value)
    torch.testing.assert_close(loss(anchors[order], positives[order]), value)


@pytest.mark.parametrize("loss", [simcse, triplet])
def test_gradients_are_those_of_finite_differences(loss):
    assert_gradients_right(loss, vectors(3))


@pytest.mark.parametrize("loss", [simcse, triplet])
def test_zero_and_equal_vectors_keep_gradients_finite(loss):
    for start in (torch.zeros(2, 3), torch.ones(2, 3)):
        assert_gradients_finite(loss, [start.clone().requires_grad_() for _ in range(3)])


def test_multiple_negatives_ranking_is_supervised_simcse_at_its_temperature():
    anchors, positives = vectors(2)
    assert torch.equal(multiple_negatives_ranking(anchors, positives), simcse(anchors, positives))


def test_losses_are_those_of_sentence_transformers():
    peers = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    parts = vectors(3)
    ranking = peers.MultipleNegativesRankingLoss(None)
    torch.testing.assert_close(
        multiple_negatives_ranking(*parts[:2]),
        ranking.compute_loss_from_embeddings(parts[:2], None),
    )
    torch.testing.assert_close(simcse(*parts), ranking.compute_loss_from_embeddings(parts, None))
    peer = peers.TripletLoss(None, triplet_margin=1).compute_loss_from_embeddings(parts, None)
    torch.testing.assert_close(triplet(*parts), peer, rtol=0, atol=1e-5)  # theirs adds 1e-6


def test_triplet_by_hand():
    anchor_BD, positive_BD = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]] * 3)
    negative_BD = torch.tensor([[0.0, 5.5], [0.0, 9.0], [0.0, 1.0]], requires_grad=True)
    loss = triplet(anchor_BD, positive_BD, negative_BD)  # 5 - 5.5 + 1, far enough, 5 - 1 + 1
    assert loss.item() == pytest.approx((0.5 + 0.0 + 5.0) / 3)
    (slope_BD,) = gradients(loss, [negative_BD])
    assert slope_BD[:, 1].tolist() == pytest.approx([-1 / 3, 0.0, -1 / 3])
    assert not slope_BD[:, 0].any()


def test_text_ids_number_equal_texts_alike_across_columns():
    first, second = text_ids(["x", "y", "x"], ["y", "z", "z"])
    assert first.tolist() == [0, 1, 0]
    assert second.tolist() == [1, 2, 2]


def test_rows_that_share_a_text_are_no_negatives_of_one_another():
    anchors = ["a", "a", "c", "d"]
    positives = ["b", "e", "b", "f"]
    excluded_BB = not_negatives(*text_ids(anchors, positives))
    assert excluded_BB.int().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert torch.equal(excluded_BB, excluded_BB.T)


def test_a_hard_negative_that_is_a_text_of_the_row_is_none():
    ids = text_ids(["a", "c"], ["b", "d"], ["c", "b"])
    excluded_BK = not_negatives(*ids)
    assert excluded_BK.int().tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]


def test_distinct_texts_exclude_nothing():
    anchor_ids, positive_ids, negative_ids = text_ids("abc", "def", "ghi")
    assert not not_negatives(anchor_ids, positive_ids, negative_ids).any()
    assert not not_negatives(anchor_ids, anchor_ids).any()  # unsupervised


def test_a_repeated_text_is_no_negative_of_itself():
    (ids_B,) = text_ids(["same", "other", "same"])
    first_BD, second_BD = vectors(2, rows=3)
    # With row 2 out of the way of row 0, and row 0 of row 2, each meets the other text alone.
    pairs = [[0, 1], [2, 1]]
    alone = [simcse_by_loop(first_BD[pair][:1], second_BD[pair], [], 0.05) for pair in pairs]
    whole = simcse_by_loop(first_BD[[1, 0, 2]][:1], second_BD[[1, 0, 2]], [], 0.05)
    loss = simcse(first_BD, second_BD, excluded_BK=not_negatives(ids_B, ids_B))
    assert loss.item() == pytest.approx((sum(alone) + whole) / 3, rel=1e-5)


def test_copies_of_one_text_alone_teach_nothing():
    inputs = [value.requires_grad_() for value in vectors(2)]
    ids_B = torch.zeros(5, dtype=torch.long)
    loss = simcse(*inputs, excluded_BK=not_negatives(ids_B, ids_B))
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients(loss, inputs))


def test_hardest_triplet_takes_the_nearest_that_is_allowed():
    anchor_BD = torch.zeros(3, 2)
    positive_BD = torch.tensor([[1.0, 0.0], [0.0, 0.5], [3.0, 0.0]])
    none = torch.zeros(3, 3, dtype=torch.bool)
    loss = hardest_triplet(anchor_BD, positive_BD, excluded_BK=none)
    assert loss.item() == pytest.approx((1.5 + 0.5 + 3.5) / 3)  # negatives at 0.5, 1 and 0.5
    excluded_BB = none.clone()
    excluded_BB[0, 1] = excluded_BB[1, 0] = True
    loss = hardest_triplet(anchor_BD, positive_BD, excluded_BK=excluded_BB)
    assert loss.item() == pytest.approx((0.0 + 0.0 + 3.5) / 3)  # at 3, 3 and 0.5


def test_hardest_triplet_without_a_negative_teaches_nothing():
    inputs = [value.requires_grad_() for value in vectors(2)]
    loss = hardest_triplet(*inputs, excluded_BK=torch.ones(5, 5, dtype=torch.bool))
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients(loss, inputs))


def test_positive_rows_of_a_corpus():
    classes = Task(name="paraphrase", arity=2, output="classes", classes=("no", "yes"))
    assert positive_rows(corpus_of(classes, labels=[1, 0, -1, 1])).tolist() == [0, 3]
    score = Task(name="similarity", arity=2, output="score", classes=tuple("012345"), high=5.0)
    scores = [4.0, 3.9, np.nan, 5.0]
    assert positive_rows(corpus_of(score, scores=scores)).tolist() == [0, 3]
    share = Task(name="similarity", arity=2, output="score", classes=("0", "1"), high=1.0)
    assert positive_rows(corpus_of(share, scores=[0.8, 0.79])).tolist() == [0]


def test_of_three_classes_none_is_known_to_mean_the_same():
    inference = Task(name="inference", arity=2, output="classes", classes=("no", "neutral", "yes"))
    with pytest.raises(
        InputError, match="its classes are no, neutral, yes, and which of them says"
    ):
        positive_rows(corpus_of(inference, labels=[1, 2]))


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        ("0", "1"),
        ("0.0", "1.0"),
        ("no", "YES"),
        ("N", "Y"),
        ("False", "True"),
        ("F", "T"),
        ("not_duplicate", "duplicate"),
        ("Not Equivalent", "equivalent"),
        ("non-match", "match"),
        ("no_match", "match"),
        ("unrelated", "related"),
        ("different", "paraphrase"),
        ("unique", "duplicate"),
        ("negative", "positive"),
    ],
)
def test_the_positive_class_is_known_by_the_names_and_not_by_their_order(no, yes):
    for classes in ((no, yes), (yes, no)):
        task = Task(name="pairs", arity=2, output="classes", classes=classes)
        assert classes[positive_class(task)] == yes
    rows = corpus_of(task, labels=[0, 1, -1])  # yes comes first
    assert positive_rows(rows).tolist() == [0]


@pytest.mark.parametrize(
    "classes", [("A", "B"), ("1", "2"), ("different", "unrelated"), ("0", "yes"), ("notary", "not")]
)
def test_names_that_do_not_tell_yes_from_no_are_refused(classes):
    task = Task(name="pairs", arity=2, output="classes", classes=classes)
    said = f"task 'pairs': its classes are {', '.join(classes)}, and .* label the pairs 0 and 1"
    with pytest.raises(InputError, match=said):
        positive_class(task)


def corpus_of(task, labels=(), scores=None):
    labels = task.bucket(scores) if scores is not None else np.array(labels)
    texts = tuple(map(str, range(len(labels))))
    scores = None if scores is None else np.array(scores)
    return Corpus(task, "here", texts, texts, texts, labels, scores)
