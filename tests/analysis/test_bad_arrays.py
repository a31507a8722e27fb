"""Every measure refuses what it cannot measure, and says which argument is wrong and how."""

from importlib.util import find_spec

import numpy as np
import pytest

from analysis import (
    all_maps,
    classifier_two_sample,
    collapse_report,
    energy_distance,
    frechet,
    frechet_distance,
    frechet_limit,
    frechet_rows,
    kernel_distance,
    label_agreement,
    map_series,
    measure_all,
    measure_together,
    memorization,
    memorized,
    nearest_real,
    pca_map,
    prdc,
    prdc_floors,
    real_floor,
    sliced_wasserstein,
    topic_words,
    tsne_map,
    two_sample_test,
    typicality,
    umap_map,
    use_report,
)
from analysis.metrics.collapse import collapse_reports
from analysis.metrics.summary import measure_sets

GOOD = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 2


def zeros(rows):
    return np.zeros(len(rows))


def labeled(measure, **options):
    """Give every row of both arrays the same class."""
    return lambda a, b: measure(a, zeros(a), b, zeros(b), **options)


# By name: what it takes, and the names of the two arrays in messages.
MEASURES = {
    "frechet": (frechet_distance, "real", "fake"),
    "frechet parts": (frechet, "real", "fake"),
    "frechet limit": (frechet_limit, "real", "fake"),
    "kernel": (kernel_distance, "real", "fake"),
    "energy": (energy_distance, "real", "fake"),
    "wasserstein": (sliced_wasserstein, "real", "fake"),
    "prdc": (prdc, "real", "fake"),
    "prdc floors": (lambda a, b: prdc_floors(a, other=b, k=1), "real", "other"),
    "floor": (lambda a, b: real_floor(a, frechet_distance, other=b), "real", "other"),
    "together": (measure_together, "real", "fake"),
    "two samples": (two_sample_test, "real", "fake"),
    "all": (labeled(measure_all), "real", "fake"),
    "use": (labeled(use_report), "real", "fake"),
    "classifier": (classifier_two_sample, "real", "fake"),
    "collapse": (labeled(collapse_report), "real", "fake"),
    "memorization": (lambda a, b: memorization(GOOD, a, b), "train", "held_out"),
    "tsne": (tsne_map, "real", "fake"),
    "pca": (pca_map, "real", "fake"),
    "maps": (all_maps, "real", "fake"),
}
if find_spec("umap"):
    MEASURES["umap"] = (umap_map, "real", "fake")
# These take a single row of either.
POINTS = {
    "nearest": (nearest_real, "fake", "real"),
    "memorized": (lambda a, b: memorized(b, a, GOOD), "train", "fake"),
    "held out": (lambda a, b: memorized(GOOD, a, b), "train", "held_out"),
    "typicality": (lambda a, b: typicality(a, b, zeros(a), zeros(b)), "fake", "real"),
    "agreement": (labeled(label_agreement, k=1), "fake", "real"),
    "copies": (lambda a, b: collapse_report(a, zeros(a), a, zeros(a), train=b), "real", "train"),
    "gain": (
        lambda a, b: use_report(a, zeros(a), a, zeros(a), train=b, train_labels=zeros(b)),
        "real",
        "train",
    ),
}
BAD = {
    "vector": (np.ones(5), r"found shape \(5,\); want \(rows, features\)"),
    "no features": (np.ones((5, 0)), r"found shape \(5, 0\); want \(rows, features\)"),
    "cube": (np.ones((5, 3, 2)), r"found shape \(5, 3, 2\)"),
    "no rows": (np.ones((0, 3)), r"found shape \(0, 3\); want at least [124] rows"),
    "words": (np.array([["a", "b", "c"]] * 4), "found values that are no numbers"),
    "complex": (np.full((5, 3), 1j), "found values that are no numbers"),
    "nan": (np.where(np.eye(5, 3) > 0, np.nan, 1.0), "NaN or infinity in 3 rows"),
    "infinity": (np.full((5, 3), np.inf), "NaN or infinity in 5 rows"),
    "beyond float32": (np.full((5, 3), -1e39), r"found values up to 1.0e\+39; want at most 3.4e"),
    "last row": (np.vstack([GOOD, [[0, 0, np.nan]]]), r"in 1 rows \(the first is 20\)"),
}


