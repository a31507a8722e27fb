"""The report: self-contained, honest, deterministic, and deaf to markup in the data."""

import json
import re

import pytest

from analysis import write_report
from analysis.report.sentences import collapse_text, measures_text
from analysis.runs import Generated
from tests.analysis.pages import HOSTILE, Page, report_of


def test_says_what_was_run_and_who_won(make_run):
    page = Page(report_of(make_run()))
    assert "The model beat every baseline: it is 10.0 points above" in page.text
    assert "Trained on day.csv with the encoder offline, from 40 labelled and 2,000" in page.text
    assert "Test accuracy 70.0% (95% interval 67.1% to 72.8%) on 1,000 test rows" in page.text
    assert "The generator has collapsed in 1 of 1 classes: good." in page.text
    assert "a fine day 0" in page.text
    assert "memorized" in page.text
    assert "Class Gaussian" in page.text
    for method in ("logistic regression", "GAN-BERT", "this model (toy)"):
        assert method in page.text


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.5, "did not beat the best baseline"),
        (0.61, "within noise"),
    ],
)
def test_says_so_when_it_did_not_win(make_run, accuracy, said):
    test = {"accuracy": accuracy, "macro_f1": accuracy, "rows": 1000}
    page = Page(report_of(make_run(changes={"test": test})))
    assert said in page.text
    assert "beat every baseline" not in page.text


def test_a_dev_score_is_called_one_that_flatters(make_run):
    changes = {"test": None, "baselines": {"majority": {"accuracy": 0.2, "on": "dev"}}}
    plain = Page(report_of(make_run(changes=changes)))
    best = changes | {"best_update": 40}
    chosen = Page(report_of(make_run("chosen", changes=best)))
    assert "Dev accuracy 71.0%" in plain.text
    assert "Dev accuracy 71.0%" in chosen.text
    assert "the score flatters" in chosen.text
    assert "the score flatters" not in plain.text  # on frozen embeddings dev chooses nothing


def test_a_score_task_shows_correlations_and_a_class_task_none(make_run):
    """Regression: a run on scores was compared on the accuracy of its buckets alone."""
    test = {"accuracy": 0.7, "macro_f1": 0.68, "rows": 1000, "pearson": 0.5}
    baselines = {
        "gan_bert": {"accuracy": 0.5, "pearson": 0.4, "on": "test"},
        "label_spreading": {"accuracy": 0.4, "pearson": None, "on": "test"},
    }
    page = Page(report_of(make_run(changes={"test": test, "baselines": baselines})))
    assert "Macro F1 Pearson's r 95% interval of r this model" in page.text
    assert "67.1% to 72.8% 68.0% 0.500 0.452 to 0.545 GAN-BERT" in page.text
    assert "0.400 0.347 to 0.451 label spreading" in page.text
    assert "\N{EN DASH} \N{EN DASH} \N{EN DASH} The generator" in page.text
    assert "Pearson" not in Page(report_of(make_run("classes"))).text


def test_calibration_and_rejection_are_shown_where_they_are_known(make_run):
    test = {"accuracy": 0.7, "rows": 1000, "ece": 0.031, "ece_uncalibrated": 0.124}
    baselines = {"gan_bert": {"accuracy": 0.5, "macro_f1": 0.4, "ece": 0.2, "on": "test"}}
    doubts = {
        "p_fake": {"aurc": 0.25, "accuracy_at_80": 0.72},
        "confidence": {"aurc": 0.125, "accuracy_at_80": 0.8},
    }
    rejection = {"on": "test", "rows": 1000} | doubts
    changes = {"test": test, "baselines": baselines, "rejection": rejection}
    page = Page(report_of(make_run(changes=changes)))
    assert "Macro F1 Calibration error this model" in page.text
    assert "0.031 (0.124 uncalibrated) GAN-BERT" in page.text
    assert "40.0% 0.200" in page.text
    assert "On 1,000 test rows, p_fake finds wrong answers less well than" in page.text
    assert "(1 - max p) 0.125 80.0%" in page.text
    assert "(p_fake) 0.250 72.0%" in page.text
    rejection["p_fake"] = {"aurc": 0.1, "accuracy_at_80": 0.9}
    better = Page(report_of(make_run("better", changes=changes)))
    assert "p_fake finds wrong answers as well as the probabilities do" in better.text
    plain = Page(report_of(make_run("plain"))).text
    assert not [word for word in ("Calibration", "p_fake", "uncalibrated") if word in plain]


