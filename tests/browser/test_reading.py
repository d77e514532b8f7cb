"""What a reader does with an answer is not undone by what comes after it: static/newest.js, drawing.js."""

from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.screen import Screen

WORDS = "#chat .bot-row .answer > *"
BLOCK = f"() => [...document.querySelectorAll('{WORDS}')].pop()"
GROWN = f"length => ({BLOCK})()?.textContent.length > length"
SELECT = f"""() => {{
  const block = ({BLOCK})(), words = document.createTreeWalker(block, NodeFilter.SHOW_TEXT).nextNode();
  getSelection().setBaseAndExtent(words, 0, words, 4);
  return getSelection().toString();
}}"""


def writing(open_page: Opener, served: str, model: str, question: str) -> Screen:
    screen = open_page(served).choose_model(model).ask(question).writing()
    screen.page.wait_for_function(GROWN, arg=40)
    return screen


def grows(screen: Screen, more: int = 80) -> Screen:
    length = screen.evaluate(f"() => ({BLOCK})().textContent.length")
    screen.page.wait_for_function(GROWN, arg=length + more)
    return screen


def test_what_is_selected_in_the_growing_block_stays_selected(open_page: Opener, served: str) -> None:
    screen = writing(open_page, served, "up:text-150-50", "go on")
    words = screen.evaluate(SELECT)
    assert len(words) == 4
    assert grows(screen).evaluate("() => getSelection().toString()") == words
    screen.over(1)
    assert screen.evaluate("() => getSelection().toString()") == words


def test_a_growing_block_of_code_stays_where_it_was_scrolled_to(open_page: Opener, served: str) -> None:
    wide = "Code:\n\n```python\n" + "x = " + "1 + " * 60 + "1\n" + "\n".join(f"y{n} = {n}" for n in range(60))
    screen = writing(open_page, served, "up:asked", f"spell-9-20@{wide}")
    block = "() => [...document.querySelectorAll('#chat .bot-row pre')].pop()"
    screen.page.wait_for_function(f"() => ({block})()?.scrollWidth > 1000")
    screen.evaluate(f"() => {{ window.block = ({block})(); block.scrollLeft = 200; }}")
    grows(screen)
    assert screen.evaluate(f"() => [block === ({block})(), block.scrollLeft]") == [True, 200]


def test_a_held_mouse_points_at_what_it_pointed_at(open_page: Opener, served: str) -> None:
    screen = writing(open_page, served, "up:prose-900-90", "go on")
    screen.page.wait_for_function("() => document.querySelector('#chat .bubble-wrap').scrollTop > 300")
    inside = screen.chat.bounding_box()
    assert inside
    screen.page.mouse.move(inside["x"] + inside["width"] / 2, inside["y"] + 200)
    screen.page.mouse.down()
    top = "() => document.querySelector('#chat .bubble-wrap').scrollTop"
    before = screen.evaluate(top)
    height = "() => document.querySelector('#chat .bubble-wrap').scrollHeight"
    tall = screen.evaluate(height)
    screen.page.wait_for_function(f"tall => ({height})() > tall + 200", arg=tall)
    assert screen.evaluate(top) == before
    screen.page.mouse.up()
    screen.page.wait_for_function(f"before => ({top})() > before + 150", arg=before)  # follows again


def test_who_selects_is_left_alone(open_page: Opener, served: str) -> None:
    screen = writing(open_page, served, "up:prose-900-90", "go on")
    screen.page.wait_for_function("() => document.querySelector('#chat .bubble-wrap').scrollTop > 300")
    screen.evaluate(SELECT)
    newest = screen.page.locator("#newest")
    expect(newest).to_be_visible()
    newest.click()
    expect(newest).to_be_hidden()


def test_who_reaches_a_link_with_the_keyboard_keeps_it_in_sight(open_page: Opener, served: str) -> None:
    text = "[a link](https://example.org/)\n\n" + "\n\n".join(f"Paragraph {n}." for n in range(60))
    screen = open_page(served).choose_model("up:asked").ask(f"spell-9-20@{text}").writing()
    link = screen.answer.get_by_role("link", name="a link")
    expect(link).to_be_visible()
    screen.box.press("Shift+Tab")  # a key, so that the focus is the keyboard's
    link.focus()
    screen.page.wait_for_function(
        "() => { const chat = document.querySelector('#chat .bubble-wrap');"
        " return chat.scrollHeight > chat.clientHeight + 200 }"
    )
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()


def test_who_holds_the_mouse_or_selects_in_the_embedded_page_is_left_alone(
    open_page: Opener, served: str
) -> None:
    page = open_page(served).page
    page.goto(f"{served}/embed?model=up:prose-900-90")
    expect(page.locator("#send")).to_be_enabled()
    page.locator("#question").fill("go on")
    page.locator("#send").click()
    top = "() => document.querySelector('#log').scrollTop"
    tall = "() => document.querySelector('#log').scrollHeight"
    page.wait_for_function(f"() => ({top})() > 300")
    page.mouse.move(600, 300)
    page.mouse.down()
    before, height = page.evaluate(top), page.evaluate(tall)
    page.wait_for_function(f"height => ({tall})() > height + 200", arg=height)
    assert page.evaluate(top) == before
    page.mouse.up()
    page.wait_for_function(f"before => ({top})() > before + 150", arg=before)  # follows again
    page.evaluate("() => getSelection().selectAllChildren(document.querySelector('[data-role=user]'))")
    newest = page.locator("#newest")
    expect(newest).to_be_visible()
    newest.click()
    expect(newest).to_be_hidden()
