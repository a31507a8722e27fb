"""The page, the figures and the summary of a study."""

import json

import matplotlib.text
import numpy as np
import pandas as pd
import pytest

from analysis import write_study
from analysis.study_depth_plots import depth_maps
from analysis.study_findings import find
from analysis.study_plots import difference_bars, text_curves
from analysis.study_rank_plots import rank_diagram
from analysis.study_ranks import friedman_ranks
from analysis.study_reading import read_study
from analysis.study_report import drawings
from tests.analysis import study_folder
from tests.analysis.pages import HOSTILE, Page


def findings_of(folder):
    return find(read_study(folder), resamples=199)


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def page_of(folder):
    return Page(write_study(folder, resamples=199).read_text("utf-8"))


def words(figure):
    return [found.get_text() for found in figure.findobj(matplotlib.text.Text)]


def test_a_study_is_written_whole_and_the_same_again(tmp_path):
    folder = study_folder.ablation_study(tmp_path / "study")
    write_study(folder, resamples=199)
    first = contents(folder)
    assert set(first) == {
        "curves.csv",
        "report.html",
        "study.json",
        "summary.json",
        "table.csv",
        *(
            f"figures/{name}.{kind}"
            for name in ("curves", "differences", "ranks-1")
            for kind in ("png", "svg")
        ),
    }
    write_study(folder, resamples=199)
    assert contents(folder) == first


def test_the_summary_holds_every_statistic(tmp_path):
    folder = study_folder.ablation_study(tmp_path)
    findings = findings_of(folder)
    page_of(folder)
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert [one["p_value_corrected"] for one in summary["statements"]] == [
        one.adjusted for one in findings.statements
    ]
    group = summary["groups"][0]
    assert (group["reference"], group["best"]) == ("full recipe", findings.statements[-1].subject)
    assert group["conditions"][0]["interval"].keys() == {"low", "high"}
    assert group["ranks"]["critical_difference"] == findings.groups[0].ranks.critical_difference
    assert summary["rows"] == {"finished": 30, "failed": 0, "missing": 0}
    assert summary["words"]["headline"].startswith("Supported: full recipe better than without")


