"""Every measure refuses what it cannot measure, and says which argument is wrong and how."""

import numpy as np
import pytest

from analysis import (
    classifier_two_sample,
    collapse_report,
    energy_distance,
    frechet_distance,
    frechet_limit,
    kernel_distance,
    measure_all,
    measure_together,
    memorized,
    nearest_real,
    pca_map,
    prdc,
    real_floor,
    sliced_wasserstein,
    tsne_map,
    two_sample_test,
    use_report,
)

GOOD = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.zeros(20, dtype=int)
MEASURES = {
    "frechet": frechet_distance,
    "frechet limit": frechet_limit,
    "kernel": kernel_distance,
    "energy": energy_distance,
    "wasserstein": sliced_wasserstein,
    "prdc": prdc,
    "together": measure_together,
    "two samples": two_sample_test,
    "all": lambda a, b: measure_all(a, np.zeros(len(a)), b, np.zeros(len(b))),
    "use": lambda a, b: use_report(a, np.zeros(len(a)), b, np.zeros(len(b))),
    "classifier": classifier_two_sample,
    "collapse": lambda a, b: collapse_report(a, np.zeros(len(a)), b, np.zeros(len(b))),
    "tsne": tsne_map,
    "pca": pca_map,
}
BAD = {
    "vector": (np.ones(5), r"found shape \(5,\); want \(rows, features\)"),
    "no features": (np.ones((5, 0)), r"found shape \(5, 0\); want \(rows, features\)"),
    "cube": (np.ones((5, 3, 2)), r"found shape \(5, 3, 2\)"),
    "one row": (np.ones((1, 3)), r"found shape \(1, 3\); want at least [24] rows"),
    "words": (np.array([["a", "b", "c"]] * 4), "found values that are no numbers"),
    "nan": (np.where(np.eye(5, 3) > 0, np.nan, 1.0), "NaN or infinity in 3 rows"),
    "infinity": (np.full((5, 3), np.inf), "NaN or infinity in 5 rows"),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize(("array", "message"), BAD.values(), ids=BAD)
def test_bad_arrays_are_named(measure, array, message):
    with pytest.raises(ValueError, match=rf"^real: .*{message}"):
        measure(array, GOOD)
    with pytest.raises(ValueError, match=rf"^fake: .*{message}"):
        measure(GOOD, array)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_different_widths(measure):
    with pytest.raises(ValueError, match=r"fake: found shape \(20, 2\); want 3 features"):
        measure(GOOD, GOOD[:, :2])


def test_other_arguments_are_named():
    with pytest.raises(ValueError, match=r"fake_labels: found shape \(3,\); want .* \(20,\)"):
        collapse_report(GOOD, LABELS, GOOD, LABELS[:3])
    with pytest.raises(ValueError, match=r"real_labels: found shape \(19,\); want .* \(20,\)"):
        measure_all(GOOD, LABELS[:19], GOOD, LABELS)
    with pytest.raises(ValueError, match=r"k: found 20 with fake of shape \(20, 3\); want 1 to 19"):
        measure_together(np.tile(GOOD, (2, 1)), GOOD, k=20)
    with pytest.raises(ValueError, match=r"k: found 21 with real of shape \(20, 3\)"):
        nearest_real(GOOD, GOOD, k=21)
    with pytest.raises(ValueError, match=r"held_out: found shape \(20, 2\)"):
        memorized(GOOD, GOOD, GOOD[:, :2])
    with pytest.raises(ValueError, match="size: found 1"):
        real_floor(GOOD, frechet_distance, size=1)
    with pytest.raises(ValueError, match="repeats: found 0"):
        real_floor(GOOD, frechet_distance, repeats=0)
    with pytest.raises(ValueError, match="placement: found 'beside'"):
        tsne_map(GOOD, GOOD, placement="beside")
    with pytest.raises(ValueError, match="size: found 3"):
        pca_map(GOOD, GOOD, size=3)
