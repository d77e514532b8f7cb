"""What can be done with an answer: go on with it, try again, mark it, edit its question, look back at it."""

import re

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener, Upstream, Watch
from tests.browser.screen import Screen

LONG = "up:text-300-150"
"""Two seconds of text."""


def act(screen: Screen, kind: str) -> Locator:
    """The buttons of a kind, oldest first."""
    return screen.page.locator(f"#chat .act.{kind}")


def stopped(screen: Screen) -> Screen:
    """An answer that was stopped in its middle."""
    screen.choose_model(LONG).ask("go on").writing()
    expect(screen.answer).to_contain_text("tok20 ")
    screen.stop.click()
    return screen.over(1)


def test_a_stopped_answer_is_continued_without_another_question(
    open_page: Opener, served: str, upstream: Upstream
) -> None:
    screen = stopped(open_page(served)).choose_model("up:text-5")
    before = screen.answer.inner_text()
    screen.page.get_by_role("button", name="Continue").click()
    seam = screen.page.locator("#chat .seam")
    expect(seam).to_contain_text(re.compile(r"stopped after \d+ characters\s· continued with up:text-5"))
    screen.over(1)
    whole = f"{before} tok1 tok2 tok3 tok4 tok5"
    expect(screen.answers).to_have_count(1)
    expect(screen.answer).to_have_text(whole)
    said = upstream.bodies()[-1]["messages"]
    assert [each["role"] for each in said] == ["user", "assistant", "user"]
    expect(screen.page.get_by_role("button", name="Continue")).to_have_count(0)  # it is complete
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.page.locator("#chat .message-buttons-left button").click()
    expect(screen.page.get_by_role("button", name="Copied message")).to_be_visible()
    copied = screen.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == whole
    screen.page.reload()
    screen.ready().over(1)
    expect(screen.answer).to_have_text(whole)
    expect(seam).to_have_count(1)


def test_a_continued_answer_tried_again_is_answered_anew_as_a_whole(open_page: Opener, served: str) -> None:
    screen = stopped(open_page(served)).choose_model("up:text-5+stop-length")
    before = screen.answer.inner_text()
    onward = screen.page.get_by_role("button", name="Continue")
    versions = screen.page.locator("#chat .versions")
    onward.click()
    seam = screen.page.locator("#chat .seam")
    expect(seam).to_have_count(1)
    screen.over(1).choose_model("up:text-3+stop-length")
    screen.page.get_by_role("button", name="Try again").click()
    expect(versions).to_have_text("‹2 / 2")
    expect(seam).to_have_count(0)
    screen.over(1)
    expect(screen.answer).to_have_text("tok1 tok2 tok3")
    versions.get_by_title("Version before").click()
    expect(versions).to_have_text("1 / 2›")
    expect(seam).to_have_count(1)
    expect(screen.answer).to_have_text(f"{before} tok1 tok2 tok3 tok4 tok5")


