"""Surgery on the Gram matrix against the vector algorithms, and against TorchJD."""

import math
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl.conflicts import gram_matrix
from mtl.errors import InputError
from mtl.surgery import gradvac_weights, make_surgery, pcgrad_weights

CASES = 3000
KINDS = ("random", "correlated", "opposite", "parallel", "zero", "huge", "scales")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def gradients(seed):
    """Return T vectors (T, P) in float64, of a kind that goes round with the seed."""
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    tasks, width = int(rng.integers(2, 6)), int(rng.integers(1, 13))
    g_TP = rng.normal(size=(tasks, width))
    i, j = rng.permutation(tasks)[:2]
    if kind == "correlated":
        g_TP += 2 * rng.normal(size=width)
    elif kind == "opposite":
        g_TP[i] = -rng.uniform(0.1, 9) * g_TP[j]
    elif kind == "parallel":
        g_TP[i] = rng.uniform(0.1, 9) * g_TP[j]
    elif kind == "zero":
        g_TP[i] = 0
    elif kind == "huge":
        g_TP *= 1e120
    elif kind == "scales":
        g_TP *= 10.0 ** rng.uniform(-9, 9, size=(tasks, 1))
    return g_TP


def visits(tasks, generator):
    """Yield (i, j) in the order of algorithm 1: for each task, the others in a random order."""
    for i in range(tasks):
        for j in torch.randperm(tasks, generator=generator).tolist():
            if j != i:
                yield i, j


def pcgrad_vectors(g_TP, generator):
    """Yu et al. 2020, algorithm 1, on the vectors themselves."""
    changed_TP = g_TP.copy()
    for i, j in visits(len(g_TP), generator):
        product = changed_TP[i] @ g_TP[j]
        if product < 0:
            changed_TP[i] -= product / (g_TP[j] @ g_TP[j]) * g_TP[j]
    return changed_TP.sum(axis=0)


def gradvac_vectors(g_TP, targets_TT, generator, beta):
    """Wang et al. 2020, algorithm 1, on the vectors themselves, with the documented decisions.

    Returns the sum, the new targets, and the least share of its length that a gradient kept.
    """
    changed_TP, moved_TT, kept = g_TP.copy(), targets_TT.copy(), 1.0
    norms = np.linalg.norm(g_TP, axis=1)
    for i, j in visits(len(g_TP), generator):
        length = np.linalg.norm(changed_TP[i])
        if norms[j] == 0 or length <= 1e-9 * norms[i]:  # zero, but for rounding
            continue
        kept = min(kept, length / norms[i])
        cosine = (changed_TP[i] / length) @ (g_TP[j] / norms[j])
        cosine = np.sign(cosine) if abs(cosine) > 1 - 1e-12 else cosine
        target = np.clip(targets_TT[i, j], -0.999, 0.999)
        if cosine < target:
            sine, target_sine = np.sqrt(1 - cosine**2), np.sqrt(1 - target**2)
            pull = length * (target * sine - cosine * target_sine) / (norms[j] * target_sine)
            changed_TP[i] += pull * g_TP[j]
        moved_TT[i, j] = (1 - beta) * targets_TT[i, j] + beta * cosine
    return changed_TP.sum(axis=0), moved_TT, kept


def gram_of(g_TP):
    return torch.from_numpy(g_TP @ g_TP.T)


def error(weights_T, g_TP, expected_P):
    """Return the difference to the vector algorithm, relative to the largest gradient."""
    scale = np.linalg.norm(g_TP, axis=1).max() or 1.0
    return np.abs(weights_T.numpy() @ g_TP - expected_P).max() / scale


def test_pcgrad_equals_the_vector_algorithm():
    worst = 0.0
    for seed in range(CASES):
        g_TP = gradients(seed)
        weights_T = pcgrad_weights(gram_of(g_TP), generator=seeded(seed))
        worst = max(worst, error(weights_T, g_TP, pcgrad_vectors(g_TP, seeded(seed))))
    assert worst < 1e-12


@pytest.mark.parametrize("first", [True, False], ids=["zero targets", "any targets"])
def test_gradvac_equals_the_vector_algorithm(first):
    worst = worst_target = 0.0
    for seed in range(CASES):
        g_TP = gradients(seed)
        shape = (len(g_TP), len(g_TP))
        targets_TT = np.random.default_rng(seed).uniform(-1, 1, shape) * (not first)
        weights_T, moved_TT = gradvac_weights(
            gram_of(g_TP), torch.from_numpy(targets_TT), generator=seeded(seed), beta=0.1
        )
        expected_P, expected_TT, kept = gradvac_vectors(g_TP, targets_TT, seeded(seed), 0.1)
        worst = max(worst, error(weights_T, g_TP, expected_P))
        # The cosine of what little is left of a gradient has lost the digits that cancelled.
        worst_target = max(worst_target, kept**2 * np.abs(moved_TT.numpy() - expected_TT).max())
    assert worst < 1e-12
    assert worst_target < 1e-12


