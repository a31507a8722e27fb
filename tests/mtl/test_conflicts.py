"""Inner products in float64, the sum in place, and the record of conflicts."""

import numpy as np
import pytest
import torch

from mtl import conflicts
from mtl.conflicts import ConflictRecord, combine, gram_matrix, group_grams, layer_groups
from mtl.surgery import make_surgery

SHAPES = [(3, 4), (5,), (2, 3, 2), (1,)]


def some_gradients(tasks=3, scale=1.0, dtype=torch.float32):
    """Return T sets of P tensors; parameter 1 is missing in task 0, parameter 3 in all."""
    sets = [[scale * torch.randn(shape) for shape in SHAPES] for _ in range(tasks)]
    sets = [[g.to(dtype) for g in task] for task in sets]
    sets[0][1] = None
    for task in sets:
        task[3] = None
    return sets


def dense(task):
    """Return one vector of all parameters in float64, zeros where there is no gradient."""
    pairs = zip(task, SHAPES, strict=True)
    parts = [np.zeros(shape) if g is None else g.double().numpy() for g, shape in pairs]
    return np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("block", [1, 4, 5, 2**17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_gram_matrix_is_that_of_the_dense_vectors(monkeypatch, block, dtype):
    monkeypatch.setattr(conflicts, "_BLOCK_CPU", block)
    gradients = some_gradients(dtype=dtype)
    dense_TP = np.stack([dense(task) for task in gradients])
    gram_TT = gram_matrix(gradients)
    assert gram_TT.dtype == torch.float64
    np.testing.assert_allclose(gram_TT.numpy(), dense_TP @ dense_TP.T, rtol=1e-13)


def test_huge_and_opposite_float32_gradients_keep_their_digits():
    """A float32 product overflows at 1e30, and loses the 1 beside 1e8."""
    huge = torch.tensor([1e30, 1.0])
    assert gram_matrix([[huge], [-huge]])[0, 1] == -float(huge.double() @ huge.double())
    one, other = torch.tensor([1e4, 1.0, 1e4]), torch.tensor([1e4, 1.0, -1e4])
    assert gram_matrix([[one], [other]])[0, 1] == 1.0


def test_groups_part_the_inner_products():
    gradients = some_gradients()
    gram_GTT = group_grams(gradients, [1, 0, 1, 0])
    torch.testing.assert_close(gram_GTT.sum(dim=0), gram_matrix(gradients))
    expected_TT = gram_matrix([[task[1]] for task in gradients])
    torch.testing.assert_close(gram_GTT[0], expected_TT)


def test_no_gradient_at_all_is_a_matrix_of_zeros():
    assert torch.equal(gram_matrix([[None], [None]]), torch.zeros(2, 2).double())
    assert combine([[None], [None]], torch.ones(2)) == [None]


def test_the_sum_is_written_over_the_first_gradient_and_none_stays_none():
    gradients = some_gradients()
    weights_T = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
    expected_P = weights_T.numpy() @ np.stack([dense(task) for task in gradients])
    combined = combine(gradients, weights_T)
    np.testing.assert_allclose(dense(combined), expected_P, rtol=1e-5, atol=1e-6)
    assert combined[0] is gradients[0][0]
    assert combined[1] is gradients[1][1]  # task 0 does not reach it
    assert combined[3] is None


def test_groups_have_weights_of_their_own():
    gradients = [[torch.ones(1), torch.ones(1)], [torch.ones(1), torch.ones(1)]]
    weights_GT = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    assert combine(gradients, weights_GT, [1, 0]) == [torch.tensor([5.0]), torch.tensor([1.0])]


def test_layers_are_groups():
    names = [
        "encoder.embeddings.word_embeddings.weight",
        "encoder.encoder.layer.0.output.dense.bias",
        "encoder.encoder.layer.10.output.dense.bias",
        "transformer.layers.0.bias",
        "shared.weight",
    ]
    expected = [0, 1, 2, 1, 3], ["embeddings", "layer 0", "layer 10", "rest"]
    assert layer_groups(names) == expected


def unit_gram(cosine, norms=(1.0, 2.0)):
    a, b = norms
    return torch.tensor([[a * a, cosine * a * b], [cosine * a * b, b * b]]).double()


def test_a_record_counts_conflicts_and_begins_anew():
    record = ConflictRecord(["sentiment", "paraphrase"])
    for cosine in (-0.5, 0.25, 0.75):
        record.add(unit_gram(cosine).unsqueeze(0))
    (row,) = record.take()
    assert row == {
        "task_a": "sentiment",
        "task_b": "paraphrase",
        "group": "all",
        "steps": 3,
        "conflict_share": pytest.approx(1 / 3),
        "mean_cosine": pytest.approx(1 / 6),
        "min_cosine": pytest.approx(-0.5),
    }
    assert record.take() == []


def test_a_record_by_group_has_the_whole_vector_too():
    record = ConflictRecord(["a", "b"], ["embeddings", "layer 0"])
    record.add(torch.stack([unit_gram(-0.5, (1, 1)), unit_gram(0.5, (3, 3))]))
    rows = {row["group"]: row for row in record.take()}
    assert list(rows) == ["all", "embeddings", "layer 0"]
    assert rows["all"]["mean_cosine"] == pytest.approx(4 / 10)
    assert rows["embeddings"]["conflict_share"] == 1.0
    assert rows["layer 0"]["conflict_share"] == 0.0


@pytest.mark.parametrize("absent", [0.0, float("nan"), float("inf")])
def test_a_step_without_a_task_does_not_count_for_its_pairs(absent):
    record = ConflictRecord(["a", "b", "c"])
    gram_GTT = torch.full((1, 3, 3), absent, dtype=torch.float64)
    gram_GTT[0, :2, :2] = unit_gram(-0.5)
    record.add(gram_GTT)
    (row,) = record.take()
    assert (row["task_a"], row["task_b"], row["min_cosine"]) == ("a", "b", pytest.approx(-0.5))


def test_a_record_goes_on_from_its_state():
    whole, resumed = ConflictRecord(["a", "b"]), ConflictRecord(["a", "b"])
    whole.add(unit_gram(0.5).unsqueeze(0))
    resumed.load_state(whole.state())
    for record in (whole, resumed):
        record.add(unit_gram(-0.1).unsqueeze(0))
    assert resumed.take() == whole.take()


def test_a_task_absent_from_the_turn_has_no_row_in_the_jacobian():
    pytest.importorskip("torchjd")
    gradients_TP = torch.randn(3, 6)
    sets = [[row_P.clone()] for row_P in gradients_TP]
    sets.insert(1, [None])
    merged, _ = make_surgery("torchjd:TrimmedMean", tasks=4, seed=0).merge(sets)
    torch.testing.assert_close(merged[0], gradients_TP.median(dim=0).values)
