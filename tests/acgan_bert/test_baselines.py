from dataclasses import replace

import numpy as np
import pytest

from acgan_bert import baselines
from acgan_bert.baselines import BASELINES, ClassGaussian, classifier_baselines
from acgan_bert.trainer import TrainingRows
from mtl import rows as of_rows
from mtl.rows import Selection
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs(rows=40, distance=3.0)
ROWS = TrainingRows(VECTORS, LABELS, ("down", "up"))
NEW, NEW_TRUTH, _ = blobs(rows=10, distance=3.0, seed=0)
RECIPE = tiny_recipe(training__steps=30, training__batch_size=16)


@pytest.fixture(scope="module")
def judged():
    parts = {"test": NEW, "one": NEW[:1]}
    return classifier_baselines(tuple(BASELINES), ROWS, RECIPE, parts)


@pytest.mark.parametrize("name", BASELINES)
def test_probabilities_of_every_part_sum_to_one(judged, name):
    for part, count in (("test", 20), ("one", 1)):
        probabilities_NC = judged[name][part]
        assert probabilities_NC.shape == (count, 2)
        assert (probabilities_NC >= 0).all()
        np.testing.assert_allclose(probabilities_NC.sum(1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["logistic_regression", "self_training", "label_spreading"])
def test_two_labels_a_class_are_enough_on_blobs(judged, name):
    assert (judged[name]["test"].argmax(1) == NEW_TRUTH).mean() > 0.9


@pytest.mark.parametrize("name", ["supervised_mlp", "gan_bert"])
def test_networks_learn_all_labels_in_the_runs_steps(name):
    rows = replace(ROWS, labels=TRUTH)
    few, many = (
        classifier_baselines([name], rows, tiny_recipe(training__steps=steps), {"train": VECTORS})
        for steps in (1, 150)
    )
    accuracy = [(found[name]["train"].argmax(1) == TRUTH).mean() for found in (few, many)]
    assert accuracy[1] > 0.9
    assert accuracy[1] >= accuracy[0]


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_runs_where_all_rows_are_labelled(name):
    vectors, truth, _ = blobs(rows=8, classes=3, distance=3.0)
    rows = TrainingRows(vectors, truth, ("a", "b", "c"))
    probabilities_NC = classifier_baselines([name], rows, tiny_recipe(), {"x": vectors})[name]["x"]
    assert probabilities_NC.shape == (24, 3)
    np.testing.assert_allclose(probabilities_NC.sum(1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_same_seed_same_answer(name):
    first, again = (
        classifier_baselines([name], ROWS, tiny_recipe(), {"x": VECTORS})[name]["x"]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_rows_that_no_label_spreads_to_get_equal_probabilities():
    """scikit-learn divides 0 by 0 there and warns."""
    near, _, labels = blobs(rows=12, distance=3.0)
    far = np.zeros((12, 6), dtype=np.float32)
    far[:, 5] = np.linspace(50.0, 51.0, 12)  # an island of its own in the neighbor graph
    far[:, :5] = 1e-3 * np.random.default_rng(0).normal(size=(12, 5))
    near[:, 5] = -5.0
    rows = TrainingRows(np.concatenate([near, far]), np.r_[labels, np.full(12, -1)], ("a", "b"))
    found = classifier_baselines(["label_spreading"], rows, RECIPE, {"far": far, "near": near})
    np.testing.assert_array_equal(found["label_spreading"]["far"], 0.5)
    assert (found["label_spreading"]["near"].max(1) > 0.5).any()


@pytest.mark.parametrize(
    ("name", "limit"),
    [("label_spreading", "SPREADING_ROWS"), ("self_training", "SELF_TRAINING_ROWS")],
)
def test_no_more_rows_are_held_than_memory_takes(name, limit, monkeypatch):
    asked = []

    class Counted(Selection):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    rows = replace(ROWS, vectors=Counted(VECTORS, np.arange(len(VECTORS))))
    monkeypatch.setattr(baselines, limit, 20)
    found = classifier_baselines([name], rows, RECIPE, {"x": NEW})
    (kept,) = asked
    assert len(kept) == 20
    assert set(np.flatnonzero(LABELS >= 0)) <= set(kept)
    assert (found[name]["x"].argmax(1) == NEW_TRUTH).mean() > 0.8


def test_rows_that_are_scored_in_blocks_get_the_same_answers(judged, monkeypatch):
    monkeypatch.setattr(of_rows, "HELD_BYTES", 0)
    monkeypatch.setattr(of_rows, "BLOCK_BYTES", 3 * NEW[0].nbytes)
    scattered = Selection(NEW[::-1], np.arange(len(NEW))[::-1])
    names = ["logistic_regression", "label_spreading"]
    found = classifier_baselines(names, ROWS, RECIPE, {"test": scattered})
    for name in names:
        np.testing.assert_allclose(found[name]["test"], judged[name]["test"], rtol=1e-6)


def test_class_that_a_model_never_saw_has_probability_zero():
    three = replace(ROWS, classes=("down", "up", "strange"))
    found = classifier_baselines(["self_training"], three, RECIPE, {"x": NEW})
    assert not found["self_training"]["x"][:, 2].any()
    np.testing.assert_allclose(found["self_training"]["x"].sum(1), 1.0)


def test_class_gaussian_recovers_means_and_covariance():
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0, 0.0], [3.0, -1.0, 2.0]])
    covariance = np.array([[2.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 0.5]])
    labels = np.arange(20_000) % 2
    vectors = means[labels] + rng.multivariate_normal(np.zeros(3), covariance, size=20_000)
    fitted = ClassGaussian.fit(vectors, labels, 2)
    np.testing.assert_allclose(fitted.means, means, atol=0.05)
    np.testing.assert_allclose(fitted.root @ fitted.root.T, covariance, atol=0.05)
    fakes = fitted.sample(labels, seed=1)
    assert fakes.dtype == np.float32
    for c in (0, 1):
        np.testing.assert_allclose(fakes[labels == c].mean(0), means[c], atol=0.07)
        np.testing.assert_allclose(np.cov(fakes[labels == c].T), covariance, atol=0.1)


def test_class_gaussian_exists_with_fewer_rows_than_dimensions():
    vectors, truth, labels = blobs(width=12, rows=20, labeled=2)
    fitted = ClassGaussian.fit(vectors, labels, 2)
    known = labels >= 0
    np.testing.assert_allclose(fitted.means[0], vectors[known & (truth == 0)].mean(0), rtol=1e-5)
    variances = np.linalg.eigvalsh(fitted.root @ fitted.root.T)
    assert (variances > 1e-6).all()  # shrunk toward the identity: no direction is lost
    assert np.isfinite(fitted.sample(np.array([0, 1, 1]), seed=0)).all()


def test_class_gaussian_without_rows_of_a_class_uses_the_mean_of_all():
    fitted = ClassGaussian.fit(VECTORS, TRUTH, 3)
    np.testing.assert_allclose(fitted.means[2], VECTORS.mean(0), rtol=1e-4, atol=1e-6)


def test_class_gaussian_samples_are_those_of_the_seed():
    fitted, labels = ClassGaussian.fit(VECTORS, TRUTH, 2), np.array([0, 1, 0])
    np.testing.assert_array_equal(fitted.sample(labels, seed=2), fitted.sample(labels, seed=2))
    assert not np.array_equal(fitted.sample(labels, seed=2), fitted.sample(labels, seed=3))