def test_a_task_is_never_projected_on_itself_and_every_order_is_as_likely():
    """Unit gradients with cosines -0.8, -0.8, 0.32; g₁′ · g₁ < 0 after its two projections."""
    gram_TT = torch.tensor([[1, -0.8, -0.8], [-0.8, 1, 0.32], [-0.8, 0.32, 1]])
    generator, draws = seeded(0), 4000
    counts = Counter(
        tuple(round(weight, 6) for weight in pcgrad_weights(gram_TT, generator=generator).tolist())
        for _ in range(draws)
    )
    expected = {
        (2.6, round(1 + second + late, 6), round(1 + third + early, 6))
        for second, third in [(0.8, 0.544), (0.544, 0.8)]  # task 1 visits 2 or 3 first
        for late in (0.0, 0.32)  # task 3 meets 2 before or after 1
        for early in (0.0, 0.32)  # task 2 meets 3 before or after 1
    }
    assert counts.keys() == expected
    assert all(abs(count / draws - 1 / 8) < 0.03 for count in counts.values())


@given(st.floats(-0.99, 0.99), st.floats(-0.99, 0.99), st.floats(1e-3, 1e3))
def test_gradvac_reaches_its_target_cosine(cosine, target, length):
    gram_TT = torch.tensor([[1.0, cosine * length], [cosine * length, length**2]]).double()
    targets_TT = torch.tensor([[0.0, target], [-1.0, 0.0]]).double()  # task 2 is left alone
    weights_T, _ = gradvac_weights(gram_TT, targets_TT, generator=seeded(0))
    first_T = weights_T - torch.tensor([0.0, 1.0])
    reached = gram_TT[1] @ first_T / length / (first_T @ gram_TT @ first_T).sqrt()
    assert math.isclose(reached, max(cosine, target), abs_tol=1e-6)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_weights_do_not_change_with_the_scale_of_the_losses(seed, scale):
    gram_TT = gram_of(np.random.default_rng(seed).normal(size=(3, 5)))
    alone_T = pcgrad_weights(gram_TT, generator=seeded(seed))
    torch.testing.assert_close(pcgrad_weights(scale * gram_TT, generator=seeded(seed)), alone_T)


