"""Everything at once: values beside floors, overall and by class, NaN with its reason."""

import weakref

import numpy as np
import pytest

from analysis import frechet_distance, measure_all
from analysis.distances import as_generator
from analysis.metrics.pool import Draw, Pool
from analysis.metrics.summary import (
    MEASURES,
    SHARES,
    TESTED,
    WHOLE_ONLY,
    _frechet_rows,
    measure_sets,
)

LABELS = np.repeat([0, 1], 120)


def draw(rng, rows=240):
    return rng.normal(size=(rows, 4))


def cell(table, label, measure):
    return table[(table["class"] == label) & (table["measure"] == measure)].iloc[0]


def test_a_perfect_generator_is_at_the_floor():
    rng = np.random.default_rng(0)
    table = measure_all(draw(rng), LABELS, draw(rng), LABELS)
    assert table["class"].unique().tolist() == ["overall", 0, 1]
    of_class = [name for name in MEASURES if name not in WHOLE_ONLY]
    assert table["measure"].tolist() == [*MEASURES, *of_class, *of_class]
    assert set(table["rows"]) == {120, 60}
    assert (table["note"] == "").all()
    tested = table["measure"].isin(TESTED)
    assert (table[tested]["p_value"] > 0.01).all()
    assert table[~tested]["p_value"].isna().all()
    # Near a floor that chance alone decides the intervals are wide, never narrow.
    assert ((table["value"] > table["floor_low"]) & (table["value"] < table["floor_high"])).all()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_one_broken_class_stands_out_where_it_is():
    rng = np.random.default_rng(1)
    fake = draw(rng)
    fake[LABELS == 1] = 0.2 * fake[LABELS == 1] + 1.0
    table = measure_all(draw(rng), LABELS, fake, LABELS)
    for measure in ("frechet_distance", *TESTED):
        broken = cell(table, 1, measure)
        assert broken["low"] > broken["floor_high"], measure
        healthy = cell(table, 0, measure)
        assert healthy["value"] < healthy["floor_high"], measure
    assert (table[table["class"] == 1]["p_value"].dropna() == 0.005).all()
    assert cell(table, 1, "recall")["high"] < cell(table, 1, "recall")["floor_low"]


def test_what_cannot_be_measured_is_nan_and_says_why():
    rng = np.random.default_rng(2)
    real_y = np.repeat(["a", "b", "c", "d"], [100, 12, 8, 3])
    fake_y = np.repeat(["a", "b", "c", "new"], [100, 12, 8, 5])
    table = measure_all(draw(rng, 123), real_y, draw(rng, 125), fake_y)
    overall = table[table["class"] == "overall"]
    assert overall["value"].notna().all()
    # Each class loses first the Fréchet distance, then the shares, then everything.
    assert cell(table, "a", "frechet_distance")["value"] > 0.0
    few = cell(table, "b", "frechet_distance")
    assert np.isnan(few["value"])
    assert few["note"] == "6 rows; a Fréchet distance needs 50"
    assert cell(table, "b", "coverage")["value"] > 0.0
    assert cell(table, "c", "coverage")["note"] == "4 rows; 5 neighbors need 6"
    assert cell(table, "c", "energy_distance")["p_value"] > 0.0
    for label, note in (("d", "3 real rows and 0 fakes"), ("new", "0 real rows and 5 fakes")):
        rows = table[table["class"] == label]
        assert rows[["value", "floor", "p_value"]].isna().all(axis=None)
        assert (rows["note"] == f"{note}; want at least 4 of either").all()


def test_overall_keeps_a_doubtful_distance_with_a_warning():
    rng = np.random.default_rng(3)
    table = measure_all(draw(rng, 30), np.zeros(30), draw(rng, 30), np.zeros(30))
    doubtful = cell(table, "overall", "frechet_distance")
    assert doubtful["value"] > 0.0
    assert (
        doubtful["note"] == "15 rows; a Fréchet distance needs 50: compare it with the floor only"
    )


