"""Using the maps of the page: pointing, filtering, searching, sliding, zooming."""

import re

import numpy as np
import pytest

from tests.analysis.maps import map_of

pytestmark = pytest.mark.browser


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
    expect = pytest.importorskip("playwright.sync_api").expect
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
    expect(shown.part("frame-name")).to_have_text("step 30")
    expect(shown.part("play")).to_have_text("Play")


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
