"""Every way of collapsing is flagged by the measures that should see it; real data by none."""

import numpy as np
import pytest

from analysis import collapse_report
from analysis.metrics.collapse import collapse_reports
from analysis.metrics.gauge import Gauge

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


@pytest.fixture(scope="module")
def train():
    return mixture(50, 600)


def one_point(real, train):
    labels = np.arange(150) % CLASSES
    return class_means(*real)[labels], labels


def two_modes(real, train):
    return mixture(2, 300, modes=2)


def memorized_rows(real, train):
    rng = np.random.default_rng(6)
    vectors, labels = (part[:300] for part in train)
    return vectors + 0.05 * rng.normal(size=vectors.shape), labels


def shrunk(real, train):
    vectors, labels = mixture(3, 300)
    means = class_means(*real)[labels]
    return means + 0.4 * (vectors - means), labels


def swapped(real, train):
    vectors, labels = mixture(21, 300)
    return vectors, (labels + 1) % CLASSES


def few_points(real, train):
    vectors, labels = mixture(1, 12)
    rows = np.arange(240) % 12
    return vectors[rows], labels[rows]


def one_direction(real, train):
    vectors, labels = mixture(4, 300)
    means = class_means(*real)[labels]
    axis = np.ones(DIMENSION) / 4
    return means + 1.5 * ((vectors - means) @ axis)[:, None] * axis, labels


def held_out(real, train):
    return mixture(7, 300)


