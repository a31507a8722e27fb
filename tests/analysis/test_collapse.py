"""Every way of collapsing is flagged, and held-out real data is not."""

import numpy as np
import pytest

from analysis import collapse_report

CLASSES, MODES, DIMENSION = 3, 5, 16


def mixture(seed, rows, modes=MODES):
    """Draw (vectors, labels): every class is a mixture of five modes."""
    rng = np.random.default_rng(seed)
    centers = 5 * np.random.default_rng(99).normal(size=(CLASSES, MODES, DIMENSION))
    labels = np.arange(rows) % CLASSES
    mode = rng.integers(modes, size=rows)
    noise = rng.normal(size=(rows, DIMENSION))
    return centers[labels, mode] + 12 * np.eye(CLASSES, DIMENSION)[labels] + noise, labels


def class_means(vectors, labels):
    return np.stack([vectors[labels == label].mean(axis=0) for label in range(CLASSES)])


@pytest.fixture(scope="module")
def real():
    return mixture(0, 600)


def one_point(real):
    labels = np.arange(150) % CLASSES
    return class_means(*real)[labels], labels


def few_points(real):
    vectors, labels = mixture(1, 12)
    rows = np.arange(240) % 12
    return vectors[rows], labels[rows]


def two_modes(real):
    return mixture(2, 300, modes=2)


def shrunk(real):
    vectors, labels = mixture(3, 300)
    means = class_means(*real)[labels]
    return means + 0.4 * (vectors - means), labels


def one_direction(real):
    vectors, labels = mixture(4, 300)
    means = class_means(*real)[labels]
    axis = np.ones(DIMENSION) / 4
    return means + 1.5 * ((vectors - means) @ axis)[:, None] * axis, labels


@pytest.mark.parametrize("generator", [one_point, few_points, two_modes, shrunk, one_direction])
def test_collapse_is_flagged_in_every_class(real, generator):
    report = collapse_report(*real, *generator(real))
    assert report["class"].tolist() == [0, 1, 2, "overall"]
    assert report["collapsed"].all(), report[["class", "reason"]].to_string()
    assert (report["reason"].str.len() > 10).all()


@pytest.mark.parametrize("rows", [60, 300, 900])
@pytest.mark.parametrize("seed", [10, 11, 12])
def test_held_out_real_rows_are_not(real, rows, seed):
    report = collapse_report(*real, *mixture(seed, rows), rng=seed)
    assert not report["collapsed"].any(), report[["class", "reason"]].to_string()
    assert (report["reason"] == "").all()
    assert report["conditional_accuracy"].min() > 0.9
    assert report["rank_ratio"].between(0.7, 1.4).all()
    assert report["missed_modes"].max() < 0.2


def test_one_collapsed_class_is_named_though_classes_separate(real):
    vectors, labels = mixture(20, 300)
    vectors[labels == 1] = class_means(*real)[1]
    report = collapse_report(*real, vectors, labels)
    assert report["collapsed"].tolist() == [False, True, False, True]
    assert report["conditional_accuracy"].iloc[-1] > 0.9
    assert "inside 1 of 3 classes" in report["reason"].iloc[-1]
    assert report["vendi_fake"].iloc[1] == pytest.approx(1.0)
    assert report["duplicate_rate"].iloc[1] == 1.0


def test_swapped_labels_show_in_conditional_accuracy(real):
    vectors, labels = mixture(21, 300)
    report = collapse_report(*real, vectors, (labels + 1) % CLASSES)
    assert report["conditional_accuracy"].max() < 0.1
    assert report["conditional_floor"].min() > 0.9


@pytest.mark.parametrize(("rows", "fakes"), [(600, 300), (150, 600)])
def test_duplicates_that_real_rows_have_too_are_no_reason(rows, fakes):
    """Short phrases recur in real corpora, the more so the more rows are drawn."""
    vectors, labels = mixture(22, 300)
    rng = np.random.default_rng(0)
    first, second = rng.integers(300, size=rows), rng.integers(300, size=fakes)
    report = collapse_report(vectors[first], labels[first], vectors[second], labels[second])
    assert report["duplicate_rate"].max() > 0.1
    assert not report["collapsed"].any()


def test_text_labels_missing_classes_and_few_rows():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(43, 4)), rng.normal(size=(24, 4))
    real_labels = np.array(["a"] * 20 + ["b"] * 20 + ["rare"] * 3)
    fake_labels = np.array(["a"] * 20 + ["rare"] * 4)
    report = collapse_report(real, real_labels, fake, fake_labels).set_index("class")
    assert report.index.tolist() == ["a", "b", "rare", "overall"]
    assert report.loc["b", "fake"] == 0
    assert not report.loc["b", "collapsed"]
    assert report.loc["rare", "reason"] == "not judged: fewer than 15 rows"
    assert np.isnan(report.loc["rare", "rank_ratio"])


def test_one_class_only_leaves_recognition_unmeasured():
    rng = np.random.default_rng(1)
    labels = np.zeros(60, dtype=int)
    report = collapse_report(rng.normal(size=(60, 4)), labels, rng.normal(size=(60, 4)), labels)
    assert report["conditional_accuracy"].isna().all()
    assert not report["collapsed"].any()


def test_deterministic(real):
    fake = mixture(23, 90)
    first, second = collapse_report(*real, *fake), collapse_report(*real, *fake)
    assert first.equals(second)


def test_a_dead_column_does_not_hide_the_classes_of_fakes(real):
    """all-MiniLM-L6-v2 has columns of spread 1e-32; scaled by it, one column outweighed all."""
    rng = np.random.default_rng(0)
    fake, fake_y = mixture(5, 300)
    vectors, labels = real

    def widened(rows, spread):
        return np.hstack([rows, spread * rng.normal(size=(len(rows), 1))])

    report = collapse_report(widened(vectors, 1e-32), labels, widened(fake, 0.01), fake_y)
    assert report.iloc[-1]["conditional_accuracy"] > 0.95
