"""What fakes are good for: against closed forms, scikit-learn, and p-values under the null."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import ledoit_wolf

from analysis import accuracy_interval, classifier_two_sample, memorization, use_report
from analysis.metrics.utility import LinearClassifier, utility

CLASSES = 3


def draw(seed, rows, distance=1.0, width=8):
    """Draw rows of unit Gaussians, a mean a class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % CLASSES
    return rng.normal(size=(rows, width)) + distance * np.eye(CLASSES, width)[labels], labels


def assert_uniform(p_values):
    """Check p-values of a true hypothesis: no excess of small ones, and all of them there."""
    p_values = np.asarray(p_values)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert stats.binom.sf((p_values <= 0.1).sum() - 1, len(p_values), 0.1) > 0.01


def test_the_classifier_is_the_bayes_rule_of_gaussians_with_one_shrunk_covariance():
    rows, labels = (part[:80] for part in draw(0, 90))
    means = np.stack([rows[labels == c].mean(axis=0) for c in range(CLASSES)])
    covariance = ledoit_wolf(rows - means[labels], assume_centered=True)[0]
    new = draw(1, 200)[0]
    likelihoods = [stats.multivariate_normal(mean, covariance).logpdf(new) for mean in means]
    truth = (np.stack(likelihoods, axis=1) + np.log(np.bincount(labels) / 80)).argmax(axis=1)
    assert LinearClassifier.fit(rows, labels).hits(new, truth).mean() > 0.99


def test_the_classifier_takes_a_row_a_class_and_dead_columns():
    new, truth = draw(1, 60, distance=20.0)
    one = LinearClassifier.fit(*draw(0, 3, distance=20.0))
    assert one.hits(new, truth).all()
    rows, labels = draw(0, 30, distance=20.0)
    dead = np.hstack([rows, 1e-32 * np.random.default_rng(0).normal(size=(30, 1))])
    wide = np.hstack([new, 0.1 * np.ones((60, 1))])
    assert LinearClassifier.fit(dead, labels).hits(wide, truth).all()


@pytest.fixture(scope="module")
def real():
    return draw(2, 240)


def test_fakes_like_real_rows_are_worth_what_real_rows_are(real):
    few = draw(4, 6)
    found = utility(*real, *draw(3, 240), few=few[0], few_labels=few[1])
    for name in ("train_on_fake", "test_on_fake", "augmentation"):
        use = found[name].of()
        assert use.rows == 240
        assert use.interval.low <= use.floor <= use.interval.high
    assert found["train_on_fake"].of().p_value > 0.05
    gain = found["augmentation"].of()
    assert gain.interval.low > 0.0  # six rows are few
    assert gain.p_value < 0.01


def test_swapped_fakes_are_useless_and_harm(real):
    vectors, labels = draw(3, 240, distance=4.0)
    far = draw(2, 240, distance=4.0)
    few = draw(4, 30, distance=4.0)
    found = utility(*far, vectors, (labels + 1) % 3, few=few[0], few_labels=few[1])
    assert found["train_on_fake"].of().value < 0.05
    assert found["test_on_fake"].of().value < 0.05
    assert found["train_on_fake"].of().floor > 0.95
    assert found["augmentation"].of().value < -0.5
    assert found["train_on_fake"].of(1).value < 0.05


def test_fakes_in_other_shares_of_the_classes_are_not_worse_for_it():
    """Nine of ten real rows are of one class, fakes of a perfect generator of three alike."""
    vectors, labels = draw(20, 900)
    kept = (labels == 0) | (np.arange(900) < 90)
    found = utility(vectors[kept], labels[kept], *draw(21, 300))["test_on_fake"]
    assert np.bincount(found.labels).tolist() == np.bincount(found.floor_labels).tolist()
    assert found.of().p_value > 0.05