@pytest.mark.parametrize(
    ("measure", "first", "second"),
    [*MEASURES.values(), *POINTS.values()],
    ids=[*MEASURES, *POINTS],
)
def test_bad_arrays_are_named(measure, first, second):
    for array, message in BAD.values():
        with pytest.raises(ValueError, match=rf"^{first}: .*{message}"):
            measure(array, GOOD)
        with pytest.raises(ValueError, match=rf"^{second}: .*{message}"):
            measure(GOOD, array)
    with pytest.raises(ValueError, match=rf"^{second}: found shape \(20, 2\); want 3 features"):
        measure(GOOD, GOOD[:, :2])


@pytest.mark.parametrize(("measure", "first", "second"), MEASURES.values(), ids=MEASURES)
def test_one_row_is_too_few(measure, first, second):
    match = r"found shape \(1, 3\); want at least [24] rows"
    with pytest.raises(ValueError, match=f"^{first}: {match}"):
        measure(GOOD[:1], GOOD)
    with pytest.raises(ValueError, match=f"^{second}: {match}"):
        measure(GOOD, GOOD[:1])


def test_arrays_that_stand_alone_are_named():
    frames = [GOOD, np.full((20, 3), np.nan)]
    for array, message in BAD.values():
        with pytest.raises(ValueError, match=rf"^real: .*{message}"):
            frechet_rows(array)
    with pytest.raises(ValueError, match="with NaN or infinity in 20 rows"):
        map_series(GOOD, {"start": GOOD, "end": frames[1]})
    with pytest.raises(ValueError, match=r"^neighbors: found float64 of shape \(20, 3\)"):
        topic_words(["a text"] * 20, GOOD, LABELS)
    with pytest.raises(ValueError, match=r"^neighbors: found indices 0 to 20; want 0 to 19"):
        topic_words(["a text"] * 20, np.arange(21)[:, None], np.zeros(21))


def of_labels(real, fake):
    """Name every function that takes classes of both sets, with labels filled in."""
    texts = ["a text"] * 20
    return {
        "all": lambda: measure_all(GOOD, real, GOOD, fake),
        "use": lambda: use_report(GOOD, real, GOOD, fake),
        "collapse": lambda: collapse_report(GOOD, real, GOOD, fake),
        "typicality": lambda: typicality(GOOD, GOOD, fake, real),
        "agreement": lambda: label_agreement(GOOD, fake, GOOD, real),
        "train": lambda: use_report(GOOD, LABELS, GOOD, LABELS, train=GOOD, train_labels=fake),
        "words": lambda: topic_words(texts, np.zeros((20, 1), dtype=int), fake),
    }


MISSING = {
    "nan": np.where(np.arange(20) == 7, np.nan, LABELS),
    "none": np.array([*"ab" * 3, "a", None, *"ab" * 6], dtype=object),
    "nan in text": np.array([*"ab" * 3, "a", np.nan, *"ab" * 6], dtype=object),
}


@pytest.mark.parametrize("name", of_labels(LABELS, LABELS))
def test_labels_that_are_missing_or_no_vector_are_named(name):
    fake = "train_labels" if name == "train" else "fake_labels"
    for labels in MISSING.values():
        message = r"found no label in 1 of 20 rows \(the first is 7\); leave these rows out"
        with pytest.raises(ValueError, match=f"^{fake}: {message}"):
            of_labels(LABELS, labels)[name]()
        if name not in ("train", "words"):
            with pytest.raises(ValueError, match=f"^real_labels: {message}"):
                of_labels(labels, LABELS)[name]()
    for labels in (LABELS[:19], LABELS[:, None], 3):
        with pytest.raises(ValueError, match=rf"^{fake}: found shape .*; want .* \(20,\)"):
            of_labels(LABELS, labels)[name]()
    mixed = np.array([1, "a"] * 10, dtype=object)
    with pytest.raises(ValueError, match=f"^{fake}: found labels of several kinds"):
        of_labels(LABELS, mixed)[name]()


@pytest.mark.parametrize("name", [n for n in of_labels(LABELS, LABELS) if n != "words"])
def test_labels_of_another_kind_would_share_no_class(name):
    """Numbers as text are what a file gives; no row would be of its own class."""
    with pytest.raises(ValueError, match=r"labels: found '0' where real_labels has 0; want labels"):
        of_labels(LABELS, LABELS.astype(str))[name]()


