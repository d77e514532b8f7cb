"""A run has a life of its own: stopped, reloaded, followed from two tabs, left alone, failed, retried."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, Upstream
from tests.browser.screen import Screen

LONG = "up:text-300-150"
"""Two seconds of text, in which each word can be told from the others."""


def words(text: str) -> list[str]:
    return text.split()


def test_stop_keeps_the_text_and_the_next_question_works(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model(LONG).ask("go on").writing()
    expect(screen.answer).to_contain_text("tok20 ")
    expect(screen.stop).to_have_text("Stop")
    screen.stop.click()
    screen.over(1)
    expect(screen.answer).to_contain_text("tok20 ")
    assert screen.footer.endswith("stopped")
    screen.choose_model("up:text-5").ask("and now?").over(2)
    expect(screen.answer).to_have_text("tok1 tok2 tok3 tok4 tok5")


def test_a_reload_in_mid_stream_loses_nothing_and_repeats_nothing(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-500-100").ask("go on").writing()
    screen.page.reload()
    screen.ready().writing()
    expect(screen.stop).to_be_visible()
    screen.over(1)
    expect(screen.questions).to_have_count(1)
    assert words(screen.answer.inner_text()) == [f"tok{n}" for n in range(1, 501)]
    screen.page.reload()
    screen.ready().over(1)
    assert words(screen.answer.inner_text()) == [f"tok{n}" for n in range(1, 501)]


def test_a_closed_tab_leaves_the_run_going(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-100-100").ask("go on").writing()
    context = screen.page.context
    context.new_page()
    screen.page.close()
    again = context.new_page()
    again.goto(served)
    screen.__init__(again)
    screen.ready().over(1)
    assert words(screen.answer.inner_text())[-1] == "tok100"


def test_a_second_tab_follows_and_can_stop(open_page: Opener, served: str) -> None:
    first = open_page(served).ask("hello").over(1)
    second = open_page(served, beside=first).over(1)  # where this person was last
    first.choose_model("up:text-900-100").ask("go on").writing()
    second.look().writing()
    second.stop.click()
    first.over(2)
    second.over(2)
    assert first.answer.inner_text() == second.answer.inner_text()


def test_two_tabs_show_two_chats(open_page: Opener, served: str) -> None:
    first = open_page(served).choose_model(LONG).ask("the first").writing()
    second = open_page(served, beside=first)
    second.new_chat().choose_model("up:text-5").ask("the second").over(1)
    expect(second.asked).to_have_text(["the second"])
    assert second.chat_id != first.chat_id
    first.over(1)
    expect(first.asked).to_have_text(["the first"])
    for screen, question in ((first, "the first"), (second, "the second")):
        screen.page.reload()
        expect(screen.ready().over(1).asked).to_have_text([question])


def test_a_second_send_is_refused_and_keeps_what_is_typed(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model(LONG).ask("go on").writing()
    screen.box.fill("one more thing")
    screen.box.press("Enter")
    screen.stop.click()
    screen.over(1)
    expect(screen.box).to_have_value("one more thing")
    screen.box.press("Enter")
    screen.over(2)


def test_try_again(open_page: Opener, served: str) -> None:
    screen = open_page(served).ask("first").over(1).ask("second").over(2)
    before = screen.run
    screen.page.get_by_role("button", name="Try again").click()
    expect(screen.page.locator(f"#chat .{before}")).to_have_count(0)
    screen.over(2)
    screen.page.reload()
    screen.ready().over(2)


def test_a_new_chat_leaves_the_answer_of_the_last_one_going(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:text-200-100").ask("go on").writing()
    old = screen.chat_id
    screen.new_chat()
    expect(screen.send).to_be_visible()
    screen.choose_model("up:text-5").ask("hello").over(1)
    expect(screen.questions).to_have_count(1)
    screen.open_chat(old).over(1)
    assert words(screen.answer.inner_text())[-1] == "tok200"


FAILURES = {
    "fault-401": "failed",
    "fault-404": "failed",
    "fault-429-3600": "failed",
    "fault-html": "failed",
    "fault-empty-body": "failed",
    "fault-nothing": "failed",
    "fault-error-after-20": "failed",
    "fault-reset-after-20": "cut off",
    "fault-close-after-20": "cut off",
    "fault-broken-json-after-20": "failed",
    "fault-silence-after-20": "cut off: it fell silent",
    "fault-pings": "failed",
}
QUICK = ("fault-401", "fault-html", "fault-error-after-20", "fault-close-after-20", "fault-silence-after-20")
"""One of each kind; the page cannot tell the others from them."""


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        pytest.param(*failure, marks=() if failure[0] in QUICK else pytest.mark.slow)
        for failure in FAILURES.items()
    ],
)
def test_after_each_failure_the_next_question_works(on_served: Screen, fault: str, ending: str) -> None:
    screen = on_served.choose_model(f"up:{fault}").ask("go on").over(1)
    assert screen.footer.endswith(ending)
    sentence = screen.page.locator("#chat .failure").inner_text()
    assert len(sentence) > 20
    assert "<" not in sentence
    assert "Traceback" not in sentence
    if "after-20" in fault:
        expect(screen.answer).to_contain_text("tok20")
    expect(screen.page.get_by_role("button", name="Try again")).to_be_visible()
    screen.choose_model("up:text-5").ask("and now?").over(2)
    expect(screen.answer).to_have_text("tok1 tok2 tok3 tok4 tok5")


def test_try_again_takes_the_failure_s_place(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:once-fault-close-after-20@again").ask("go on").over(1)
    screen.page.get_by_role("button", name="Try again").click()
    expect(screen.page.locator("#chat .fate.complete")).to_be_visible()
    screen.over(1)
    expect(screen.answer).to_have_text("tok1 tok2 tok3 tok4 tok5")


def test_each_ending_in_words(open_page: Opener, served: str) -> None:
    screen = open_page(served)
    for n, (stop, wording) in enumerate(
        (("length", "ended at the length limit"), ("filter", "filter"), ("refusal", "refused")), 1
    ):
        screen.choose_model(f"up:text-5+stop-{stop}").ask(stop).over(n)
        assert wording in screen.footer


def test_the_chosen_model_and_settings_reach_the_wire(
    open_page: Opener, served: str, upstream: Upstream
) -> None:
    screen = open_page(served).choose_model("up:text-7").more()
    screen.page.locator("#system textarea").fill("Be brief.")
    screen.ask("what a question").over(1)
    body = upstream.bodies()[-1]
    assert body["model"] == "text-7"
    assert "temperature" not in body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][-1] == {"role": "user", "content": "what a question"}
    knob = screen.page.locator("#temperature input[type=range]")
    knob.focus()
    knob.press("ArrowLeft")
    screen.choose_model("up:text-8").ask("another").over(2)
    body = upstream.bodies()[-1]
    assert (body["model"], round(body["temperature"], 1)) == ("text-8", 0.9)
    assert [each["role"] for each in body["messages"]] == ["system", "user", "assistant", "user"]
    screen.page.locator("#temperature-reset").click()
    screen.ask("a third").over(3)
    assert "temperature" not in upstream.bodies()[-1]


def test_a_refused_temperature_is_said_and_then_greyed_with_the_reason(
    open_page: Opener, served: str
) -> None:
    screen = open_page(served).choose_model("up:fault-temperature@grey")
    knob = screen.page.locator("#temperature input[type=range]")
    knob.focus()
    knob.press("ArrowLeft")
    screen.ask("hello").over(1)
    expect(screen.page.locator("#chat .notice")).to_contain_text("temperature")
    expect(knob).to_be_disabled()
    expect(screen.page.locator("#temperature")).to_contain_text("takes no temperature")
    screen.choose_model("up:text-5")
    expect(knob).to_be_enabled()


def test_what_a_model_writes_cannot_act(open_page: Opener, demo: str) -> None:
    evil = (
        '<img src=http://203.0.113.1/a onerror="document.title=1"> ![x](http://203.0.113.1/b) '
        '<div class="fate"><p class="footer">faked</p></div> <script>document.title=2</script>'
    )
    screen = open_page(demo).ask(evil).over(1)
    expect(screen.answer).to_contain_text("203.0.113.1")  # the demo repeats what it does not understand
    assert screen.page.locator("#chat img").count() == 0
    assert screen.page.locator("#chat .footer").count() == 1
    expect(screen.page).to_have_title(re.compile(r"\S.* · Runnel$"))