def test_equal_rows_and_repeated_rows_are_said():
    constant, labels = np.ones((30, 3)), np.zeros(30)
    table = measure_all(constant, labels, constant, labels)
    overall = table[table["class"] == "overall"].set_index("measure")
    assert overall.loc["rbf_distance", "note"] == "real rows are all equal and give no width"
    assert overall.loc[["kernel_distance", "energy_distance"], "value"].tolist() == [0.0, 0.0]
    assert overall.loc[["kernel_distance", "energy_distance"], "p_value"].tolist() == [1.0, 1.0]
    assert overall.loc[["precision", "recall", "coverage"], "value"].tolist() == [1.0, 1.0, 1.0]
    assert overall.loc["coverage", "note"] == "repeated rows: 100% real, 100% fake"


def test_shares_at_their_bounds_keep_intervals_within():
    rng = np.random.default_rng(4)
    table = measure_all(draw(rng), LABELS, draw(rng) + 40.0, LABELS, permutations=9)
    overall = table[(table["class"] == "overall") & table["measure"].isin(SHARES)]
    assert (overall["value"] == 0.0).all()
    assert (overall[["low", "high"]] == 0.0).all(axis=None)


@pytest.mark.parametrize("rows", [200, 400])
def test_a_perfect_generator_is_at_its_floor_in_principal_directions(rows):
    """Directions chosen by both real halves were nearer to real rows than to any fakes."""
    found = []
    for seed in range(3):
        real, fake = np.random.default_rng(seed).normal(size=(2, rows, 100))
        table = measure_all(real, np.zeros(rows), fake, np.zeros(rows), permutations=1, rng=seed)
        whole = table[table["class"] == "overall"].set_index("measure")
        for name in ("frechet_principal", "frechet_limit")[: 1 + (rows == 400)]:
            row = whole.loc[name]
            found.append(row["floor_low"] <= row["value"] <= row["floor_high"])
            assert row["value"] == pytest.approx(row["floor"], rel=0.15)
    assert all(found)


def test_variants_of_the_frechet_distance_stand_beside_their_floors():
    """A shift by (1, 0, …) is 1 in any space that holds it, at any number of rows."""
    rng = np.random.default_rng(6)
    spread = np.geomspace(1.0, 0.05, 40)
    real, other = rng.normal(size=(2, 300, 40)) * spread
    table = measure_all(real, np.zeros(300), other + np.eye(40)[0], np.zeros(300), permutations=9)
    whole = table[table["class"] == "overall"].set_index("measure")
    for name in ("frechet_distance", "frechet_shrunk", "frechet_principal", "frechet_limit"):
        found = whole.loc[name]
        assert found["floor_low"] <= found["floor"] <= found["floor_high"] < found["low"]
        assert found["value"] - found["floor"] == pytest.approx(1.0, abs=0.35)
        assert found["rows"] == 150
    bias = whole["floor"]
    # Over seeds the floor of the limit is -0.016 with a deviation of 0.012.
    assert bias["frechet_limit"] == pytest.approx(0.0, abs=0.05)
    assert bias["frechet_distance"] > bias["frechet_principal"] > 5 * abs(bias["frechet_limit"])
    assert bias["frechet_shrunk"] < bias["frechet_distance"]
    assert whole.loc["frechet_limit", "floor_low"] < 0.0  # not clipped


def test_a_variant_is_the_mean_of_its_definition_over_halves():
    rng = np.random.default_rng(7)
    real, fake = draw(rng, 120), 0.5 * draw(rng, 120)
    draws = Draw.of("overall", np.arange(120), np.arange(120, 240), 1, as_generator(0))
    found = _frechet_rows(draws, Pool.of(real, fake, np.eye(4)))
    both = np.concatenate([real, fake])
    for row, measure, count in (
        (found[1], lambda a, b: frechet_distance(a, b, covariance="ledoit-wolf"), 5),
        (found[2], frechet_distance, 20),  # four of four directions are a rotation
    ):
        for at, key in ((2, "value"), (1, "floor")):
            values = [measure(both[half[0]], both[half[at]]) for half in draws.halves[:count]]
            assert row[key] == pytest.approx(np.mean(values), rel=1e-9)


