"""The page in a browser without a network: pointing, filtering, searching, sliding, printing."""

import re
import shutil

import numpy as np
import pytest

from analysis import write_report
from tests.analysis.maps import map_of, with_maps
from tests.analysis.pages import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path"),
]
SECONDS = 1000  # milliseconds
IDLE = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser without a network, once for all tests."""
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            offline=True,
            reduced_motion="reduce",
        )
        context.set_default_timeout(30 * SECONDS)
        yield context
        context.close()


class Shown:
    """A page that is open, and the parts of its first explorer by name."""

    def __init__(self, page, file):
        self.page, self.errors, self.requests = page, [], []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(file.as_uri())

    def part(self, name):
        return self.page.locator(f'.explorer [data-part="{name}"]').first

    def text(self, name):
        return " ".join(self.part(name).inner_text().split())

    def picture(self):
        self.page.evaluate(IDLE)
        return self.part("map").evaluate("canvas => canvas.toDataURL()")

    def press(self, *keys):
        self.part("map").focus()
        for key in keys:
            self.page.keyboard.press(key)

    def middle(self):
        box = self.part("map").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def names(self):
        return self.part("classes").locator("label").all_inner_texts()


@pytest.fixture
def show(browser, tmp_path):
    """Return a function that opens the page of runs; nothing may go wrong on it or be loaded."""
    opened = []

    def opens(*runs, scheme="light", width=1100):
        write_report(runs, tmp_path / "page.html")
        page = browser.new_page()
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        opened.append(Shown(page, tmp_path / "page.html"))
        return opened[-1]

    yield opens
    for shown in opened:
        shown.page.close()
        assert shown.errors == []
        assert {url.partition(":")[0] for url in shown.requests} <= {"file", "data"}


@pytest.fixture
def shown(show, make_run):
    return show(with_maps(make_run()))


def test_pointing_shows_the_sentence(shown):
    shown.part("search").fill("day 17")
    shown.part("hits").locator("button").click()
    shown.press("Escape")
    assert shown.text("detail") == ""
    shown.page.mouse.move(*shown.middle())
    assert shown.text("detail") == "Real, bad a fine day 17"
    assert "\N{LEFT DOUBLE QUOTATION MARK}" in shown.page.evaluate(
        "getComputedStyle(document.querySelector('.detail q')).quotes"
    )
    shown.page.mouse.move(0, 0)
    assert shown.text("detail") == ""
    assert shown.part("hint").is_visible()


def test_a_fake_says_what_was_asked_and_what_it_is_near(shown):
    shown.part("real").uncheck()
    shown.press("ArrowRight")
    text = shown.text("detail")
    assert re.match(
        r"Fake, asked for (good|bad) Classified as good 75%, bad 25% · typicality", text
    )
    assert text.endswith("Nearest sentences a fine day 0 good · distance 0.500")
    alone = shown.picture()
    shown.part("real").check()
    assert shown.text("detail") == text
    assert shown.picture() != alone


@pytest.mark.parametrize(
    ("key", "axis", "sign"),
    [("ArrowRight", 0, 1), ("ArrowLeft", 0, -1), ("ArrowUp", 1, 1), ("ArrowDown", 1, -1)],
)
def test_arrow_keys_go_their_way_up_to_the_last_point(shown, key, axis, sign):
    shown.part("fake").uncheck()
    places = sign * map_of(40, 20).points_real[:, axis]
    passed = []
    for _ in range(41):
        shown.press(key)
        passed.append(places[int(shown.text("detail").rpartition(" ")[2])])
    steps = np.diff(passed)
    assert (steps[:2] > 0).all()
    assert (steps >= 0).all()
    assert passed[-1] == passed[-2]


def test_page_keys_reach_every_point_and_say_it(shown):
    assert shown.part("detail").get_attribute("aria-live") == "polite"
    seen = []
    for _ in range(40):
        shown.press("PageDown")
        seen.append(shown.text("detail"))
    assert [text.rpartition(" ")[2] for text in seen] == [str(row) for row in range(40)]
    shown.press("PageDown")
    assert shown.text("detail").startswith("Fake")
    shown.press("PageUp")
    assert shown.text("detail") == seen[-1]


def test_filters_hide_classes_and_kinds(shown):
    assert shown.names() == ["good", "bad"]
    assert shown.text("count") == "40 real sentences and 20 fakes are shown."
    before = shown.picture()
    shown.part("classes").get_by_label("bad").uncheck()
    assert shown.text("count") == "20 real sentences and 10 fakes are shown."
    assert shown.picture() != before
    shown.part("fake").uncheck()
    assert shown.text("count") == "20 real sentences and 0 fakes are shown."
    shown.press("ArrowRight", "ArrowRight", "ArrowUp")
    assert shown.text("detail").startswith("Real, good")
    shown.part("classes").get_by_label("good").uncheck()
    assert shown.text("detail") == ""
    assert shown.text("count") == "0 real sentences and 0 fakes are shown."


def test_search_counts_marks_and_lists(shown):
    before = shown.picture()
    shown.part("search").fill("  DAY  3")
    days = [day for day in range(40) if str(day).startswith("3")]
    assert (
        shown.text("count") == f"{len(days)} sentences have it; 0 fakes are near to one that has."
    )
    assert shown.part("count").get_attribute("role") == "status"
    entries = shown.part("hits").locator("button")
    assert entries.all_inner_texts() == [f"a fine day {day}" for day in days]
    assert set(entries.locator("mark").all_inner_texts()) == {"day 3"}
    assert shown.picture() != before
    entries.nth(2).focus()
    shown.page.keyboard.press("Enter")
    assert shown.text("detail").endswith("a fine day 31")
    shown.part("search").fill("day 0")
    assert shown.text("count") == "1 sentence has it; 20 fakes are near to one that has."
    shown.part("search").fill("(no [such* words\\")
    assert shown.text("count") == "0 sentences have it; 0 fakes are near to one that has."
    assert not shown.part("hits").is_visible()


def test_projection_and_perplexity_change_the_map(shown):
    first = shown.picture()
    assert "0.88 " in shown.text("quality") + " "
    shown.part("perplexity").select_option("5")
    second = shown.picture()
    assert "0.50" in shown.text("quality")
    shown.part("projection").select_option("PCA of real")
    third = shown.picture()
    assert not shown.part("perplexity").is_visible()
    assert not shown.part("frames").is_visible()
    assert len({first, second, third}) == 3
    shown.part("projection").select_option("t-SNE, joint")
    assert shown.picture() == first


def test_the_slider_goes_through_the_frames(shown):
    shown.part("projection").select_option("PCA of real, series")
    slider = shown.part("frame")
    assert shown.text("frame-name") == "step 30"
    last = shown.picture()
    slider.focus()
    shown.page.keyboard.press("Home")
    assert shown.text("frame-name") == slider.get_attribute("aria-valuetext") == "step 10"
    assert shown.picture() != last
    shown.part("real").uncheck()
    shown.press("PageDown")
    assert "In the last frame classified as good 75%" in shown.text("detail")
    shown.press("Escape")
    shown.part("real").check()
    shown.part("fake").uncheck()
    fixed = shown.picture()
    slider.fill("1")
    assert shown.picture() == fixed  # real points stay, on the same axes
    shown.part("axes").uncheck()
    assert shown.picture() != fixed
    shown.part("play").click()
    playwright.expect(shown.part("frame-name")).to_have_text("step 30")
    playwright.expect(shown.part("play")).to_have_text("Play")


def test_zoom_drag_and_reset(shown):
    whole = shown.picture()
    shown.part("nearer").click()
    nearer = shown.picture()
    x, y = shown.middle()
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 90, y + 40, steps=3)
    shown.page.mouse.up()
    shown.page.mouse.move(0, 0)
    moved = shown.picture()
    assert len({whole, nearer, moved}) == 3
    shown.part("reset").click()
    assert shown.picture() == whole
    shown.press("+", "-")
    assert shown.picture() == whole
    shown.press("+")
    assert shown.picture() == nearer


def test_the_wheel_scrolls_the_page_until_the_map_has_the_focus(shown):
    whole = shown.picture()
    shown.part("map").scroll_into_view_if_needed()
    shown.page.mouse.move(*shown.middle())
    shown.page.mouse.wheel(0, -60)
    shown.page.wait_for_timeout(200)
    shown.page.mouse.move(0, 0)
    assert shown.picture() == whole
    shown.part("map").focus()
    shown.page.mouse.move(*shown.middle())
    shown.page.mouse.wheel(0, -60)
    shown.page.wait_for_timeout(200)
    shown.page.mouse.move(0, 0)
    assert shown.picture() != whole


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
    text = (
        (tmp_path / "page.html").read_text().replace("script-src 'sha256-", "script-src 'sha256-0")
    )
    (tmp_path / "page.html").write_text(
        text.replace("script-src &#39;sha256-", "script-src &#39;x")
    )
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
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
