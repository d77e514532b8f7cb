"""What a newcomer meets, without a key: the empty page, the first answer, thinking, tools, keyboard."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.screen import Screen

WHERE = "() => document.activeElement.closest('#model, #temperature, #more, #tabs, #chat, #question')?.id"


def test_the_empty_page_says_what_it_is_and_how_to_add_a_key(on_demo: Screen) -> None:
    screen = on_demo
    expect(screen.chat).to_contain_text("watch the answer arrive")
    expect(screen.chat).to_contain_text("OPENAI_API_KEY")
    expect(screen.chat).to_contain_text(".env.example")
    assert screen.page.locator("#chat .example").count() == 4
    assert screen.page.title() == "Runnel"


def test_the_first_answer_needs_no_key_and_streams(on_demo: Screen) -> None:
    screen = on_demo.ask("Show me Markdown: a table, code and maths").writing()
    early = len(screen.answers.last.inner_text())
    screen.over(1)
    assert len(screen.answers.last.inner_text()) > early
    assert re.fullmatch(r"demo:tour\s· [\d.]+ m?s to first word\s· \d+ tok/s\s· done", screen.footer)
    expect(screen.answer.locator("table")).to_have_count(1)
    expect(screen.answer.locator(".katex").first).to_be_visible()
    expect(screen.answer.locator("pre code").first).to_be_visible()


def test_an_example_is_asked_with_a_click(on_demo: Screen) -> None:
    screen = on_demo
    screen.page.locator("#chat .example").nth(2).click()
    expect(screen.stop).to_be_visible()
    screen.over(1)
    expect(screen.answer.last).to_contain_text("441")


def test_thinking_and_a_tool_are_shown_before_the_answer_ends(on_demo: Screen) -> None:
    screen = on_demo
    screen.ask("Think aloud: a bicycle and a bell cost 110 together. What does the bell cost?")
    expect(screen.activity).to_contain_text("Let me check that")
    expect(screen.live).to_be_attached()
    screen.over(1).ask("What is 23 × 19 + 4, and what time is it in Tokyo?")
    expect(screen.activity).to_contain_text("calculate")
    expect(screen.live).to_be_attached()
    screen.over(2)
    expect(screen.activity).to_contain_text("441")


def test_what_a_person_types_is_shown_as_typed(on_demo: Screen) -> None:
    typed = "a *b* <i>c</i>\n# d $5 and $6 `e`"
    screen = on_demo
    screen.box.fill(typed)
    screen.send.click()
    screen.over(1)
    assert screen.page.locator("#chat .asked").inner_text() == typed


def test_an_empty_message_is_not_sent_and_stays(on_demo: Screen) -> None:
    screen = on_demo
    screen.box.fill("   ")
    screen.box.press("Enter")
    screen.ask("hello").over(1)  # the next one goes, so the empty one has been dealt with
    expect(screen.questions).to_have_count(1)


def test_the_keyboard_does_it_all(on_demo: Screen) -> None:
    screen = on_demo
    expect(screen.box).to_be_focused()
    screen.page.keyboard.type("two")
    screen.page.keyboard.press("Shift+Enter")
    screen.page.keyboard.type("lines")
    expect(screen.box).to_have_value("two\nlines")
    screen.page.keyboard.press("Enter")
    screen.over(1).ask("write a long answer").writing()
    screen.page.keyboard.press("Escape")
    screen.over(2)
    assert screen.footer.endswith("stopped")


def test_tab_reaches_everything_in_reading_order(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    screen.page.locator("#new").focus()
    seen = []
    for _ in range(25):
        screen.page.keyboard.press("Tab")
        seen.append(screen.evaluate(WHERE))
    order = [name for n, name in enumerate(seen) if name and name not in seen[:n]]
    assert order == ["model", "temperature", "more", "tabs", "chat", "question"]


def test_a_menu_closes_behind_the_keyboard(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).more()
    for menu in ("#model", "#persona"):
        screen.page.locator(f"{menu} input").focus()
        expect(screen.page.locator(f"{menu} .options")).to_be_visible()
        screen.page.keyboard.press("Tab")
        expect(screen.page.locator(f"{menu} input")).not_to_be_focused()
        expect(screen.page.locator(f"{menu} .options")).to_have_count(0)
        expect(screen.page.locator(f"{menu} [aria-expanded=true]")).to_have_count(0)


def test_after_a_click_the_focus_is_in_the_box(on_demo: Screen) -> None:
    screen = on_demo
    screen.page.locator("#chat .example").first.click()
    expect(screen.box).to_be_focused()
    screen.writing()
    screen.box.evaluate("box => box.blur()")
    screen.stop.click()
    screen.over(1)
    expect(screen.box).to_be_focused()
    screen.page.locator("#new").click()
    expect(screen.questions).to_have_count(0)
    expect(screen.box).to_be_focused()


def test_the_reason_goes_with_the_model(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).choose_model("demo:strict")
    expect(screen.page.locator("#temperature")).to_contain_text("takes no temperature")
    screen.choose_model("demo:tour")
    expect(screen.page.locator("#temperature")).not_to_contain_text("takes no temperature")
    expect(screen.page.locator("#temperature input[type=range]")).to_be_enabled()


def test_a_tool_is_switched_off_and_not_made_up(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).more()
    screen.page.locator("#tools").get_by_label("Calculate").uncheck()
    screen.ask("What is 23 × 19 + 4?").over(1)
    expect(screen.answer.last).to_contain_text("switched off")


def test_the_settings_reach_the_model(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).more()
    screen.page.locator("#persona input").click()
    screen.page.get_by_role("option", name="Customer support").click()
    expect(screen.page.locator("#system textarea")).to_have_value(re.compile("customer support"))
    screen.page.locator("#max-tokens input, #max-tokens textarea").fill("20")
    screen.ask("tour").over(1)
    assert "ended at the length limit" in screen.footer


def test_what_is_copied_is_what_was_said(open_page: Opener, demo: str) -> None:
    asked = "Why <b>not</b>\n$5 & `x`?"
    screen = open_page(demo, permissions=["clipboard-read", "clipboard-write"])
    screen.ask(asked).over(1)

    def copied(side: str) -> str:
        row = screen.page.locator(f"#chat .message-buttons-{side}")
        row.get_by_role("button", name="Copy message").click()
        expect(row.get_by_role("button", name="Copied message")).to_be_visible()
        return screen.evaluate("() => navigator.clipboard.readText()")

    assert copied("right") == asked
    answer = copied("left")
    assert "</b" in answer  # the demo repeats what it was asked
    assert "<div" not in answer
    assert "first word" not in answer


def test_a_menu_opens_again_after_esc(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    screen.page.wait_for_load_state("networkidle")
    menu, options = screen.page.locator("#model input"), screen.page.get_by_role("listbox")
    before = menu.input_value()
    for again in (menu.click, lambda: menu.press("ArrowDown")):
        menu.click()
        expect(options).to_be_visible()
        menu.fill("nothing like it")
        menu.press("Escape")
        expect(options).to_have_count(0)
        again()
        expect(options).to_be_visible()
        menu.press("Escape")
        expect(options).to_have_count(0)
    screen.box.click()
    expect(menu).to_have_value(before)