def test_the_page_is_safe_and_says_the_verdict(tmp_path):
    folder = study_folder.ablation_study(tmp_path)
    text = (folder / "table.csv").read_text("utf-8").replace("warm_start", "warm <script>")
    (folder / "table.csv").write_text(text, encoding="utf-8")
    definition = json.loads((folder / "study.json").read_text("utf-8")) | {"recipe": HOSTILE}
    definition["axes"]["ablation"][3] = "warm <script>"
    (folder / "study.json").write_text(json.dumps(definition), encoding="utf-8")
    page = page_of(folder)
    assert "script" not in page.tags
    policy = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert any(
        value.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
        and "script-src" not in value
        for value in policy
    )
    sources = [value for tag, name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 3
    assert all(source.startswith("data:image/") for source in sources)
    assert "without warm <script>" in page.text
    assert "No winner" in page.text
    assert "A difference that is not supported is not shown to be zero." in page.text


def test_what_is_missing_and_what_failed_is_said(tmp_path):
    folder = study_folder.ablation_study(tmp_path)
    lines = (folder / "table.csv").read_text("utf-8").splitlines()
    failed = [f"{lines[0]},error", *(f"{line}," for line in lines[1:-2]), f"{lines[-2]},no memory"]
    (folder / "table.csv").write_text("\n".join(failed) + "\n", encoding="utf-8")
    page = page_of(folder)
    assert "1 planned row is missing: the study is not finished." in page.text
    assert "1 row failed; they are named below." in page.text
    assert "ablation warm_start, seed 5 no memory" in page.text


def test_figures_of_an_earlier_state_do_not_stay(tmp_path):
    folder = study_folder.ablation_study(tmp_path)
    page_of(folder)
    (folder / "figures" / "mine.png").write_bytes(b"kept")
    (folder / "curves.csv").unlink()
    page_of(folder)
    names = {file.name for file in (folder / "figures").iterdir()}
    assert "curves.png" not in names
    assert {"differences.svg", "mine.png"} <= names


def test_a_table_that_cannot_be_read_leaves_nothing_behind(tmp_path):
    folder = study_folder.ablation_study(tmp_path)
    (folder / "table.csv").write_text("row,seed\n", encoding="utf-8")
    before = contents(folder)
    (folder / "table.csv").write_text("row\na,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged: line 2"):
        write_study(folder)
    assert contents(folder).keys() == before.keys()


@pytest.mark.parametrize("rows", [[], [{"row": "a", "ablation": "none", "seed": 0, "accuracy": 1}]])
def test_next_to_nothing_has_a_page(tmp_path, rows):
    definition = {"kind": "ablation", "axes": {"ablation": ["none", "adversary"]}, "seeds": 5}
    study_folder.write_study(tmp_path, definition, rows)
    if not rows:
        (tmp_path / "table.csv").write_text("row,ablation,seed\n", encoding="utf-8")
    page = page_of(tmp_path)
    assert "Nothing to compare" in page.text
    assert f"{10 - len(rows)} planned rows are missing" in page.text


def test_maps_show_values_support_and_the_control(tmp_path):
    findings = findings_of(
        study_folder.depth_study(tmp_path, control=True, levels=3, effect=0.05, bend=0.0)
    )
    figure = depth_maps(findings, "accuracy")
    panels = [axis for axis in figure.axes if axis.get_xlabel()]
    assert [axis.get_title(loc="left") for axis in panels] == [
        "as in the recipe",
        "± 95% interval, points",
        "equal parameters",
    ]
    group = findings.groups[0]
    shown = [text.get_text() for text in panels[0].texts]
    assert shown == [f"{100 * summary.mean:.1f}" for summary in group.summaries]
    close = sum(apart is False for apart in group.apart)
    assert len(panels[0].lines) == close
    assert 0 < close < 8
    assert len(panels[0].patches) == 2
    assert len(panels[1].lines) == len(panels[1].patches) == 0


def test_every_figure_of_a_depth_study_is_there(tmp_path):
    findings = findings_of(study_folder.depth_study(tmp_path, control=True, levels=2))
    drawn = {drawing.name: drawing.figure for drawing in drawings(findings)}
    names = ["depth-accuracy", "depth-frechet_distance", "depth-lines", "depth-neighborhoods"]
    assert list(drawn)[:4] == names
    assert not {"depth-use", "depth-fakes"} & set(drawn)  # nothing was measured or kept for them
    assert {"real against real", "best baseline: logistic regression"} <= {
        *words(drawn["depth-lines"])
    }
    assert {"Coverage", "real against real"} <= {*words(drawn["depth-neighborhoods"])}


def test_text_grows_along_a_logarithmic_axis_with_room_for_none(tmp_path):
    figure = text_curves(findings_of(study_folder.unlabeled_study(tmp_path)))
    axis = figure.axes[0]
    assert axis.get_xscale() == "symlog"
    np.testing.assert_allclose(axis.lines[0].get_xdata(), study_folder.UNLABELED)
    baselines = pd.read_csv(tmp_path / "table.csv")["baseline.logistic_regression"]
    np.testing.assert_allclose(axis.lines[1].get_ydata(), baselines.mean())
    assert "best baseline: logistic regression" in words(figure)
    labels = text_curves(findings_of(study_folder.label_study(tmp_path / "labels"))).axes[0]
    assert labels.get_xscale() == "log"
    assert len(labels.lines) == len(study_folder.METHODS)
    np.testing.assert_allclose(labels.lines[0].get_xdata(), [80, 400, 1600])
    assert len({(line.get_linestyle(), line.get_marker()) for line in labels.lines}) == 4


def test_a_panel_without_the_usual_reference_says_what_is_subtracted(tmp_path):
    folder = study_folder.label_study(tmp_path)
    table = pd.read_csv(folder / "table.csv")
    least = table["data.label_fraction"] == table["data.label_fraction"].max()
    table.loc[least & (table["method"] == "default"), "accuracy"] = np.nan
    table.to_csv(folder / "table.csv", index=False)
    titles = [axis.get_title("left") for axis in difference_bars(findings_of(folder)).axes]
    assert sum("minus" in title for title in titles) == 1


def test_a_second_axis_is_a_line_of_its_own(tmp_path):
    """Both widths were one line that went back and forth."""
    rows, rng = [], np.random.default_rng(0)
    for width in (64, 256):
        for row in study_folder.label_rows(rng, methods=("default", "mlp")):
            rows.append(row | {"generator.width": width, "row": f"r{len(rows):04}"})
    axes = {"data.label_fraction": list(study_folder.FRACTIONS), "generator.width": [64, 256]}
    definition = {"kind": "labels", "axes": axes, "seeds": 5}
    axis = text_curves(findings_of(study_folder.write_study(tmp_path, definition, rows))).axes[0]
    assert len(axis.lines) == 4
    for line in axis.lines:
        np.testing.assert_allclose(line.get_xdata(), [80, 400, 1600])
    named = words(axis.figure)
    assert "default, generator width 64" in named
    assert "default, generator width 256" in named


def test_bars_tell_supported_from_not_without_color(tmp_path):
    findings = findings_of(study_folder.ablation_study(tmp_path))
    axis = difference_bars(findings).axes[0]
    held = [one.supported for one in findings.statements if one.kind == "difference"]
    assert [bar.get_hatch() is None for bar in axis.patches] == held
    assert 0 < sum(held) < 4
    lost = [bar.get_width() for bar in axis.patches]
    found = [-100 * one.difference.mean for one in findings.statements[:4]]
    np.testing.assert_allclose(lost, found)


def test_ranks_within_the_critical_difference_are_joined():
    values = np.array([[0.9, 0.88, 0.1, 0.11]] * 4 + [[0.88, 0.9, 0.11, 0.1]] * 4)
    ranks = friedman_ranks(values + np.arange(8)[:, None], ["a", "b", "c", "d"], resamples=99)
    figure = rank_diagram(ranks)
    bars = [line.get_xdata() for line in figure.axes[0].lines if line.get_linewidth() > 3]
    ends = [tuple(np.round(bar, 2)) for bar in bars]
    assert ranks.critical_difference < 2
    assert ends == [(1.46, 1.54), (3.46, 3.54)]
    assert any("critical difference 1.66" in text for text in words(figure))