def test_mcnemar_and_fisher_p_values_equal_scipys(real):
    found = utility(*real, *draw(5, 120, distance=0.7))
    trained, tested = found["train_on_fake"], found["test_on_fake"]
    won = int((trained.hits & ~trained.floor_hits).sum())
    lost = int((~trained.hits & trained.floor_hits).sum())
    assert trained.of().p_value == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    table = [[part.sum(), (~part).sum()] for part in (tested.hits, tested.floor_hits)]
    assert tested.of().p_value == pytest.approx(stats.fisher_exact(table).pvalue)
    assert len(tested.hits) == 120


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda rows: rows + 0.6, 0.6),
        (lambda rows: 0.6 * rows, 0.6),
        (lambda rows: rows.mean(axis=0) + 0 * rows, 0.9),
    ],
    ids=["shifted", "shrunk", "one point"],
)
def test_a_classifier_tells_fakes_that_differ(change, least):
    test = classifier_two_sample(draw(6, 100)[0], change(draw(7, 100)[0]), permutations=199)
    assert test.accuracy > least
    assert test.p_value == 1 / 200
    assert test.null == pytest.approx(0.5, abs=0.02)
    assert test.interval.low < test.accuracy < test.interval.high
    assert test.null_interval.low < 0.5 < test.null_interval.high < test.accuracy


def test_p_values_of_the_classifier_are_uniform_under_the_null():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(60, 2, 24, 4))
    tests = [classifier_two_sample(a, b, permutations=99, rng=rng) for a, b in samples]
    assert_uniform([test.p_value for test in tests])
    assert np.mean([test.accuracy for test in tests]) == pytest.approx(0.5, abs=0.03)


def test_copies_are_found_and_new_rows_are_not():
    rng = np.random.default_rng(1)
    train, held_out, new = rng.normal(size=(3, 200, 6))
    copied = memorization(train + 0.01 * rng.normal(size=train.shape), train, held_out)
    assert copied.nearer_to_train == 1.0
    assert copied.p_value == 1 / 1000
    assert copied.authenticity < 0.05
    assert copied.copies > 0.95
    honest = memorization(new, train, held_out)
    assert honest.interval.low < 0.5 < honest.interval.high
    assert honest.p_value > 0.05
    assert honest.authenticity == pytest.approx(honest.authenticity_floor, abs=0.12)
    assert honest.copies < 0.05
    assert copied.null_interval.low < 0.5 < copied.null_interval.high < 0.6
    for found in (copied, honest):
        for name, rows in (
            ("authenticity", 200),
            ("authenticity_floor", 200),
            ("copies", 200),
            ("copies_floor", 100),
        ):
            count = round(getattr(found, name) * rows)
            assert getattr(found, f"{name}_interval") == accuracy_interval(count, rows)


def test_what_chance_gives_lies_where_the_binomial_law_puts_it():
    """Fakes that are alone with their nearest row are dealt out by the toss of a coin each."""
    train, held_out = np.arange(0.0, 800.0, 2.0)[:, None], np.arange(1.0, 801.0, 2.0)[:, None]
    fake = np.arange(0.0, 800.0, 8.0)[:, None] + 0.1
    found = memorization(fake, train, held_out)
    # 100 of 800 rows have a fake each; 400 are marked: hypergeometric.
    low, high = stats.hypergeom.ppf((0.025, 0.975), 800, 100, 400) / 100
    assert found.null_interval.low == pytest.approx(low, abs=0.015)
    assert found.null_interval.high == pytest.approx(high, abs=0.015)
    assert found.nearer_to_train == 1.0


def test_fakes_in_the_dense_region_are_no_copies():
    """A shrunk generator lies nearer to training rows than held-out rows do, and repeats none."""
    rng = np.random.default_rng(2)
    train, held_out, new = rng.normal(size=(3, 300, 6))
    shrunk = memorization(0.3 * new, train, held_out)
    assert shrunk.p_value > 0.05
    assert shrunk.authenticity < shrunk.authenticity_floor - 0.2  # which takes them for copies


