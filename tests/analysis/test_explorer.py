"""The data of the map explorer: true to the maps, inert in the page, and allowed by its hash."""

import base64
import hashlib
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from analysis.report.explorer import quality_words, script_json
from analysis.report.thumbnails import thumbnail
from analysis.style import class_marks
from tests.analysis.joint_run import write_joint_run
from tests.analysis.maps import QUALITY, map_of, maps_of, with_maps
from tests.analysis.pages import HOSTILE, Page, report_of

SCRIPT = re.compile(r'<script type="module">(.*?)</script>', re.DOTALL)
DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


def data_of(source):
    found = DATA.findall(source)
    assert len(found) == 1
    return json.loads(found[0])


def policy_of(source):
    return next(v for t, n, v in Page(source).attributes if (t, n) == ("meta", "content"))


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_points_are_those_of_the_maps_up_to_scale(make_run):
    data = data_of(report_of(with_maps(make_run())))
    drawn = map_of(40, 20)
    frame = data["views"][0]["maps"][0]
    written = np.array(frame["real_xy"] + frame["fake_xy"]).reshape(-1, 2)
    true = np.concatenate([drawn.points_real, drawn.points_fake])
    scale = np.ptp(written, axis=0).max() / np.ptp(true, axis=0).max()
    assert np.allclose(written - written[0], scale * (true - true[0]), atol=scale * 2e-3)
    assert frame["box"] == [*written.min(axis=0), *written.max(axis=0)]
    assert max(frame["box"]) == 9999


def test_every_row_keeps_its_sentence_class_and_neighbors(make_run):
    rows = {"real_rows": np.array([3, 5, 0, 6]), "fake_rows": np.array([19, 0, 2])}
    data = data_of(report_of(with_maps(make_run(), [map_of(4, 3, **rows)])))
    frame = data["views"][0]["maps"][0]
    real = [data["real"][row] for row in frame["real"]]
    assert [data["texts"][row["text"]] for row in real] == [f"a fine day {n}" for n in (3, 5, 0, 6)]
    assert [data["classes"][row["class"]] for row in real] == ["bad", "bad", "good", "good"]
    fake = [data["fake"][row] for row in frame["fake"]]
    assert [data["classes"][row["class"]] for row in fake] == ["bad", "good", "good"]
    assert [row.get("memorized", False) for row in fake] == [False, True, False]
    text, label, place, distance = fake[0]["near"][0]
    assert (data["texts"][text], label, distance) == ("a fine day 0", "good", "0.500")
    assert data["texts"][data["real"][place]["text"]] == "a fine day 0"
    assert len(data["texts"]) == len(set(data["texts"])) == 4


def test_frames_of_a_series_share_a_view_and_its_axes(make_run):
    views = data_of(report_of(with_maps(make_run())))["views"]
    series = views[-1]
    assert [frame["frame"] for frame in series["maps"]] == ["step 10", "step 20", "step 30"]
    assert len({str(frame["real_xy"]) for frame in series["maps"]}) == 1
    assert len({str(frame["fake_xy"]) for frame in series["maps"]}) == 3
    boxes = np.array([frame["box"] for frame in series["maps"]])
    assert series["box"] == [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
    assert [(view["name"], view["perplexity"]) for view in views[:3]] == [
        ("t-SNE, joint", 30.0),
        ("t-SNE, joint", 5.0),
        ("PCA of real", None),
    ]


def test_marks_are_seen_on_light_and_dark_paper(make_run):
    data = data_of(report_of(with_maps(make_run())))
    assert len(data["marks"]) == len(data["classes"]) == 3
    assert data["classes"][-1] == "no label"
    for mark, drawn in zip(data["marks"], class_marks(2), strict=False):
        assert (mark["real"], mark["fake"]) == (drawn.real, drawn.fake)
        for paper, least, colors in ((1.0, 3.0, mark["light"]), (0.0140, 4.5, mark["dark"])):
            for color in colors:
                parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
                linear = [((part + 0.055) / 1.055) ** 2.4 for part in parts]
                light, dark = sorted((np.dot(linear, (0.2126, 0.7152, 0.0722)), paper))[::-1]
                assert (light + 0.05) / (dark + 0.05) > least - 0.08


def test_quality_is_said_as_far_as_it_is_known():
    words = dict(quality_words(QUALITY))
    assert words["Trustworthiness, at best 1"] == "0.88"
    assert words["True neighbors kept"] == "25%"
    assert quality_words({"trustworthiness": 0.5}) == [("Trustworthiness, at best 1", "0.50")]


def test_only_the_script_of_the_page_may_run(make_run):
    source = report_of(with_maps(make_run()))
    script, style = SCRIPT.findall(source)[0], source.split("<style>")[1].split("</style>")[0]
    assert policy_of(source) == (
        f"default-src 'none'; img-src data:; style-src {hash_of(style)}; "
        f"script-src {hash_of(script)}; base-uri 'none'; form-action 'none'"
    )
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert word not in script
    assert Page(source).tags.count("script") == 2


def test_a_run_without_maps_has_the_picture_and_no_script(make_run):
    source = report_of(make_run())
    assert "script" not in Page(source).tags
    assert "script-src" not in policy_of(source)


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "<!--<script>",
        "</SCRIPT ><img src=x onerror=alert(1)>",
        "a\0b\x1b[31m\u202eevil\u2028line\u2029",
        "lone \ud800 surrogate",
        "x" * 100_000,
    ],
    ids=["markup", "comment", "capitals", "controls", "surrogate", "huge"],
)
def test_no_sentence_ends_the_element_that_it_stands_in(make_run, text):
    plain = Page(report_of(with_maps(make_run("plain"))))
    root = with_maps(make_run(classes=(text[:40], "b"), text=text, source=text, name="hostile"))
    source = report_of(root)
    assert Page(source).tags == plain.tags
    assert len(source) < 2 * len(report_of(root.parent / "plain")) + 400_000
    assert not set(source) & {"\0", "\x1b"}
    seen = " ".join(text.split())[:150].replace("\ud800", "\ufffd")
    assert seen in " ".join(data_of(source)["texts"][0].split())