@pytest.mark.parametrize("bad", [0.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ["pcgrad", "gradvac", "torchjd:PCGrad"])
def test_a_zero_or_infinite_gradient_leaves_the_others_as_they_are_without_it(name, bad):
    if name.startswith("torchjd"):
        pytest.importorskip("torchjd")
    pair_TT = torch.tensor([[1.0, -0.5], [-0.5, 1.0]])
    gram_TT = torch.full((3, 3), bad)
    gram_TT[:2, :2] = pair_TT
    surgery = make_surgery(name, tasks=3, seed=0)
    expected_T = torch.tensor([1.5, 1.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(surgery.weights(gram_TT), expected_T)


def test_gradvac_targets_follow_what_was_seen_by_group():
    surgery = make_surgery("gradvac", tasks=2, seed=0, groups=2, beta=0.5)
    gram_GTT = torch.tensor([[[1, 0.6], [0.6, 1]], [[1, -0.6], [-0.6, 1]]])
    weights_GT = surgery.weights(gram_GTT)
    torch.testing.assert_close(weights_GT, torch.tensor([[1, 1], [1.6, 1.6]]).double())
    targets_GTT = surgery.state()["targets_GTT"]
    torch.testing.assert_close(targets_GTT[:, 0, 1], torch.tensor([0.3, -0.3]).double())


def test_pcgrad_looks_at_the_whole_vector_and_not_at_groups():
    gram_GTT = torch.tensor([[[4, 2], [2, 4]], [[1, -1], [-1, 1]]]).double()
    weights_GT = make_surgery("pcgrad", tasks=2, seed=0).weights(gram_GTT)
    assert torch.equal(weights_GT, torch.ones(2, 2).double())


@pytest.mark.parametrize("name", ["sum", "pcgrad", "gradvac", "torchjd:PCGrad", "torchjd:GradDrop"])
def test_a_surgery_goes_on_from_its_state_bit_for_bit(name):
    if name.startswith("torchjd"):
        pytest.importorskip("torchjd")

    def step(surgery, number):
        generator = seeded(number)
        merged, _ = surgery.merge([[torch.randn(9, generator=generator)] for _ in range(4)])
        return merged[0]

    whole, resumed = (make_surgery(name, tasks=4, seed=seed) for seed in (0, 1))
    for number in range(5):
        step(whole, number)
    state = {key: value.clone() for key, value in whole.state().items()}
    step(resumed, 99)
    resumed.load_state(state)
    for number in range(5, 10):
        assert torch.equal(step(resumed, number), step(whole, number))


def test_a_surgery_leaves_the_global_stream_alone():
    pytest.importorskip("torchjd")
    before = torch.get_rng_state()
    for name in ("pcgrad", "gradvac", "torchjd:PCGrad", "torchjd:Random"):
        make_surgery(name, tasks=3, seed=0).weights(torch.eye(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_merge_sums_and_hands_out_the_grams():
    tasks = [[torch.tensor([1.0, 2.0]), None], [torch.tensor([3.0, 0.0]), None]]
    gram_TT = gram_matrix(tasks)
    merged, gram_GTT = make_surgery("sum", tasks=2, seed=0).merge(tasks)
    assert torch.equal(merged[0], torch.tensor([4.0, 2.0]))
    assert merged[1] is None
    assert torch.equal(gram_GTT[0], gram_TT)
    assert make_surgery("sum", tasks=1, seed=0).weights(torch.ones(1, 1)).tolist() == [1.0]


def test_two_tasks_give_what_torchjd_gives():
    aggregation = pytest.importorskip("torchjd.aggregation")
    for seed in range(500):
        g_TP = torch.randn(2, 7, generator=seeded(seed), dtype=torch.float64)
        weights_T = pcgrad_weights(g_TP @ g_TP.T, generator=seeded(seed))
        torch.testing.assert_close(weights_T @ g_TP, aggregation.PCGrad()(g_TP), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    ["AlignedMTL", "ConFIG", "FairGrad", "IMTLG", "Krum", "MGDA", "Mean", "Sum", "TrimmedMean"],
)
def test_a_torchjd_aggregator_gives_what_it_gives_alone(name):
    aggregation = pytest.importorskip("torchjd.aggregation")
    settings = {
        "FairGrad": {"alpha": 1.0},
        "Krum": {"n_byzantine": 0},
        "TrimmedMean": {"trim_number": 1},
    }
    jacobian_TP = torch.randn(4, 10, generator=seeded(0), dtype=torch.float64)
    expected_P = getattr(aggregation, name)(**settings.get(name, {}))(jacobian_TP)
    tasks = [[row[:4].clone().view(2, 2), None, row[4:].clone()] for row in jacobian_TP]
    merged, _ = make_surgery(f"torchjd:{name}", tasks=4, seed=0).merge(tasks)
    assert merged[0].shape == (2, 2)
    assert merged[1] is None
    torch.testing.assert_close(torch.cat([merged[0].flatten(), merged[2]]), expected_P)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pcgard", {}, "surgery 'pcgard' is unknown; did you mean 'pcgrad'? there are sum, "),
        ("pcgrad", {"tasks": 1}, "surgery 'pcgrad' with 1 task; give another task, or surgery sum"),
        ("torchjd:MGDA", {"tasks": 1}, "surgery 'torchjd:MGDA' with 1 task"),
        ("gradvac", {"beta": 2.0}, "a beta from 0 to 1"),
    ],
)
def test_a_mistake_is_one_line(name, options, message):
    with pytest.raises(InputError) as found:
        make_surgery(name, **{"tasks": 2, "seed": 0, **options})
    assert message in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("upgrad", "TorchJD has no 'upgrad'; did you mean 'UPGrad'?"),
        ("Aggregator", "TorchJD has no 'Aggregator'"),
        ("Constant", "cannot be used with 2 tasks: "),
        ("Krum", "cannot be used with 2 tasks: "),
        ("GradVac", "keeps a state that no checkpoint holds; try gradvac"),
    ],
)
def test_an_aggregator_that_cannot_be_had_is_named(name, message):
    pytest.importorskip("torchjd")
    with pytest.raises(InputError) as found:
        make_surgery(f"torchjd:{name}", tasks=2, seed=0)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_torchjd_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd", None)
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    with pytest.raises(InputError, match="needs TorchJD; pip install torchjd"):
        make_surgery("torchjd:UPGrad", tasks=2, seed=0)