def test_p_values_of_memorization_are_uniform_under_the_null_even_where_rows_repeat():
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(80):
        pool = rng.normal(size=(70, 3))
        train, held_out = (pool[rng.integers(70, size=60)] for _ in range(2))
        fake = rng.normal(size=(80, 3))
        p_values.append(memorization(fake, train, held_out, permutations=99, rng=rng).p_value)
    assert_uniform(p_values)


def test_authenticity_equals_its_definition():
    train, held_out = np.array([[0.0], [1.0], [5.0]]), np.array([[9.0], [9.5], [10.0], [11.0]])
    # From their nearest rows they are 0.5, 1.9 and 0.1; those from their own nearest 1, 1 and 4.
    fake = np.array([[0.5], [2.9], [4.9]])
    found = memorization(fake, train, held_out)
    assert found.authenticity == pytest.approx(1 / 3)


def test_the_report_has_a_row_a_measure_and_class_with_floors(real):
    train, train_y = draw(8, 90)
    labels = np.where(np.arange(90) < 30, train_y, -1)
    vectors, asked = draw(9, 100)
    keep = (asked != 2) | (np.arange(100) < 12)  # four fakes of class 2
    report = use_report(*real, vectors[keep], asked[keep], train=train, train_labels=labels)
    assert report.columns.tolist() == [
        *("class", "measure", "value", "low", "high", "floor", "floor_low", "floor_high"),
        *("p_value", "rows", "note"),
    ]
    whole = report[report["class"] == "overall"].set_index("measure")
    assert whole.index.tolist() == [
        *("train_on_fake", "test_on_fake", "augmentation", "two_sample"),
        *("nearer_to_train", "authenticity", "copies"),
    ]
    assert (whole["note"] == "").all()
    assert whole["value"].notna().all()
    assert whole["floor"].notna().all()
    assert (whole["low"] <= whole["value"]).all()
    assert (whole["value"] <= whole["high"]).all()
    assert (whole["floor_low"] <= whole["floor"]).all()
    assert (whole["floor"] <= whole["floor_high"]).all()
    rare = report[report["class"] == 2].set_index("measure")
    assert (rare["note"] == "not measured: 4 rows, 15 are needed").all()
    assert rare["value"].isna().all()
    again = use_report(*real, vectors[keep], asked[keep], train=train, train_labels=labels)
    assert report.equals(again)


def test_what_cannot_be_measured_says_why(real):
    one = use_report(real[0], np.zeros(240), draw(1, 60)[0], np.zeros(60))
    notes = one.set_index(["class", "measure"])["note"]
    assert notes["overall", "train_on_fake"] == "fewer than two classes with rows of both"
    assert notes["overall", "two_sample"] == ""
    assert "augmentation" not in set(one["measure"])
    few = use_report(*draw(0, 12), *draw(1, 12), train=draw(2, 5)[0])
    assert (
        few.set_index("measure").loc["nearer_to_train", "note"].startswith("not measured: 5 rows")
    )


def test_what_does_not_fit_is_named(real):
    with pytest.raises(ValueError, match=r"train: found shape \(4, 3\); want 8 features"):
        use_report(*real, *real, train=np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"train_labels: found shape \(2,\)"):
        use_report(*real, *real, train=real[0], train_labels=[0, 1])
    with pytest.raises(ValueError, match=r"few_labels: found shape \(\); want .* \(4,\)"):
        utility(*real, *real, few=real[0][:4])
    with pytest.raises(ValueError, match="folds: found 9 with 5 rows of each kind"):
        classifier_two_sample(np.eye(5), np.eye(5), folds=9)
    with pytest.raises(ValueError, match=r"held_out: found shape \(3, 3\); want at least 4 rows"):
        memorization(np.eye(3), np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match=r"fake: found shape .* with NaN"):
        classifier_two_sample(np.eye(3), np.full((3, 3), np.nan))
