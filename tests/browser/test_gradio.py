"""Contracts of `ui/gradio_fixes.py` that only a browser can hold Gradio to; the number is the entry's."""

import re

from playwright.sync_api import Route, expect

from tests.browser.conftest import Opener, Watch
from tests.browser.screen import SETTLED


def test_5_an_update_from_a_script_alone_changes_a_components_properties(
    open_page: Opener, demo: str
) -> None:
    screen = open_page(demo)
    slider = screen.page.locator("#temperature")
    unset = re.compile(r"\bunset\b")
    expect(slider).to_have_class(unset)
    slider.locator("input[type=range]").fill("0.4")
    expect(slider).not_to_have_class(unset)
    screen.page.locator("#temperature-reset").click()
    expect(slider).to_have_class(unset)
    expect(slider.locator("input[type=range]")).to_have_value("1")


def test_10_the_sanitizer_leaves_the_class_that_names_the_run_and_the_buttons(
    open_page: Opener, demo: str
) -> None:
    screen = open_page(demo).ask("hello").over(1)
    expect(screen.page.locator("#chat .fate").last).to_have_class(re.compile(r"\brun-[\w-]+"))
    expect(screen.page.locator("#chat button.up")).to_have_attribute("title", "Good answer")


def test_13_a_lost_connection_is_said_in_a_toast(open_page: Opener, demo: str, watch: Watch) -> None:
    screen = open_page(demo)
    screen.page.route("**/queue/join**", lambda route: route.abort())
    screen.page.route("**/state**", lambda route: route.abort())  # else follow.js loads the page again
    screen.box.fill("hello")
    screen.box.press("Enter")
    expect(screen.page.locator(".toast-wrap .error").first).to_contain_text("Connection to the server")
    screen.page.close()  # nothing fails after it
    watch.complaints[:] = [each for each in watch.complaints if "Failed to" not in each]


def test_16_fewer_models_wait_until_the_menu_is_closed(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    screen.page.wait_for_load_state("networkidle")

    def moved(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "models": -1, "offered": 0})

    screen.evaluate(
        "() => (window.clicks = 0, document.getElementById('refresh').onclick = () => void clicks++)"
    )
    menu = screen.page.locator("#model input")
    menu.click()
    expect(screen.page.get_by_role("listbox")).to_be_visible()
    screen.page.route("**/state?*", moved)
    for _ in range(2):
        with screen.page.expect_response("**/state?*"):
            screen.look()
    assert screen.evaluate("() => clicks") == 0
    menu.press("Escape")
    menu.blur()
    screen.look()
    screen.page.wait_for_function("() => clicks === 1")


COUNTED = """
  window.draw = window.requestAnimationFrame.bind(window);
  window.drawn = 0;
  window.requestAnimationFrame = (work) => (drawn++, draw(work));
"""


def test_18_an_idle_page_draws_no_frames(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask("hello").over(1)
    screen.page.add_init_script(COUNTED)
    screen.page.reload()
    screen.ready().over(1)
    assert screen.evaluate("""async () => {
      for (let round = 0; round < 20; round++) {
        const before = drawn;
        for (let frame = 0; frame < 20; frame++) await new Promise(draw);
        if (drawn - before < 10) return true; // what opens the page is over
      }
      return false;
    }""")


TYPES = """frames => new Promise(done => {
  const area = () => document.querySelector("#system textarea");
  const type = () => {
    area().value = "Be brief.";
    area().dispatchEvent(new Event("input", { bubbles: true }));
    after(10, () => done(area().value));
  };
  const after = (left, what) => left ? requestAnimationFrame(() => after(left - 1, what)) : what();
  const shown = () => area()?.offsetParent && (watcher.disconnect(), after(frames, type));
  const watcher = new MutationObserver(shown);
  watcher.observe(document.body, { childList: true, subtree: true, attributes: true });
  document.querySelector("#more button").click();
})"""


def test_20_what_is_typed_as_an_accordion_unfolds_is_lost_and_a_moment_later_stays(
    open_page: Opener, demo: str
) -> None:
    for frames, text in ((0, ""), (SETTLED, "Be brief.")):
        assert open_page(demo).evaluate(f"() => ({TYPES})({frames})") == text


# Before light.js: what is still done. After it: what Gradio asks for.
DONE = """
  window.counts = {dir: [0, 0], clone: [0, 0], told: [0, 0]}; // of what changes nothing: asked for, done
  window.count = (place) => {
    const dir = Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dir");
    Object.defineProperty(HTMLElement.prototype, "dir", {...dir, set(value) {
      if (dir.get.call(this) === value) counts.dir[place]++;
      dir.set.call(this, value);
    }});
    const clone = window.structuredClone;
    window.structuredClone = (value, ...more) => {
      if (value !== Object(value)) counts.clone[place]++;
      return clone(value, ...more);
    };
  };
  count(1);
"""
ASKED = """() => {
  count(0);
  const entries = Object.entries;
  Object.entries = (object) => {
    const all = entries(object);
    if (!all[0]?.[1]?.fn_index) return all;
    const map = all.map;
    all.map = (work) => {
      const done = map.call(all, work);
      counts.told[0] += all.length;
      counts.told[1] += done.length;
      return done;
    };
    return all;
  };
}"""


def test_23_a_frame_does_what_changes_something(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    screen.page.add_init_script(DONE)
    screen.page.reload()
    screen.ready()
    screen.evaluate(ASKED)
    counts = screen.ask("hello").over(1).evaluate("() => counts")
    assert all(asked > 20 for asked, _ in counts.values()), counts
    assert [counts["dir"][1], counts["clone"][1]] == [0, 0]
    assert counts["told"][1] < counts["told"][0] / 2
