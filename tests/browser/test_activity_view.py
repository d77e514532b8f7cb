"""The activity view in a real browser: what it shows while an answer arrives, and what it leaves alone."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Opener

PHASE = "#activity .phase .words"
CLOCK = "#activity .phase .clock"
HOSTILE = "${window.hit = 1} {{value}} <img src=x onerror='window.hit = 1'> `${window.hit = 1}`"


def test_thinking_is_open_while_it_runs_and_folded_when_it_is_over(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-240-80+text-200-60").ask("go")
    text = screen.activity.locator(".thought .text")
    expect(text).to_contain_text("idea20")
    expect(screen.page.locator(PHASE)).to_have_text("Thinking")
    screen.writing()
    expect(text).to_be_hidden()
    expect(screen.activity.locator(".thought summary")).to_have_text(re.compile(r"Thought for\d\.\d s"))
    screen.activity.locator(".thought summary").click()
    expect(text).to_contain_text("idea240")
    screen.over(1)
    expect(text).to_be_visible()  # what the reader opened stays open


def test_a_reader_who_folds_the_thoughts_is_not_shown_the_next_ones(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-200-80+text-5").ask("go")
    summary = screen.activity.locator(".thought summary")
    summary.click()
    screen.over(1)
    screen.ask("again")
    expect(screen.activity.locator(".thought")).to_be_attached()
    expect(screen.activity.locator(".thought .text")).to_be_hidden()
    screen.over(2)


def test_the_reader_s_place_in_the_thoughts_is_left_alone(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-900-300+text-5").ask("go")
    box = "document.querySelector('#activity .thought .text')"
    screen.page.wait_for_function(f"() => {box} && {box}.scrollTop > 40")  # it follows by itself
    screen.activity.locator(".thought .text").hover()
    screen.page.mouse.wheel(0, -10_000)
    screen.page.wait_for_function(f"() => {box}.scrollTop === 0")
    length = screen.evaluate(f"() => {box}.textContent.length")
    screen.page.wait_for_function(f"() => {box}.textContent.length > {length} + 500")
    assert screen.evaluate(f"() => {box}.scrollTop") == 0
    screen.over(1)


def test_a_card_is_there_before_the_answer_ends_and_is_never_made_anew(
    open_page: Opener, served: str
) -> None:
    screen = open_page(served).choose_model("up:tools-2-40+text-90-60").ask("go")
    cards = screen.activity.locator(".call")
    expect(cards).to_have_count(2)
    screen.evaluate("() => { window.card = document.querySelector('#activity .call'); }")
    cards.first.locator("summary").click()
    screen.writing()
    expect(cards.first).not_to_have_attribute("data-state", "preparing")
    screen.over(1)
    assert screen.evaluate("() => window.card === document.querySelector('#activity .call')")
    expect(cards.first.locator("pre").first).to_be_visible()
    expect(cards.first.locator(".clock")).to_have_text(re.compile(r"\d m?s"))
    expect(screen.page.locator(PHASE)).to_have_text("Done")


def test_the_clock_ticks_while_nothing_arrives(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:wait-1+text-5").ask("go")
    expect(screen.page.locator(PHASE)).to_have_text("Waiting for the model")
    times = (
        "(window.times ??= new Set()).add(document.querySelector('#activity .phase .clock').textContent).size"
    )
    screen.page.wait_for_function(f"() => {times} > 4")
    screen.over(1)
    at = screen.page.locator(CLOCK).inner_text()
    moving = "() => document.getAnimations().filter(each => each.playState === 'running').length"
    assert screen.evaluate(moving) == 0
    expect(screen.page.locator(CLOCK)).to_have_text(at)


def test_a_model_s_text_is_never_more_than_text(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask(f"Search the documentation: {HOSTILE}").over(1)
    screen.activity.locator(".call summary").first.click()
    expect(screen.activity.locator(".call pre").first).to_contain_text("${window.hit = 1}")
    assert screen.evaluate("() => window.hit") is None
    assert screen.activity.locator("img").count() == 0


def test_json_in_the_answer_unfolds_as_a_tree(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask("Show me some JSON").over(1)
    found = screen.activity.locator(".json")
    found.locator("summary").first.click()
    expect(found.locator(".leaf").first).to_be_visible()
    branch = found.locator(".branch .branch").first
    assert branch.locator(".leaf").count() == 0  # built when it is unfolded
    branch.locator("summary").first.focus()
    screen.page.keyboard.press("Enter")
    expect(branch.locator(".leaf").first).to_be_visible()


def test_the_last_turn_is_shown_until_the_next_begins(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-5+text-5").ask("go").over(1)
    expect(screen.activity.locator(".thought")).to_have_count(1)
    screen.choose_model("up:text-5").ask("again").over(2)
    expect(screen.activity.locator(".thought")).to_have_count(0)
    screen.page.locator("#new").click()
    expect(screen.activity.locator(".empty")).to_be_visible()


def test_a_reload_shows_the_view_again_with_the_clock_where_it_was(open_page: Opener, served: str) -> None:
    screen = open_page(served).choose_model("up:think-400-100+text-5").ask("go")
    expect(screen.activity.locator(".thought .text")).to_contain_text("idea100")
    screen.page.reload()
    screen.ready()
    expect(screen.activity.locator(".thought .text")).to_contain_text("idea100")
    expect(screen.page.locator(CLOCK)).to_have_text(re.compile(r"[1-9]\.\d s"))
    screen.over(1)


def test_opening_a_card_never_scrolls_the_answer(open_page: Opener, served: str) -> None:
    screen = open_page(served, height=500).choose_model("up:tools-2+prose-300").ask("go").over(1)
    top = "document.querySelector('#chat [role=log]').scrollTop"
    screen.chat.hover()
    screen.page.mouse.wheel(0, -300)
    screen.page.wait_for_function(f"() => {top} > 0 && document.querySelector('#newest').checkVisibility()")
    before = screen.evaluate(f"() => {top}")
    for summary in screen.activity.locator(".call summary, .request summary").all():
        summary.click()
    expect(screen.activity.locator(".request .pair").first).to_be_visible()
    assert screen.evaluate(f"() => {top}") == before
