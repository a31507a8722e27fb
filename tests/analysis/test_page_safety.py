"""The page in any theme, on paper, on a phone, without scripts, with hostile text, and large."""

import shutil

import numpy as np
import pytest

from analysis import write_report
from tests.analysis.maps import map_of, with_maps
from tests.analysis.pages import HOSTILE

pytestmark = pytest.mark.browser


def test_both_themes_have_colors_of_their_own(show, make_run):
    root = with_maps(make_run())
    light, dark = show(root), show(root, scheme="dark")
    assert light.picture() != dark.picture()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert light.page.evaluate(ground) != dark.page.evaluate(ground)
    light.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert light.picture() == dark.picture()


def test_paper_has_the_picture_instead(show, make_run):
    root = with_maps(make_run())
    shutil.copy(root / "figures" / "curves.png", root / "figures" / "map.png")
    shown = show(root)
    still = shown.page.locator(".map > figure")
    assert not still.is_visible()
    shown.page.emulate_media(media="print")
    assert still.is_visible()
    assert not shown.part("map").is_visible()


def test_nothing_is_wider_than_a_phone(show, make_run):
    shown = show(with_maps(make_run()), width=360)
    wide = "document.documentElement.scrollWidth"
    assert shown.page.evaluate(wide) <= 360


def test_without_scripts_the_picture_stays(browser, make_run, tmp_path):
    root = with_maps(make_run())
    shutil.copy(root / "figures" / "curves.png", root / "figures" / "map.png")
    write_report([root], tmp_path / "page.html")
    file = tmp_path / "page.html"
    allowed = "script-src &#39;sha256-"
    assert allowed in file.read_text()
    file.write_text(file.read_text().replace(allowed, f"{allowed}0"))
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.locator(".map > figure").is_visible()
    assert not page.locator(".explorer").is_visible()
    page.close()


def test_hostile_text_runs_nothing_and_adds_no_element(show, make_run):
    nasty = f"{HOSTILE}\0\u202e</script><svg onload=alert(1)>\u2028"
    count = "document.querySelectorAll('*').length"
    tame = show(with_maps(make_run("tame"))).page.evaluate(count)
    root = with_maps(make_run(classes=(nasty, "b"), text=nasty, source=nasty, name="nasty"))
    shown = show(root)
    assert shown.page.evaluate(count) == tame
    shown.part("search").fill("<img")
    shown.part("hits").locator("button").first.click()
    shown.part("real").uncheck()
    shown.press("ArrowRight", "ArrowDown", "ArrowUp")
    assert shown.text("detail").startswith("Fake, asked for")
    assert "onerror" in shown.text("detail")
    inside = shown.page.locator(".explorer img, .explorer svg, .explorer script:not([type])")
    assert inside.count() == 0


def test_five_thousand_points_within_ten_megabytes_and_three_seconds(show, make_run):
    root = make_run(text="as long as a sentence of a review may well be, or longer " * 3)
    rows = {"real_rows": np.arange(2500) % 40, "fake_rows": np.arange(2500) % 20}
    maps = [map_of(2500, 2500, seed=step, frame=f"step {step}", **rows) for step in range(12)]
    shown = show(with_maps(root, maps))
    assert shown.text("count") == "2,500 real sentences and 2,500 fakes are shown."
    assert (root.parent / "page.html").stat().st_size < 10_000_000
    # Processor time of the page's own thread: other programs may be busy.
    session = shown.page.context.new_cdp_session(shown.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    shown.page.reload()
    shown.press("ArrowRight")
    assert shown.text("detail") != ""
    measured = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < measured["TaskDuration"] < 3