# Which failure is seen by which measure, class by class: "+" by all three classes, "-" by none;
# "." is not said, as the measure is about something else that the failure touches too.
MEASURES = (
    *("rank_ratio", "spread_ratio", "vendi_ratio", "distinct_ratio", "duplicate_rate"),
    *("missed_modes", "different_bins", "conditional_accuracy", "memorized"),
)
TABLE = {
    #                rank spread vendi distinct duplicates missed bins class copies  verdict
    one_point:      ("+   +      +     +        +          +      +    -     -", "collapsed"),
    two_modes:      (".   .      +     .        -          +      +    -     -", "collapsed"),
    memorized_rows: ("-   -      -     -        -          -      -    -     +", "memorized"),
    shrunk:         ("-   +      +     .        -          .      +    -     -", "collapsed"),
    swapped:        ("-   -      -     .        -          .      +    +     -", "off class"),
    few_points:     (".   .      .     +        +          .      .    -     -", "collapsed"),
    one_direction:  ("+   .      +     .        -          .      +    .     -", "collapsed"),
    held_out:       ("-   -      -     -        -          -      -    -     -", "sound"),
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(real, train):
    return {
        failure: collapse_report(*real, *failure(real, train), train=train[0], rng=1)
        for failure in TABLE
    }


@pytest.mark.parametrize("failure", TABLE, ids=lambda failure: failure.__name__)
def test_which_measure_sees_which_failure(reports, failure):
    report, (expected, verdict) = reports[failure], TABLE[failure]
    assert report["class"].tolist() == [0, 1, 2, "overall"]
    flags = [set(filter(None, text.split(", "))) for text in report["flags"]]
    for name, mark in zip(MEASURES, expected.split(), strict=True):
        seen = [name in of_class for of_class in flags[:CLASSES]]
        assert mark == "." or all(seen) == any(seen) == (mark == "+"), (name, seen)
    assert set(report["verdict"]) == {verdict}
    assert report["collapsed"].tolist() == [verdict == "collapsed"] * 4
    assert (report["reason"].str.len() > 10).all() == (verdict != "sound")


@pytest.mark.parametrize(("seed", "rows"), [(10, 60), (11, 300), (12, 900)])
def test_held_out_real_rows_are_sound_at_any_size(real, seed, rows):
    report = collapse_report(*real, *mixture(seed, rows), rng=seed)
    assert set(report["verdict"]) == {"sound"}, report[["class", "reason"]].to_string()
    assert (report["reason"] == "").all()
    assert report["memorized"].isna().all()  # nothing to have memorized was given
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


def test_swapped_labels_show_in_conditional_accuracy(reports):
    report = reports[swapped]
    assert report["conditional_accuracy"].max() < 0.1
    assert report["conditional_floor"].min() > 0.9
    assert report["reason"].str.contains("0% of the fakes are recognized as their class").all()


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


def test_deterministic(real, train, reports):
    again = collapse_report(*real, *held_out(real, train), train=train[0], rng=1)
    assert again.equals(reports[held_out])
    assert not any(name.startswith("_") for name in again)


def test_a_dead_column_does_not_hide_the_classes_of_fakes(real):
    """all-MiniLM-L6-v2 has columns of spread 1e-32; scaled by it, one column outweighed all."""
    rng = np.random.default_rng(0)
    fake, fake_y = mixture(5, 300)
    vectors, labels = real

    def widened(rows, spread):
        return np.hstack([rows, spread * rng.normal(size=(len(rows), 1))])

    report = collapse_report(widened(vectors, 1e-32), labels, widened(fake, 0.01), fake_y)
    assert report.iloc[-1]["conditional_accuracy"] > 0.95


def test_limits_come_from_real_rows_in_the_place_of_fakes(real):
    """Twenty parts of real rows lie on the right side of every limit, by the stated step."""
    gauge = Gauge(real[0], 300, rng=np.random.default_rng(0))
    assert gauge.calibrated
    assert gauge.size == 300
    for name in ("rank_ratio", "spread_ratio", "vendi_ratio"):
        assert gauge.floors[name].shape == (20,)
        assert gauge.floors[name].mean() == pytest.approx(1.0, abs=0.05)
        assert gauge.limits[name] < gauge.floors[name].min()
    assert gauge.limits["missed_modes"] == gauge.floors["missed_modes"].max() + 0.2
    # Fewer rows are noisier, and their limits give more way.
    small = Gauge(real[0][:60], 30, rng=np.random.default_rng(0))
    assert small.limits["rank_ratio"] < gauge.limits["rank_ratio"]


RATIOS = ("rank_ratio", "spread_ratio", "vendi_ratio", "distinct_ratio")
JUDGED = (*RATIOS, "duplicate_rate", "missed_modes")


def test_every_measure_stands_between_its_ends_beside_its_floor(reports):
    for report in (reports[held_out], reports[shrunk]):
        for name in (*JUDGED, "conditional_accuracy", "memorized"):
            assert (report[f"{name}_low"] <= report[name]).all(), name
            assert (report[name] <= report[f"{name}_high"]).all(), name
    for name in RATIOS:
        assert reports[held_out][f"{name}_floor"].to_numpy() == pytest.approx(1.0, abs=0.06)
        found = reports[held_out]
        assert (found[f"{name}_low"] < found[f"{name}_floor_high"]).all(), name
        assert (found[f"{name}_floor_low"] < found[f"{name}_high"]).all(), name
    for name in ("spread_ratio", "vendi_ratio"):
        assert (reports[shrunk][f"{name}_high"] < reports[shrunk][f"{name}_floor_low"]).all()
    whole, swap = reports[held_out].iloc[-1], reports[swapped].iloc[-1]
    assert swap["conditional_accuracy_high"] < whole["conditional_floor_low"]
    assert whole["memorized_high"] < 0.06 < reports[memorized_rows].iloc[-1]["memorized_low"]


def test_several_sets_at_once_are_each_as_if_alone(real, train):
    few = [part[:120] for part in real]
    fakes = [failure(real, train)[0][:90] for failure in (shrunk, two_modes)]
    labels = shrunk(real, train)[1][:90]
    together = collapse_reports(*few, fakes, labels, train=train[0][:60], rng=1)
    assert together[0]["vendi_fake"].tolist() != together[1]["vendi_fake"].tolist()
    for report, fake in zip(together, fakes, strict=True):
        assert report.equals(collapse_report(*few, fake, labels, train=train[0][:60], rng=1))


def test_few_real_rows_have_fixed_limits_and_no_interval(real):
    gauge = Gauge(real[0][:20], 20, rng=np.random.default_rng(0))
    assert not gauge.calibrated
    assert gauge.limits["rank_ratio"] == 0.5
    values = gauge.read(np.repeat(real[0][:1], 20, axis=0), rng=np.random.default_rng(0))
    assert values["spread_ratio"] == 0.0
    assert {"rank_ratio", "duplicate_rate"} <= set(gauge.beyond(values))
    assert np.isnan(gauge.limits["distinct_ratio"])  # no real rows say what is usual
    repeated = Gauge(np.repeat(real[0][:10], 2, axis=0), 20, rng=np.random.default_rng(0))
    assert repeated.limits["duplicate_rate"] == 1.4
    few = collapse_report(real[0][:20], np.zeros(20), real[0][20:40], np.zeros(20)).iloc[0]
    assert few["rank_ratio"] > 0.5
    assert few[["rank_ratio_low", "rank_ratio_high", "rank_ratio_floor"]].isna().all()


def test_more_rows_than_are_looked_at_take_bounded_memory(monkeypatch, real):
    monkeypatch.setattr("analysis.metrics.gauge.MOST_ROWS", 100)
    gauge = Gauge(real[0], 300, rng=np.random.default_rng(0))
    assert len(gauge.real) == 100
    values = gauge.read(mixture(9, 400)[0], rng=np.random.default_rng(1))
    assert 0.6 < values["rank_ratio"] < 1.5
    assert not gauge.beyond(values)