def test_nothing_of_json_is_markup():
    nasty = "</script><!-- &amp; \u2028\u2029'\""
    text = script_json({nasty: nasty})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {nasty: nasty}


def test_same_inputs_same_bytes(make_run):
    root = with_maps(make_run())
    assert report_of(root) == report_of(root)


def test_maps_of_other_embeddings_are_refused(make_run):
    root = with_maps(make_run(), [map_of(41, 20)])
    with pytest.raises(ValueError, match=r"maps\.json: damaged: found real row 40 of 40"):
        report_of(root)


def test_each_task_has_its_own_explorer_and_names_the_others(tmp_path):
    root = write_joint_run(tmp_path / "joint")
    for task, rows in (("sentiment", 15), ("paraphrase", 4)):
        with_maps(root, maps_of(rows, rows), task)
    source = report_of(root)
    page = Page(source)
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    keys = [value for _, name, value in page.attributes if name == "id" and "-map-" in value]
    assert links == [f"#{key}" for key in ("run-1-map-1", "run-1-map-0")]
    assert keys == ["run-1-map-0", "run-1-map-0-keys", "run-1-map-1", "run-1-map-1-keys"]
    assert len(DATA.findall(source)) == 2
    assert len(SCRIPT.findall(source)) == 1


def test_several_runs_have_their_maps_side_by_side(make_run):
    runs = [with_maps(make_run(name)) for name in ("one", "two")]
    page = Page(report_of(*runs))
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert [link for link in links if "map" in link] == ["#run-1-map-0", "#run-2-map-0"]
    keys = {value for _, name, value in page.attributes if name == "id"}
    assert {"run-1-map-0", "run-2-map-0"} < keys
    assert "one 75% of neighbors are of the own kind, 50% if nobody" in page.text
    assert "own kind, 50% if" not in Page(report_of(runs[0])).text


def test_a_small_map_draws_every_point_once():
    drawn = map_of(7, 5)
    picture = thumbnail(drawn, [0, 1, 1, -1, 0, 1, -1], [1, 0, 1, 1, 0])
    content = base64.b64decode(picture.uri.partition(",")[2]).decode()
    paths = [path.attrib["d"] for path in ElementTree.fromstring(content)]
    assert [path.count("M") for path in paths] == [2, 3, 2, 2, 3]
    places = np.array(re.findall(r"M(\d+) (\d+)", " ".join(paths)), dtype=float)
    assert ((places >= 12) & (places <= 288)).all()
    assert np.ptp(places, axis=0).max() == 276


def test_further_maps_stand_below(make_run):
    root = with_maps(make_run())
    assert "Still maps" not in Page(report_of(root)).text
    for stem in ("maps-by-class", "maps-series"):
        (root / "figures" / f"{stem}.png").write_bytes((root / "figures/curves.png").read_bytes())
    text = Page(report_of(root)).text
    assert "Still maps" in text
    assert "The map class by class" in text
    assert "another perplexity" not in text