def test_fakes_are_summed_up(make_run):
    root = make_run()
    assert "typicality \N{EN DASH} memorized" in Page(report_of(root)).text
    lines = (root / "embeddings" / "fake.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        row["typicality"] = 0.04 if number < 5 else 0.75
    rows[7]["typicality"] = None
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "embeddings" / "fake.jsonl").write_text(lines)
    text = Page(report_of(root)).text
    assert "Of 19 fakes 26.3% lie as far out as the outermost 5% of the real rows" in text
    assert "1 of 20 repeat a training row." in text
    assert "good 75%, bad 25% · typicality 0.04 memorized" in text
    assert "good 75%, bad 25% · typicality 0.75" in text


def test_nothing_but_the_required_still_makes_a_page(make_run):
    changes = dict.fromkeys(
        ("test", "dev", "baselines", "generator", "labels", "seconds", "notes", "task")
    )
    root = make_run(changes=changes)
    for file in (*root.glob("embeddings/*"), *root.glob("figures/*")):
        file.unlink()
    page = Page(report_of(root))
    assert "The run scored no rows" in page.text
    assert "No baseline was scored" in page.text


def test_sentences_never_become_markup(make_run):
    root = make_run(classes=(HOSTILE, "</title><b>"), text=HOSTILE, source=HOSTILE, name="hostile")
    source = report_of(root)
    page = Page(source)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("style") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert {
        value[:10] for tag, name, value in page.attributes if (tag, name) == ("img", "src")
    } == {"data:image"}
    assert " ".join(HOSTILE.split()) in page.text
    assert "49" not in re.sub(r"[\d.]*\d", "", page.text.replace("{{ 7 * 7 }}", ""))
    assert source.count("</style>") == 1


