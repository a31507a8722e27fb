"""What a study supports: true differences, no false ones, and no winner that it cannot name."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.study_design import higher_is_better
from analysis.study_findings import find
from analysis.study_layouts import grids, layouts
from analysis.study_reading import read_study
from analysis.study_words import findings_words, headline, power_words
from tests.analysis import study_folder

STUDIES = 60  # simulated for each null


def findings_of(folder, resamples=199):
    return find(read_study(folder), resamples=resamples)


def supported(folder, kind=None):
    statements = findings_of(folder).statements
    return [one for one in statements if one.supported and kind in (None, one.kind)]


def most_false(studies):
    """Return how many of so many studies may err, at a rate of 0.05, but for one in a thousand."""
    return int(stats.binom.ppf(0.999, studies, 0.05))


@pytest.mark.parametrize("scored", [2000, 40])
def test_methods_that_are_equal_are_found_equal(tmp_path, scored):
    """The whole verdict errs in at most 5 % of studies, coarse scores included."""
    found = [
        bool(supported(study_folder.label_study(tmp_path, rng=seed, rows_scored=scored)))
        for seed in range(STUDIES)
    ]
    assert sum(found) <= most_false(STUDIES)


def test_depths_without_an_effect_are_found_without(tmp_path):
    options = {"levels": 3, "bend": 0.0}
    found = [
        bool(supported(study_folder.depth_study(tmp_path, rng=seed, **options)))
        for seed in range(STUDIES)
    ]
    assert sum(found) <= most_false(STUDIES)


def test_the_better_of_two_equals_is_no_winner(tmp_path):
    """Two are best, two are far behind: whoever leads by chance must not be named."""
    named = [
        bool(
            supported(
                study_folder.axis_study(
                    tmp_path, "ablation", "removed", "abcd", (0, 0, 0.2, 0.2), rng=seed
                ),
                "winner",
            )
        )
        for seed in range(STUDIES)
    ]
    assert sum(named) <= most_false(STUDIES)


def test_who_is_behind_is_no_winner(tmp_path):
    """The best of the seeds that all conditions have may be behind over all that two have."""
    folder = study_folder.axis_study(
        tmp_path, "ablation", "removed", "abc", (0.04, 0.0, 0.1), seeds=12
    )
    table = pd.read_csv(folder / "table.csv")
    table.loc[(table["removed"] == "a") & (table["seed"] < 5), "accuracy"] += 0.05
    table.loc[(table["removed"] == "c") & (table["seed"] >= 5), "accuracy"] = np.nan
    table.to_csv(folder / "table.csv", index=False)
    (winner,) = (one for one in findings_of(folder).statements if one.kind == "winner")
    assert winner.subject.endswith("a")
    assert winner.difference.mean > 0
    assert winner.difference.seeds == 5


def test_runs_of_one_name_in_two_folders_are_two_conditions(tmp_path):
    """The number of the first was quoted for the second."""
    starts = ("runs/a/sst", "runs/b/sst", "runs/mpqa")
    folder = study_folder.axis_study(
        tmp_path, "unlabeled", "training.start_from", starts, (0.05, 0.0, 0.2)
    )
    (layout,) = layouts(read_study(folder), "accuracy")
    assert layout.names == starts
    (winner,) = (one for one in findings_of(folder).statements if one.kind == "winner")
    assert winner.subject == "runs/b/sst"


def test_a_winner_that_is_there_is_named(tmp_path):
    folder = study_folder.label_study(tmp_path, gain=0.12, seeds=8, rows_scored=2000)
    found = findings_of(folder)
    winners = [one for one in found.statements if one.kind == "winner"]
    assert [one.subject for one in winners if one.supported] == ["default"] * 4
    assert headline(found).count("default (accuracy") == 4
    assert "No winner" not in headline(found)


def test_few_seeds_support_nothing_and_say_why(tmp_path):
    found = findings_of(study_folder.label_study(tmp_path, gain=0.3, seeds=3))
    assert not any(one.supported for one in found.statements)
    assert headline(found) == ("Nothing is supported: 3 paired seeds, and a test needs at least 5.")
    said = " ".join(sentence for _, sentences in findings_words(found) for sentence in sentences)
    assert "Winner:" not in said
    assert said.count("No winner: default has the best mean") == 4
    assert power_words(found)[0].startswith("3 seeds: no statement can be supported.")


def test_effects_are_said_with_their_size(tmp_path):
    found = findings_of(study_folder.depth_study(tmp_path, effect=0.02, bend=0.0), 999)
    assert headline(found) == (
        "Supported: effect of discriminator depth, -2.0 points for each one more (accuracy). "
        "No winner anywhere."
    )
    sentences = dict(findings_words(found))["Accuracy"]
    assert sentences[1].startswith("Supported: an effect of discriminator depth (p = 0.0")
    assert "-2.0 points for each one more" in sentences[1]
    assert sentences[0].startswith("Not supported: an effect of generator depth")
    assert sentences[3].startswith("No winner: ")


def test_all_statements_are_corrected_together(tmp_path):
    found = findings_of(study_folder.ablation_study(tmp_path))
    tested = sorted(found.statements, key=lambda one: one.evidence.p_value)
    least = tested[0]
    assert len(tested) == 5
    assert least.adjusted == pytest.approx(min(1.0, 5 * least.evidence.p_value))
    assert {one.subject for one in tested if one.kind == "difference"} == {"full recipe"}


def test_the_control_borrows_the_cell_that_is_its_own_control(tmp_path):
    folder = study_folder.depth_study(tmp_path, control=True, levels=2)
    lines = (folder / "table.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not ("equal_parameters" in line and "depth,1,1," in line)]
    assert len(lines) - len(kept) == 5
    (folder / "table.csv").write_text("".join(kept), encoding="utf-8")
    plain, control = grids(read_study(folder), "accuracy")
    assert (plain.control, control.control) == ("", "equal_parameters")
    np.testing.assert_array_equal(control.values[:, 0, 0], plain.values[:, 0, 0])
    assert np.all(control.values[:, 1, 1] != plain.values[:, 1, 1])


def test_baselines_in_columns_are_methods(tmp_path):
    rows = study_folder.label_rows(np.random.default_rng(0), methods=("default", "few-labels"))
    for row in rows:
        row["baseline.logistic_regression"] = 0.4 + 0.01 * row["seed"]
        row["baseline.default"] = 0.0  # a method with rows of its own
    axes = {"data.label_fraction": list(study_folder.FRACTIONS)}
    study_folder.write_study(tmp_path, {"kind": "labels", "axes": axes, "seeds": 5}, rows)
    first = layouts(read_study(tmp_path), "accuracy")[0]
    assert first.names == ("default", "few labels", "logistic regression")
    np.testing.assert_allclose(first.values[:, 2], 0.4 + 0.01 * np.arange(5))
    assert first.position == 80


def test_methods_average_over_the_fractions_of_each_seed(tmp_path):
    *single, averaged = layouts(read_study(study_folder.label_study(tmp_path)), "accuracy")
    wanted = np.mean([layout.values for layout in single], axis=0)
    np.testing.assert_allclose(averaged.values, wanted)
    assert averaged.group == "averaged over label fraction"


def test_pairs_are_those_that_both_have(tmp_path):
    folder = study_folder.ablation_study(tmp_path, seeds=7)
    text = (folder / "table.csv").read_text("utf-8").splitlines(keepends=True)
    (folder / "table.csv").write_text("".join([text[0], *text[2:]]), encoding="utf-8")
    found = findings_of(folder)
    assert read_study(folder).missing == 1
    pairs = [one.difference.seeds for one in found.statements if one.kind == "difference"]
    assert pairs == [6, 6, 6, 6]
    assert {group.ranks.seeds for group in found.groups} == {6}


def test_what_is_less_is_better_for_distances(tmp_path):
    study = read_study(study_folder.depth_study(tmp_path, levels=3, bend=1.0))
    distances = [
        group for group in find(study, resamples=9).groups if group.layout.measure != "accuracy"
    ]
    means = [summary.mean for summary in distances[0].summaries]
    assert distances[0].best == int(np.argmin(means))


@pytest.mark.parametrize(("levels", "known"), [(2, True), (3, False)])
def test_what_could_be_shown_of_an_effect_is_known_where_its_test_is_that_of_a_slope(
    tmp_path, levels, known
):
    found = findings_of(study_folder.depth_study(tmp_path, levels=levels), resamples=9)
    effects = [one.detectable for one in found.statements if one.kind == "effect"]
    assert [size is not None for size in effects] == [known] * len(effects)
    assert effects


@pytest.mark.parametrize(
    ("measure", "higher"),
    [("accuracy", True), ("recall", True), ("sliced_wasserstein", False), ("log_loss", False)],
)
def test_which_way_a_measure_is_better(measure, higher):
    assert higher_is_better(measure) == higher


def test_one_depth_is_compared_level_by_level(tmp_path):
    """The control of the least depth is that depth itself, and has no rows of its own."""
    rows = [
        {"row": f"{depth}{seed}{held}", "generator.depth": depth, "seed": seed, "control": held}
        | {"accuracy": 0.5 + 0.01 * seed + 0.1 * depth}
        for depth in (1, 2)
        for seed in range(5)
        for held in ("", "equal_parameters")
        if depth > 1 or not held
    ]
    definition = {"kind": "depth", "axes": {"generator.depth": [1, 2]}, "seeds": 5}
    found = layouts(read_study(study_folder.write_study(tmp_path, definition, rows)), "accuracy")
    assert [layout.names for layout in found] == [("generator depth 1", "generator depth 2")] * 2
    assert [layout.group for layout in found] == ["", "equal parameters"]
    np.testing.assert_allclose(found[1].values[:, 0], 0.6 + 0.01 * np.arange(5))