def test_a_class_that_real_rows_lack_has_no_numbers():
    fake = np.where(LABELS == 1, 7, 0)
    table = measure_all(GOOD, LABELS, GOOD, fake, permutations=9)
    assert table[table["class"] == 7]["value"].isna().all()
    assert set(table[table["class"] == 7]["note"]) == {
        "0 real rows and 10 fakes; want at least 4 of either"
    }
    report = collapse_report(GOOD, LABELS, GOOD, fake).set_index("class")
    assert report.loc[7, "verdict"] == "not judged"
    use = use_report(GOOD, LABELS, GOOD, fake)
    assert use[use["class"] == 7]["value"].isna().all()
    assert np.isnan(typicality(GOOD, GOOD, fake, LABELS)[fake == 7]).all()
    agreement = label_agreement(GOOD, fake, GOOD, LABELS, k=3).set_index("class")
    assert agreement.loc[7, ["agreement", "chance"]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", [n for n in of_labels(LABELS, LABELS) if n != "words"])
def test_objects_are_the_labels_that_they_hold(name):
    """Columns of pandas hold text as objects, and its own integers."""
    text = np.array(["no", "yes"])[LABELS]
    for plain in (LABELS, text) if name != "train" else (LABELS,):
        held = plain.astype(object)
        found, expected = of_labels(held, held)[name](), of_labels(plain, plain)[name]()
        if name == "typicality":
            np.testing.assert_array_equal(found, expected)
        else:
            assert found.equals(expected)
    with pytest.raises(ValueError, match=r"labels: found labels of type tuple; want numbers or"):
        of_labels(LABELS, np.fromiter([(1,)] * 20, dtype=object))[name]()


@pytest.mark.parametrize("measure", [measure_sets, collapse_reports])
def test_sets_of_fakes_are_equally_many(measure):
    for other in (GOOD[:19], np.vstack([GOOD, GOOD[:1]])):
        match = rf"^fakes: found {len(other)} rows in set 1; want 20, as set 0 has"
        with pytest.raises(ValueError, match=match):
            measure(GOOD, LABELS, [GOOD, other], LABELS)
    with pytest.raises(ValueError, match=r"^fakes: found no set; want at least one"):
        measure(GOOD, LABELS, [], LABELS)


DISTANCES = {
    "frechet": lambda a, b: frechet_distance(a, b),
    "shrunk": lambda a, b: frechet_distance(a, b, covariance="ledoit-wolf"),
    "principal": lambda a, b: frechet_distance(a, b, components=2),
    "limit": lambda a, b: frechet_limit(a, b, components=1).value,
    "cubic": kernel_distance,
    "rbf": lambda a, b: kernel_distance(a, b, kernel="rbf"),
    "energy": energy_distance,
    "wasserstein": sliced_wasserstein,
}


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
def test_constant_columns_and_identical_sets_have_numbers(distance):
    """A column of one value adds nothing; the unbiased distance of a set from itself is below 0."""
    with_dead = np.hstack([GOOD, np.full((20, 2), 3.0)])
    same = distance(GOOD, GOOD)
    assert same == pytest.approx(0.0, abs=1e-6) or -1.0 < same < 0.0
    assert np.isfinite(distance(with_dead, with_dead))
    if distance in (DISTANCES["frechet"], DISTANCES["principal"], energy_distance):
        moved = np.hstack([GOOD + 1.0, np.full((20, 2), 3.0)])
        assert distance(with_dead, moved) == pytest.approx(distance(GOOD, GOOD + 1.0))
    equal = np.ones((20, 3))
    if distance is DISTANCES["rbf"]:
        with pytest.raises(ValueError, match=r"^real: found 20 equal rows; want rows that differ"):
            distance(equal, GOOD)
    else:
        assert distance(equal, equal) == pytest.approx(0.0, abs=1e-9)


def test_other_arguments_are_named():
    with pytest.raises(ValueError, match=r"k: found 20 with fake of shape \(20, 3\); want 1 to 19"):
        measure_together(np.tile(GOOD, (2, 1)), GOOD, k=20)
    with pytest.raises(ValueError, match=r"k: found 21 with real of shape \(20, 3\)"):
        nearest_real(GOOD, GOOD, k=21)
    with pytest.raises(ValueError, match="size: found 1"):
        real_floor(GOOD, frechet_distance, size=1)
    with pytest.raises(ValueError, match="repeats: found 0"):
        real_floor(GOOD, frechet_distance, repeats=0)
    with pytest.raises(ValueError, match="placement: found 'beside'"):
        tsne_map(GOOD, GOOD, placement="beside")
    with pytest.raises(ValueError, match="size: found 3"):
        pca_map(GOOD, GOOD, size=3)