def test_try_again_with_another_model_keeps_both_versions(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-5").ask("hello").over(1)
    screen.choose_model("up:text-7")
    again = screen.page.get_by_role("button", name="Try again")
    again.hover()
    expect(again).to_have_attribute("title", "Try again with up:text-7")
    before = screen.run
    again.click()
    expect(screen.page.locator(f"#chat .{before}")).to_have_count(0)
    screen.over(1)
    expect(screen.asked).to_have_count(1)
    expect(screen.answer).to_contain_text("tok7")
    versions = screen.page.locator("#chat .versions")
    expect(versions).to_contain_text("2 / 2")
    versions.get_by_title("Version before").click()
    expect(versions).to_contain_text("1 / 2")
    expect(screen.answer).to_have_text("tok1 tok2 tok3 tok4 tok5")
    screen.page.reload()
    screen.ready().over(1)
    expect(versions).to_contain_text("1 / 2")
    versions.get_by_title("Next version").click()
    expect(screen.answer).to_contain_text("tok7")
    assert screen.footer.startswith("up:text-7")


def test_a_thumb_survives_the_reload(open_page: Opener, served: str) -> None:
    screen = open_page(served).ask("hello").over(1).ask("and again").over(2)
    chosen = screen.page.locator("#chat .act.chosen")
    with screen.page.expect_response(re.compile(r"/thumb$")):
        act(screen, "up").last.click()
    expect(chosen).to_have_class(re.compile(r"\bup\b"))
    screen.ask("and on").over(3)  # while an answer is drawn the mark stays
    expect(chosen).to_have_count(1)
    screen.page.reload()
    screen.ready().over(3)
    expect(chosen).to_have_class(re.compile(r"\bup\b"))
    with screen.page.expect_response(re.compile(r"/thumb$")):
        act(screen, "down").nth(1).click()
    expect(chosen).to_have_class(re.compile(r"\bdown\b"))
    expect(screen.page.get_by_role("button", name="Bad answer, marked")).to_have_count(1)
    with screen.page.expect_response(re.compile(r"/thumb$")):
        act(screen, "down").nth(1).click()
    expect(chosen).to_have_count(0)


def test_a_thumb_that_could_not_be_kept_is_taken_back(open_page: Opener, served: str, watch: Watch) -> None:
    screen = open_page(served).ask("hello").over(1)
    screen.page.route("**/thumb", lambda route: route.abort())
    act(screen, "up").click()
    expect(screen.page.locator("#hint")).to_contain_text("could not be kept")
    expect(screen.page.locator("#chat .act.chosen")).to_have_count(0)
    watch.complaints[:] = [each for each in watch.complaints if "ERR_FAILED" not in each]


def test_an_edited_question_begins_a_new_chat_with_a_link_both_ways(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-5").ask("first").over(1).ask("second\nline").over(2)
    old = screen.chat_id
    act(screen, "edit").last.click()
    expect(screen.page.locator("#editing")).to_contain_text("begins a new chat")
    expect(screen.box).to_have_value("second\nline")
    expect(screen.box).to_be_focused()
    screen.page.get_by_role("button", name="Cancel").click()
    expect(screen.page.locator("#editing")).to_have_count(0)
    expect(screen.box).to_have_value("")
    act(screen, "edit").last.click()
    screen.page.keyboard.press("Escape")
    expect(screen.page.locator("#editing")).to_have_count(0)
    act(screen, "edit").last.click()
    screen.ask("second, edited")
    expect(screen.page.locator("#chat .above")).to_contain_text("Began in “first”")
    screen.over(2)
    expect(screen.asked).to_have_text(["first", "second, edited"])
    expect(screen.page.locator("#editing")).to_have_count(0)
    new = screen.chat_id
    assert new != old
    screen.page.locator("#chat .above a").click()
    expect(screen.asked).to_have_text(["first", "second\nline"], use_inner_text=True)
    expect(screen.page.locator("#chat .edited")).to_contain_text("Edited in “")
    assert screen.chat_id == old
    screen.page.go_back()
    expect(screen.asked.last).to_have_text("second, edited")
    screen.page.go_forward()
    screen.page.locator("#chat .edited a").click()
    expect(screen.asked.last).to_have_text("second, edited")
    assert screen.chat_id == new
    screen.page.reload()
    expect(screen.ready().over(2).page.locator("#chat .above")).to_contain_text("Began in")


def test_back_and_forward_walk_through_the_chats(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-5").ask("one").over(1)
    first = screen.chat_id
    screen.new_chat().ask("two").over(1)
    second = screen.chat_id
    screen.page.go_back()
    expect(screen.asked).to_have_text(["one"])
    assert screen.chat_id == first
    screen.page.go_forward()
    expect(screen.asked).to_have_text(["two"])
    assert screen.chat_id == second


def test_a_chat_that_is_not_there_is_said_and_the_address_cleaned(open_page: Opener, served: str) -> None:
    mine = open_page(served).ask("hello").over(1)
    for id in ("no-such-chat", mine.chat_id):  # another browser's is one that nobody has
        screen = open_page(f"{served}/?chat={id}")
        lost = screen.page.locator("#chat .nowhere")
        expect(lost).to_contain_text("There is no such chat.")
        expect(screen.page.locator("#chat .example").first).to_be_visible()
        screen.page.wait_for_function("() => !location.search")
        screen.ask("hello").over(1)
        expect(screen.asked).to_have_text(["hello"])
        assert screen.chat_id != id
        screen.new_chat()
        expect(screen.page.locator("#chat .example").first).to_be_visible()
        expect(lost).to_have_count(0)


def test_the_settings_come_back_with_the_chat(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-7").more()
    page = screen.page
    page.locator("#system textarea").fill("Be brief.")
    page.locator("#max-tokens input, #max-tokens textarea").fill("500")
    page.locator("#stream input").uncheck()
    page.locator("#tools").get_by_label("Calculate").uncheck()
    knob = page.locator("#temperature input[type=range]")
    knob.focus()
    knob.press("ArrowLeft")
    screen.ask("hello").over(1)
    first = screen.chat_id

    def as_chosen() -> None:
        screen.more()
        expect(page.locator("#model input")).to_have_value("up:text-7")
        expect(page.locator("#system textarea")).to_have_value("Be brief.")
        expect(page.locator("#max-tokens input, #max-tokens textarea")).to_have_value("500")
        expect(page.locator("#stream input")).not_to_be_checked()
        expect(page.locator("#tools").get_by_label("Calculate")).not_to_be_checked()
        expect(knob).to_have_value("0.9")
        expect(page.locator("#temperature")).not_to_have_class(re.compile("unset"))

    assert "temperature 0.9" in screen.footer
    page.reload()
    screen.ready().over(1)
    as_chosen()
    screen.new_chat()
    as_chosen()  # an empty one keeps what is chosen
    page.locator("#system textarea").fill("")
    page.locator("#temperature-reset").click()
    page.locator("#stream input").check()
    screen.choose_model("up:text-5").ask("hello again").over(1)
    second = screen.chat_id
    screen.open_chat(first)
    as_chosen()
    screen.open_chat(second)
    expect(page.locator("#model input")).to_have_value("up:text-5")
    expect(page.locator("#system textarea")).to_have_value("")
    expect(page.locator("#temperature")).to_have_class(re.compile("unset"))
    expect(page.locator("#stream input")).to_be_checked()


def test_the_activity_of_an_earlier_answer_until_the_next_begins(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-5+text-5").ask("one").over(1)
    screen.choose_model("up:text-5").ask("two").over(2)
    thought = screen.activity.locator(".thought")
    expect(thought).to_have_count(0)
    screen.page.locator("#chat .bot-row").first.hover()
    act(screen, "look").first.click()
    expect(thought).to_have_count(1)
    expect(screen.activity).to_contain_text("Of an earlier answer")
    screen.page.get_by_role("button", name="Show the newest").click()
    expect(thought).to_have_count(0)
    screen.page.locator("#chat .bot-row").first.hover()
    act(screen, "look").first.click()
    expect(thought).to_have_count(1)
    screen.ask("three").over(3)
    expect(thought).to_have_count(0)
    expect(screen.activity.locator(".earlier")).to_be_hidden()


def test_two_clicks_are_one_question(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-20-100")
    screen.box.fill("twice")
    screen.send.evaluate("button => { button.click(); button.click(); }")
    screen.over(1)
    expect(screen.asked).to_have_count(1)
    screen.page.reload()
    screen.ready().over(1)
    expect(screen.asked).to_have_count(1)
    again = screen.page.get_by_role("button", name="Try again")
    again.evaluate("button => { button.click(); button.click(); }")
    expect(screen.page.locator("#chat .versions")).to_contain_text("2 / 2")
    screen.over(1)


def test_the_same_words_in_two_new_chats_are_two_questions(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-5").new_chat().ask("the same").over(1)
    first = screen.chat_id
    screen.new_chat()
    expect(screen.answers).to_have_count(0)
    screen.ask("the same").over(1)
    expect(screen.asked).to_have_text(["the same"])
    assert screen.chat_id != first


def test_the_buttons_are_reached_by_keyboard_and_have_names(open_page: Opener, served: str) -> None:
    screen = open_page(served).ask("hello").over(1)
    names = []
    screen.page.locator("#chat .act.edit").focus()
    for _ in range(8):
        names.append(
            screen.evaluate("() => document.activeElement.title || document.activeElement.textContent.trim()")
        )
        screen.page.keyboard.press("Tab")
    for name in ("Edit", "Try again", "Good answer", "Bad answer", "Activity"):
        assert name in names, names


def test_targets_on_a_phone_are_44_pixels(open_page: Opener, served: str) -> None:
    screen = open_page(served, width=390, height=844, has_touch=True, is_mobile=True)
    screen.box.tap()
    screen.box.fill("hello")
    screen.send.click()  # Enter begins a new line there
    screen.over(1)
    for button in screen.page.locator("#chat .act").all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44, button
        assert box["width"] >= 44, button
    expect(screen.page.locator("#chat .act.edit")).to_have_css("opacity", "1")