def test_few_rows_have_no_limit_and_classes_no_doubtful_distance():
    rng = np.random.default_rng(8)
    real, fake = rng.normal(size=(2, 120, 30))
    labels = np.repeat(["many", "few"], [80, 40])
    table = measure_all(real, labels, fake, labels, permutations=9)
    for label, size in (("overall", 60), ("few", 20)):
        limit = cell(table, label, "frechet_limit")
        assert np.isnan(limit["value"])
        assert limit["note"] == f"{size} rows; the limit in 16 directions needs 128"
    assert np.isnan(cell(table, "few", "frechet_principal")["value"])
    assert cell(table, "overall", "frechet_principal")["value"] > 0.0


def test_several_sets_at_once_are_each_as_if_alone():
    rng = np.random.default_rng(9)
    real, sets, labels = draw(rng, 60), [draw(rng, 60), 0.5 * draw(rng, 60)], LABELS[::4]
    for most in (2000, 50):
        options = {"permutations": 9, "most": most, "rng": 3}
        together = measure_sets(real, labels, sets, labels, **options)
        for table, fake in zip(together, sets, strict=True):
            assert table.equals(measure_all(real, labels, fake, labels, **options))


def test_the_unit_of_vectors_changes_no_interval_by_more_than_itself():
    """Near what float32 holds, the square of a cubed product is beyond float64."""
    rng = np.random.default_rng(10)
    real, fake, labels = draw(rng, 60), draw(rng, 60), LABELS[::4]
    usual, large = (
        measure_all(unit * real, labels, unit * fake, labels, permutations=9)
        for unit in (1.0, 2.0**120)
    )
    for name, power in (("frechet_distance", 2), ("energy_distance", 1)):
        for key in ("value", "low", "high", "floor_low", "floor_high"):
            expected = cell(usual, "overall", name)[key] * 2.0 ** (120 * power)
            assert cell(large, "overall", name)[key] == pytest.approx(expected, rel=1e-6)
    kernel = cell(large, "overall", "kernel_distance")
    assert np.isfinite([kernel[key] for key in ("value", "low", "high", "floor_high")]).all()
    assert kernel["low"] < kernel["value"] < kernel["high"]


def test_several_sets_take_the_memory_of_one(monkeypatch):
    """All pairs of rows are large: those of one set go before those of the next one are made."""
    real, fake = np.random.default_rng(11).normal(size=(2, 40, 4))
    made, of = [], Pool.of

    def watched(*parts):
        assert not any(array() is not None for array in made)
        pool = of(*parts)
        made.append(weakref.ref(pool.kernels["energy_distance"]))
        return pool

    monkeypatch.setattr(Pool, "of", watched)
    measure_sets(real, np.zeros(40), [fake] * 3, np.zeros(40), permutations=9)
    assert len(made) == 3


def test_a_seed_repeats_itself_and_many_rows_are_drawn_from():
    rng = np.random.default_rng(5)
    real, fake = draw(rng), draw(rng)
    options = {"permutations": 19, "most": 100}
    first = measure_all(real, LABELS, fake, LABELS, **options)
    assert first[first["class"] == "overall"]["rows"].eq(50).all()
    assert first.equals(measure_all(real, LABELS, fake, LABELS, **options))
    assert not first.equals(measure_all(real, LABELS, fake, LABELS, **options, rng=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k: found 0; want at least 1"),
        ({"permutations": 0}, "permutations: found 0; want at least 1"),
        ({"most": 3}, "most: found 3; want at least 4"),
    ],
)
def test_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        measure_all(np.eye(4), np.zeros(4), np.eye(4), np.zeros(4), **options)
