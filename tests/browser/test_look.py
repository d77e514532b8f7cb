"""The page's script and style in a real browser: keys, focus, names, and text that fits."""

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener

SCROLLER = "document.querySelector('#chat [role=log]')"
REST = f"({SCROLLER}.scrollHeight - {SCROLLER}.clientHeight - {SCROLLER}.scrollTop)"


def test_an_enter_that_ends_a_composition_sends_nothing(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    screen.box.fill("にほん")
    for kind, code in (("keydown", 229), ("keypress", 13)):
        screen.box.dispatch_event(
            kind, {"key": "Enter", "keyCode": code, "isComposing": True, "bubbles": True, "cancelable": True}
        )
    expect(screen.box).to_have_value("にほん")
    screen.box.press("Shift+Enter")
    expect(screen.box).to_have_value("にほん\n")
    expect(screen.questions).to_have_count(0)
    screen.box.press("Enter")
    expect(screen.questions).to_have_count(1)
    screen.over(1)


def test_the_button_leads_back_to_the_newest_text(open_page: Opener, served: str) -> None:
    screen = open_page(served, height=500).choose_model("up:prose-900-300").ask("go on").writing()
    newest = screen.page.locator("#newest")
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollTop > 400")
    expect(newest).to_be_hidden()
    screen.chat.hover()
    screen.page.mouse.wheel(0, -400)
    expect(newest).to_be_visible()
    newest.click()
    expect(newest).to_be_hidden()
    expect(screen.box).to_be_focused()
    screen.over(1)
    screen.page.wait_for_function(f"() => {REST} < 2")  # it followed to the end


def test_scrolling_down_to_the_end_follows_again(open_page: Opener, served: str) -> None:
    screen = open_page(served, height=500).choose_model("up:prose-900-300").ask("go on").writing()
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollTop > 400")
    screen.chat.hover()
    screen.page.mouse.wheel(0, -300)
    expect(screen.page.locator("#newest")).to_be_visible()
    screen.page.mouse.wheel(0, 100_000)
    expect(screen.page.locator("#newest")).to_be_hidden()
    screen.over(1)
    screen.page.wait_for_function(f"() => {REST} < 2")


def test_a_chat_that_gets_shorter_for_a_moment_is_still_followed(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, height=500).choose_model("demo:fast")
    screen.ask("Show me Markdown: a table, code and maths").over(1)
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollTop > 400 && {REST} < 2")
    # The browser takes it up, and says so in the next frame: by then it has grown again.
    screen.evaluate("""async () => {
      const row = [...document.querySelectorAll('#chat .bot-row')].pop();
      row.style.display = 'none';
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      row.style.display = '';
      row.style.paddingBottom = '300px';
    }""")
    screen.page.wait_for_function(f"() => {REST} < 2")
    expect(screen.page.locator("#newest")).to_be_hidden()


def test_a_word_without_end_and_a_wide_block_stay_in_the_column(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).choose_model("demo:fast")
    screen.ask("x" * 5000).over(1)
    screen.ask("Show me Markdown: a table, code and maths").over(2)
    for width in (1440, 390):
        screen.page.set_viewport_size({"width": width, "height": 800})
        screen.page.wait_for_function(f"() => {SCROLLER}.scrollWidth === {SCROLLER}.clientWidth")
    code = screen.page.locator("#chat pre").first
    assert code.evaluate("e => getComputedStyle(e).overflowX") == "auto"


def test_lines_are_as_long_as_they_read_well(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask("Show me Markdown: a table, code and maths").over(1)
    characters = """() => {
      const p = [...document.querySelectorAll('#chat .bot p')].find(p => p.offsetHeight > 40);
      const range = document.createRange(), text = p.firstChild;
      for (let i = 1; i < text.length; i++) {
        range.setStart(text, 0);
        range.setEnd(text, i);
        if (range.getClientRects().length > 1) return i;
      }
    }"""
    assert 65 <= screen.evaluate(characters) <= 85


def test_every_button_has_a_name(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=390, height=800).ask("hello").over(1)
    screen.page.locator("#sidebar .toggle-button").click()
    nameless = """() => [...document.querySelectorAll('button, summary, textarea, input')]
      .filter(e => e.checkVisibility({visibilityProperty: true}))
      .filter(e => !(e.innerText || e.getAttribute('aria-label') || e.title || e.labels?.length))
      .map(e => e.outerHTML.slice(0, 200))"""
    assert screen.evaluate(nameless) == []


def test_tab_reaches_everything_and_shows_where_it_is(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask("hello").over(1)
    screen.evaluate("() => document.activeElement.blur()")
    seen: set[str] = set()
    for _ in range(40):
        screen.page.keyboard.press("Tab")
        seen.add(
            screen.evaluate("""() => {
              const e = document.activeElement, box = e.closest('.wrap, .input-container') ?? e;
              if (e === document.body) return '';
              const marked = getComputedStyle(e).outlineStyle !== 'none'
                || getComputedStyle(box).boxShadow !== 'none' || e.matches('#question textarea');
              const at = e.closest('#new, #model, #temperature, #more, #activity, #chat, #question');
              return marked ? at?.id ?? '' : `unmarked: ${e.outerHTML.slice(0, 120)}`;
            }""")
        )
    assert not [each for each in seen if each.startswith("unmarked")]
    assert {"new", "model", "temperature", "more", "activity", "question"} <= seen


def test_a_closed_sidebar_is_out_of_the_way_of_tab(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=390, height=800)
    expect(screen.page.locator("#sidebar .toggle-button")).to_have_attribute("aria-expanded", "false")
    assert not screen.page.locator("#model input").is_visible()
    screen.page.locator("#sidebar .toggle-button").click()
    expect(screen.page.locator("#model input")).to_be_visible()
    screen.page.mouse.click(380, 400)  # beside it
    expect(screen.page.locator("#sidebar .toggle-button")).to_have_attribute("aria-expanded", "false")


def test_a_phone_does_not_open_its_keyboard_unasked(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=390, height=800, has_touch=True, is_mobile=True)
    expect(screen.box).not_to_be_focused()
    screen.box.focus()  # as Gradio does once it has drawn the page, however late
    expect(screen.box).not_to_be_focused()
    screen.box.tap()
    expect(screen.box).to_be_focused()


def test_on_a_narrow_screen_the_sidebar_lies_over_the_page(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=820)
    screen.page.wait_for_function("() => 'settled' in document.documentElement.dataset")
    toggle = screen.page.locator("#sidebar .toggle-button")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    before = screen.box.bounding_box()
    toggle.click()
    expect(screen.page.locator("#model input")).to_be_in_viewport(ratio=1)
    assert screen.box.bounding_box() == before
    screen.page.mouse.click(800, 400)  # beside it
    expect(toggle).to_have_attribute("aria-expanded", "false")


def test_the_open_tab_of_the_sidebar_is_open_again_after_a_reload(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    chats = screen.page.get_by_role("tab", name="Chats")
    expect(screen.page.get_by_role("tab", name="Activity")).to_have_attribute("aria-selected", "true")
    chats.click()
    screen.page.reload()
    screen.ready()
    expect(chats).to_have_attribute("aria-selected", "true")
    expect(screen.page.locator("#chats .search")).to_be_visible()


def test_nothing_moves_when_motion_is_reduced(open_page: Opener, served: str) -> None:
    screen = open_page(served, reduced_motion="reduce").choose_model("up:think-60-60+text-60-60").ask("go")
    expect(screen.activity.locator(".thought")).to_be_attached()
    moving = """() => document.getAnimations().filter(a => a.playState === "running")
        .map(a => a.effect.target.outerHTML.slice(0, 200))"""
    assert screen.evaluate(moving) == []
    # The list of models flew out as it was left: how long it did is the browser's luck to see.
    assert screen.evaluate("() => document.body.animate([], 1000).effect.getTiming().duration") == 0
    screen.writing()
    assert screen.evaluate(moving) == []
    screen.over(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_paint_has_the_right_background(
    open_page: Opener, demo: str, scheme: Literal["light", "dark"]
) -> None:
    """Before any script of Gradio's has run, the page is as light or dark as it will be."""
    screen = open_page(demo, color_scheme=scheme)
    after = screen.evaluate("() => getComputedStyle(document.querySelector('gradio-app')).backgroundColor")
    browser = screen.page.context.browser
    assert browser
    context = browser.new_context(color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    page.goto(demo, wait_until="domcontentloaded")
    before = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    context.close()
    assert before == after
