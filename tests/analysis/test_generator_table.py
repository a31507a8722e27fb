"""The table of a generator's measures: plain in older runs, with intervals and p in newer ones."""

from types import SimpleNamespace

from analysis.report.tables import collapse_table, generator_table
from analysis.words import UNKNOWN


def measured(**changes):
    row = {"class": "overall", "measure": "energy_distance", "value": 0.02, "low": 0.01}
    row |= {"high": 0.03, "floor": 0.001, "floor_low": -0.001, "floor_high": 0.003}
    return row | {"p_value": 0.005, "rows": 60, "note": ""} | changes


def test_older_runs_have_values_and_floors_alone():
    simple = {"frechet_distance": 2.0}
    measures = {"frechet_distance": 1.5, "frechet_floor": 0.5, "baselines": {"gaussian": simple}}
    table = generator_table(SimpleNamespace(measures=measures))
    assert table.header[-2:] == ("Real against real", "Better")
    assert table.rows == [("Fréchet distance, squared", "1.500", "2.000", "0.500", "lower")]
    assert generator_table(SimpleNamespace(measures={})) is None


def test_intervals_and_p_values_are_shown_where_they_are_known():
    rows = [
        measured(),
        measured(**{"class": "yes", "value": 9.0}),
        measured(measure="coverage", value=0.9, low=0.8, high=1.0, p_value=None),
    ]
    simple = {"coverage": 0.7, "measures": [measured(value=0.5)]}
    measures = {"coverage": 0.9, "measures": rows, "baselines": {"gaussian": simple}}
    table = generator_table(SimpleNamespace(measures=measures))
    assert table.header[-3:] == ("Real against real", "p", "Better")
    floor = "0.0010 (-0.0010 to 0.0030)"
    energy = ("Energy distance", "0.0200 (0.0100 to 0.0300)", "0.5000", floor, "0.005", "near 0")
    assert table.rows[0] == energy
    assert table.rows[1][:3] == ("Coverage", "0.900 (0.800 to 1.000)", "0.700")
    assert table.rows[1][-2] == UNKNOWN


def test_measures_of_collapse_stand_beside_those_of_real_rows():
    known = {"rank_ratio": 0.625, "rank_ratio_low": 0.5, "rank_ratio_high": 0.75}
    floor = {"rank_ratio_floor_low": 0.8, "rank_ratio_floor_high": 1.2}
    hits = {"conditional_accuracy": 0.9, "conditional_accuracy_low": 0.8}
    hits |= {"conditional_accuracy_high": 0.95, "conditional_floor": 0.85}
    row = {"class": "a", "real": 30, "fake": 30, "spread_ratio": 0.9, "duplicate_rate": None}
    cells = collapse_table([row | known | floor | hits]).rows[0]
    assert cells[2:5] == ("62% (50\xa0to\xa075) /\xa080\xa0to\xa0120", "90%", "\N{EN DASH}")
    assert cells[6] == "90% (80\xa0to\xa095) /\xa085%"
    few = {"class": "a", "verdict": "not judged", "reason": "not judged: fewer than 15 rows"}
    assert collapse_table([few]).rows[0][-1] == "not judged: fewer than 15 rows"
    assert collapse_table([{"class": "a", "verdict": "sound", "reason": ""}]).rows[0][-1] == "sound"