def test_loads_nothing_and_says_so(make_run):
    source = report_of(make_run())
    attributes = Page(source).attributes
    policy = next(value for tag, name, value in attributes if (tag, name) == ("meta", "content"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    links = [value for _, name, value in attributes if name in ("src", "href")]
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "url(" not in source
    assert "@import" not in source


def test_several_runs_start_with_a_table_of_all(make_run):
    weak = {"test": {"accuracy": 0.5, "macro_f1": 0.5, "rows": 1000}}
    page = Page(report_of(make_run("first"), make_run("second", changes=weak)))
    assert "The runs side by side" in page.text
    assert page.text.index("side by side") < page.text.index("Against the baselines")
    assert "-10.0 points worse" in page.text
    assert [v for t, n, v in page.attributes if (t, n) == ("article", "id")] == ["run-1", "run-2"]


def test_runs_of_one_name_are_told_apart(make_run):
    first, second = make_run("a", changes={"name": "x"}), make_run("b", changes={"name": "x"})
    page = Page(report_of(first, second))
    assert page.text.count("x [") >= 4


def test_same_inputs_same_bytes(make_run):
    root = make_run()
    assert report_of(root) == report_of(root)


def test_large_vectors_give_way_to_pixels(make_run):
    root = make_run()
    assert "data:image/svg+xml" in report_of(root)
    with (root / "figures" / "curves.svg").open("a") as file:
        file.write("<!--" + "x" * 300_000 + "-->")
    source = report_of(root)
    assert "data:image/png" in source
    assert "svg+xml" not in source


def test_a_failed_write_leaves_the_old_page(make_run, monkeypatch):
    root = make_run()
    report_of(root)
    page = root.parent / "pages" / "report.html"
    before = page.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("analysis.files.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_report([root], page)
    assert page.read_bytes() == before
    assert [file.name for file in page.parent.iterdir()] == ["report.html"]


def test_bad_runs_write_nothing(tmp_path, make_run):
    with pytest.raises(ValueError, match="runs: found none"):
        write_report([], tmp_path / "page.html")
    with pytest.raises(ValueError, match="no such directory"):
        write_report([make_run(), tmp_path / "nowhere"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_measures_in_words():
    measures = {"frechet_distance": 1.5, "frechet_floor": 0.5, "precision": 0.5, "recall": 0.9}
    floors = {"precision_floor": {"mean": 0.9}, "recall_floor": 0.8}
    own = Generated(task="a", measures=measures | floors)
    assert measures_text(own) == (
        "The Fréchet distance, 1.500, is larger than between real rows, 0.500. Precision is below "
        "that of real rows: 0.500 against 0.900."
    )
    simple = {"baselines": {"class_gaussian": {"frechet_distance": 2.0}}}
    near = {"frechet_distance": 0.5, "precision": 0.95, "coverage": None}
    good = Generated(task="a", measures=measures | floors | simple | near)
    assert measures_text(good) == (
        "The Fréchet distance, 0.500, is no larger than chance makes it between real rows, 0.500, "
        "and smaller than that of a Gaussian fitted to each class, 2.000. In precision and recall "
        "the fakes do not fall short of real rows."
    )
    drawn = [{"class": "overall", "measure": "frechet_distance", "floor_low": 0.4, "floor_high": 2}]
    noisy = Generated(task="a", measures={**own.measures, "measures": drawn})
    assert measures_text(noisy).startswith("The Fréchet distance, 1.500, is no larger than chance")
    assert measures_text(Generated(task="a", measures={"precision": 0.5})) == ""


def test_measures_class_by_class_stand_beside_their_floors(make_run):
    values = {"value": 0.25, "low": 0.125, "high": 0.5, "floor": 0.0625}
    ends = {"floor_low": 0.03, "floor_high": 0.09, "p_value": 0.005, "rows": 20, "note": ""}
    rows = [
        {"class": name, "measure": measure} | values | ends
        for name in ("overall", "good", "bad")
        for measure in ("energy_distance", "precision")
    ]
    rows += [{"class": "bad", "measure": "recall", "value": None, "note": "too few rows"}]
    rows[3]["p_value"] = rows[5]["p_value"] = None
    measured = {"generator": {"energy_distance": 0.25, "measures": rows}}
    text = Page(report_of(make_run(changes=measured))).text
    assert "The measures class by class" in text
    assert "Class Energy distance p Precision good 0.2500 / 0.0625 0.005 0.250 / 0.062" in text
    assert "Recall" not in text
    assert "In brackets are 95% intervals" in text
    plain = Page(report_of(make_run("plain"))).text
    assert "class by class" not in plain.replace("Collapse, class by class", "")
    assert "In brackets" not in plain


def test_use_of_the_fakes_stands_beside_that_of_real_rows(make_run):
    row = {"class": "overall", "value": 0.5, "low": 0.4, "high": 0.6, "floor": 0.75}
    rows = [
        row | {"measure": "train_on_fake", "floor_low": 0.7, "floor_high": 0.8, "p_value": 0.005},
        row | {"measure": "copies", "low": None, "high": None, "floor": None},
        row | {"measure": "augmentation", "value": None},
        row | {"measure": "two_sample", "class": "good"},
    ]
    text = Page(report_of(make_run(changes={"generator": {"use": rows}}))).text
    assert (
        "tested on real: accuracy 0.500 (0.400 to 0.600) 0.750 (0.700 to 0.800) 0.005 Fakes that "
        "are training rows 0.500 \N{EN DASH} \N{EN DASH} "
    ) in text
    assert "telling fakes from real" not in text
    assert "gained by adding" not in text


def test_collapse_in_words():
    healthy = {"class": "a", "collapsed": False, "reason": "", "conditional_accuracy": 0.9}
    few = {"class": "b", "collapsed": False, "reason": "not judged: fewer than 15 rows"}
    lost = {
        "class": "c",
        "collapsed": False,
        "reason": "",
        "conditional_accuracy": 0.1,
        "conditional_floor": 0.8,
    }
    assert collapse_text([healthy]) == "No sign of collapse in 1 of 1 classes."
    assert "1 class had too few rows to judge." in collapse_text([healthy, few])
    assert "Fakes of c are not recognized as their class." in collapse_text([healthy, lost])
    unjudged = lost | {"reason": "not judged: fewer than 15 rows"}
    assert "not recognized" not in collapse_text([healthy, unjudged])
    # Every verdict, and what is flagged beside a worse one, has its words.
    off = {"class": "d", "verdict": "off class", "flags": "conditional_accuracy"}
    repeated = {"class": "e", "verdict": "memorized", "flags": "memorized, different_bins"}
    elsewhere = {"class": "f", "verdict": "different", "flags": "different_bins"}
    both = {"class": "g", "collapsed": True, "verdict": "collapsed", "flags": "rank, memorized"}
    text = collapse_text([off, repeated, elsewhere, both])
    assert text.startswith("The generator has collapsed in 1 of 4 classes: g.")
    assert "Fakes of d are recognized as their class less often than real rows are." in text
    assert "Fakes of e, g repeat training rows." in text
    assert "Fakes of f fill the clusters of real rows in other shares, which is no" in text
    whole = {"class": "overall", "verdict": "memorized", "reason": "7% of the fakes repeat rows"}
    together = "Of all classes together: 7% of the fakes repeat rows."
    assert together in collapse_text([healthy, whole])
    assert together not in collapse_text([repeated, whole])
    overall = {"class": "overall", "collapsed": True, "reason": "all alike"}
    assert collapse_text([healthy, overall]) == "The generator has collapsed overall: all alike."
