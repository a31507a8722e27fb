"""The measures of a study's rows are those of the tables, found for less."""

import numpy as np
import pytest

from analysis import collapse_report, measure_all
from analysis.metrics.outline import Outline


@pytest.fixture(scope="module")
def rows():
    """Return real rows of three classes and two sets of fakes, one of them far off."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    near, real = rng.normal(size=(2, 90, 8)) + labels[None, :, None]
    return real, labels, near, 2.0 * near


@pytest.mark.parametrize("most", [1000, 60])
def test_every_number_is_that_of_the_tables(rows, most):
    real, labels, *sets = rows
    outline = Outline(real, labels, most=most, rng=3)
    for fake in sets:
        found = outline.measure(fake)
        table = measure_all(real, labels, fake, labels, permutations=9, most=most, rng=3)
        table = table[table["class"] == "overall"].set_index("measure")
        report = collapse_report(real, labels, fake, labels, rng=3).iloc[-1]
        recovery = found.pop("conditional_accuracy")
        assert recovery == (report["conditional_accuracy"], report["conditional_floor"])
        for measure, (value, floor) in found.items():
            assert (value, floor) == tuple(table.loc[measure, ["value", "floor"]]), measure


def test_fakes_stand_beside_as_many_real_rows(rows):
    real, labels, near, _ = rows
    with pytest.raises(ValueError, match="found 89 rows; want 90"):
        Outline(real, labels).measure(near[1:])
