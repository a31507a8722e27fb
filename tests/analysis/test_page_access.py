"""Pages without a mouse, without sight of colors, and read aloud."""

import itertools
import re
from pathlib import Path

import pytest

import analysis
from analysis import write_report, write_study
from analysis.style import _luminance
from tests.analysis import study_folder
from tests.analysis.maps import with_maps
from tests.analysis.pages import Page, report_of

STYLE = (Path(analysis.__file__).parent / "report" / "style.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#\w{6});", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)[:2]
)
TEXT, GROUNDS = ("ink", "muted", "accent", "good", "bad"), ("paper", "page", "wash")
FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"
SEEN = "el => el.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})"
NAME = """el => (el.getAttribute('aria-label') || el.labels?.[0]?.innerText || el.innerText || '')
    .trim()"""
RING = """() => {
    const el = document.activeElement, style = getComputedStyle(el);
    return [el.dataset.at || '', style.outlineStyle, parseFloat(style.outlineWidth)];
}"""


def contrast(one, other):
    darker, brighter = sorted((_luminance(one), _luminance(other)))
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_controls_stand_out_in_both_themes(theme):
    for text, ground in itertools.product(TEXT, GROUNDS):
        assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    assert contrast(theme["ink"], theme["found"]) >= 4.5  # what a search has found
    for edge in ("line", "accent"):  # of controls, and of the focus
        assert contrast(theme[edge], theme["paper"]) >= 3.0, edge


def test_pictures_and_tables_say_what_they_are(make_run):
    page = Page(report_of(make_run("one"), make_run("two")))
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("h1") == 1
    assert page.tags.count("img") == sum(name == "alt" for _, name, _ in page.attributes)
    assert page.tags.count("table") == page.tags.count("caption")
    scopes = {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")}
    assert scopes == {"row", "col"}
    assert page.tags.count("th") == sum(name == "scope" for _, name, _ in page.attributes)


def levels_of(page):
    return [int(tag[1]) for tag in page.tags if re.fullmatch(r"h[1-6]", tag)]


@pytest.mark.parametrize("pages", ["one run", "two runs", "a study"])
def test_headings_leave_out_no_level(pages, make_run, tmp_path):
    if pages == "a study":
        folder = study_folder.ablation_study(tmp_path)
        source = write_study(folder, resamples=99).read_text("utf-8")
    else:
        runs = [with_maps(make_run(name)) for name in ("a", "b")[: 1 + (pages == "two runs")]]
        source = report_of(*runs)
    levels = levels_of(Page(source))
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.browser
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(show, make_run):
    page = show(with_maps(make_run())).page
    wanted = {}
    for number, element in enumerate(page.locator(FOCUSABLE).element_handles()):
        if element.evaluate(SEEN):
            element.evaluate("(el, at) => { el.dataset.at = at; }", str(number))
            wanted[str(number)] = element.evaluate(NAME)
    assert {"Zoom in", "Reset view", "good", "Recipe, every resolved key"} <= set(wanted.values())
    assert all(wanted.values())
    reached = []
    for _ in range(len(wanted)):
        page.keyboard.press("Tab")
        at, ring, width = page.evaluate(RING)
        assert ring != "none", wanted[at]
        assert width >= 1, wanted[at]
        reached.append(at)
    assert reached == list(wanted)  # in the order of the page, and nothing holds it fast


@pytest.mark.browser
def test_a_page_of_several_runs_is_no_wider_than_a_phone(browser, make_run, tmp_path):
    runs = [with_maps(make_run(name)) for name in ("a", "b")]
    write_report(runs, tmp_path / "page.html")
    page = browser.new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    wide = "[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right)"
    assert max(page.evaluate(wide)) <= 720
    page.close()
