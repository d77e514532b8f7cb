"""The page at /embed, as a person uses it: asking, reading, stopping, failing; and where it may stand."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from chat.ui import look
from tests.browser.conftest import PATIENCE, Upstream, Watch, app
from tests.browser.fake_server import FakeServer

Open = Callable[..., "Embed"]


class Embed:
    """What a person does there and sees, in words."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box, self.send, self.stop = (page.locator(f"#{id}") for id in ("question", "send", "stop"))
        self.questions = page.locator("[data-role=user]")
        self.answers = page.locator("[data-role=assistant]")
        self.line = self.answers.last.locator(".line")

    @property
    def text(self) -> Locator:
        return self.answers.last.locator(".text")

    def ask(self, question: str) -> "Embed":
        expect(self.send).to_be_enabled()  # what is sent before that stays in the box
        self.box.fill(question)
        self.box.press("Enter")
        return self

    def over(self, state: str = "complete") -> "Embed":
        expect(self.answers.last).to_have_attribute("data-state", state)
        expect(self.send).to_be_visible()
        expect(self.stop).to_be_hidden()
        return self

    @property
    def cursor(self) -> str:
        return self.text.evaluate("(text) => getComputedStyle(text.lastChild, '::after').content")


@pytest.fixture
def open_embed(browser: Browser, watch: Watch) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(address: str, width: int = 1000, height: int = 700, **options: Any) -> Embed:
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            watch.page(page)
            page.goto(address)
            return Embed(page)

        yield opened


def test_from_the_empty_page_to_the_second_answer(open_embed: Open, served: str, upstream: Upstream) -> None:
    embed = open_embed(f"{served}/embed?model=up:text-25-100@embed")
    expect(embed.page.locator("#empty")).to_contain_text("Ask something")
    embed.ask("Hello <b>you</b>")
    expect(embed.box).to_have_value("")
    expect(embed.questions).to_have_text("Hello <b>you</b>")
    embed.over()
    expect(embed.answers).to_have_count(1)
    expect(embed.text).to_have_text("".join(f"tok{n} " for n in range(1, 26)).strip())
    assert embed.cursor == "none"
    assert re.fullmatch(r"[\d.]+ s to first word · [\d.]+ s · done", embed.line.inner_text())
    embed.ask("And?")
    expect(embed.answers).to_have_count(2)
    embed.over()
    second = [body for body in upstream.bodies() if body["model"].endswith("@embed")][1]
    assert [message["role"] for message in second["messages"]][-3:] == ["user", "assistant", "user"]
    embed.page.locator("#new").click()
    expect(embed.answers).to_have_count(0)
    expect(embed.page.locator("#empty")).to_be_visible()


def test_markdown_thinking_and_tools_of_the_demo(open_embed: Open, demo: str) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast")
    embed.page.locator("#empty button", has_text="Markdown").click()
    embed.over()
    for kind in ("h3", "strong", "li", "table td", "pre code", "blockquote", "a[href^=https]"):
        expect(embed.text.locator(kind).first).to_be_attached()
    expect(embed.text).not_to_contain_text("**")
    embed.ask("Think aloud: a bicycle and a bell cost 110 together. What does the bell cost?").over()
    thoughts = embed.answers.last.locator("details.note")
    expect(thoughts.locator("p")).to_be_hidden()
    assert re.fullmatch(r"Thought for [\d.]+ s", thoughts.locator("summary").inner_text())
    thoughts.locator("summary").click()
    expect(thoughts.locator("p")).not_to_be_empty()
    embed.ask("What is 23 × 19 + 4, and what time is it in Tokyo?").over()
    tools = embed.answers.last.locator("p.note")
    expect(tools.filter(has_text="calculate → 441")).to_have_count(1)
    expect(tools.filter(has_text="current_time → {")).to_have_count(1)


def test_keys_enter_shift_enter_and_a_composition(open_embed: Open, demo: str) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast")
    expect(embed.box).to_be_focused()
    embed.box.press_sequentially("one")
    embed.box.press("Shift+Enter")
    embed.box.press_sequentially("two")
    expect(embed.box).to_have_value("one\ntwo")
    for how in ({"isComposing": True}, {"keyCode": 229}):
        embed.box.dispatch_event("keydown", {"key": "Enter", "bubbles": True, "cancelable": True, **how})
    expect(embed.questions).to_have_count(0)
    embed.box.press("Enter")
    embed.over()
    assert embed.questions.inner_text() == "one\ntwo"
    embed.ask("   ")
    expect(embed.questions).to_have_count(1)


def test_stop_in_the_place_of_send(open_embed: Open, served: str, upstream: Upstream) -> None:
    embed = open_embed(f"{served}/embed?model=up:text-900-50@embed-stop").ask("go on")
    place = embed.stop.bounding_box()
    expect(embed.text).to_contain_text("tok5 ")
    expect(embed.send).to_be_hidden()
    assert embed.cursor == '"▊"'
    expect(embed.text.locator("p")).to_be_attached()  # it is drawn as it comes
    embed.page.emulate_media(reduced_motion="reduce")
    assert embed.cursor == "none"
    embed.ask("not now")  # an answer is being written: it stays in the box
    expect(embed.box).to_have_value("not now")
    expect(embed.answers).to_have_count(1)
    embed.stop.click()
    embed.over("stopped")
    assert embed.line.inner_text().endswith("stopped")
    assert embed.send.bounding_box() == place
    [request] = [each for each in upstream.requests() if each["body"]["model"].endswith("@embed-stop")]
    assert request["left"] is not None
    embed.ask("again")
    expect(embed.text).to_contain_text("tok5 ")
    embed.page.keyboard.press("Escape")
    embed.over("stopped")


def test_an_answer_that_may_lack_something_says_so_live_and_after_a_reload(
    open_embed: Open, served: str, demo: str
) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast").ask("length limit").over()
    for _ in range(2):
        assert embed.line.inner_text().endswith(" · ended at the length limit")
        embed.page.reload()
        embed.over()
    embed = open_embed(f"{served}/embed?model=up:text-5%2Bstop-filter").ask("go on").over()
    assert embed.line.inner_text().endswith(" · ended by the provider’s filter")


def test_a_notice_stands_below_the_text_live_and_after_a_reload(open_embed: Open, demo: str) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast")
    notice, stop = "Demo ended the answer early <b>.", {"done": True, "stop": "other"}
    frames = [
        {"notice": notice, "kind": "ended"},
        {"content": "Half"},
        {"notice": notice, "kind": "ended"},
        stop,
    ]
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in frames)
    answer = {"body": body, "headers": {"Content-Type": "text/event-stream"}}
    embed.page.route("**/chat/stream", lambda route: route.fulfill(status=200, **answer))
    embed.ask("Hello").over()
    note = embed.answers.last.locator("p.note")
    expect(note).to_have_text([notice])
    assert embed.line.inner_text().endswith(" · perhaps not complete")
    embed.page.unroute("**/chat/stream")
    embed.ask("Hello").over()

    def noticed(route: Route) -> None:
        kept = route.fetch().json()
        kept["messages"][-1] |= {"notices": [{"code": "ended", "text": notice}], "stop": "other"}
        route.fulfill(json=kept)

    embed.page.route("**/export.json", noticed)
    embed.page.reload()
    embed.over()
    expect(note).to_have_text([notice])
    assert embed.line.inner_text().endswith(" · perhaps not complete")


def test_a_copy_is_what_was_written(open_embed: Open, served: str) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    embed = open_embed(f"{served}/embed?model=up:echo-1", permissions=allowed)
    said = "a `&lt;` &amp; <b>, $x$ and $5\n\n```sh\nif x:\n\ty  \n```\n\n![l](https://x.example/l.png) **c**"
    embed.ask(f"@{said} ").over()
    read = "() => navigator.clipboard.readText()"
    embed.answers.last.get_by_label("Copy answer").click()
    expect(embed.answers.last.get_by_label("Copied")).to_be_visible()
    assert embed.page.evaluate(read) == f"{said}1 "  # this model counts its words
    embed.text.get_by_label("Copy code").click()
    expect(embed.text.get_by_label("Copied")).to_be_visible()
    assert embed.page.evaluate(read) == "if x:\n\ty  "


def test_a_failure_is_a_line_below_the_text_with_one_button(open_embed: Open, served: str) -> None:
    embed = open_embed(f"{served}/embed?model=up:fault-reset-after-5").ask("go on").over("failed")
    expect(embed.text).to_have_text("tok1 tok2 tok3 tok4 tok5")
    assert "Ask again" in embed.line.inner_text()
    assert "HTTP" not in embed.line.inner_text()
    embed.line.locator("button").click()
    expect(embed.answers).to_have_count(2)
    embed.over("failed")
    expect(embed.page.locator("button.again")).to_have_count(1)


def test_what_is_refused_says_why(open_embed: Open, demo: str, watch: Watch) -> None:
    embed = open_embed(f"{demo}/embed")

    def refuse(route: Route) -> None:
        route.fulfill(
            status=429, headers={"Retry-After": "7"}, json={"error": "Too many.", "kind": "rate_limited"}
        )

    embed.page.route("**/chat/stream", refuse)
    embed.ask("Hello").over("failed")
    expect(embed.line).to_have_text("Too many. Try again in 7 seconds.Ask again")
    embed.page.unroute("**/chat/stream")
    embed.page.context.clear_cookies()
    embed.page.route("**/chat/stream", lambda route: route.fulfill(status=401, json={"error": "Who?"}))
    embed.line.locator("button").click()
    embed.over("failed")
    expect(embed.line).to_have_text("This page is not known here any more.Load the page again")
    embed.page.unroute("**/chat/stream")
    embed.line.locator("button").click()
    expect(embed.questions).to_have_count(0)
    assert embed.page.context.cookies()
    embed.ask("Hello").over()
    assert all("429" in each or "401" in each for each in watch.complaints)
    watch.complaints.clear()


def test_a_reload_draws_the_conversation_again_and_goes_on_in_it(
    open_embed: Open, demo: str, served: str, upstream: Upstream
) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast")
    embed.ask("Think aloud: a bicycle and a bell cost 110 together. What does the bell cost?").over()
    embed.ask("What is 23 × 19 + 4, and what time is it in Tokyo?").over()
    script = "() => [...document.querySelectorAll('[data-role]')].map((each) => each.innerText)"
    said = embed.page.evaluate(script)
    embed.page.reload()
    embed.over()
    again = embed.page.evaluate(script)
    assert len(again) == 4
    for before, after in zip(said, again, strict=True):
        # A server's clock is not the page's. Tools that run side by side are told as each of them ends, and
        # kept in the order of their calls.
        told, kept = (sorted(re.sub(r"[\d.]+ s", "… s", each).split("\n")) for each in (before, after))
        assert kept == told
    embed.page.locator("#new").click()
    embed.page.reload()
    expect(embed.send).to_be_enabled()
    expect(embed.answers).to_have_count(0)

    embed = open_embed(f"{served}/embed?model=up:text-5@embed-reload").ask("One").over()
    embed.page.reload()
    embed.over().ask("Two").over()
    [_, second] = [body for body in upstream.bodies() if body["model"].endswith("@embed-reload")]
    assert [message["content"] for message in second["messages"] if message["role"] == "user"] == [
        "One",
        "Two",
    ]


def test_a_reload_reads_on_in_an_answer_that_is_being_written(
    open_embed: Open, served: str, upstream: Upstream
) -> None:
    embed = open_embed(f"{served}/embed?model=up:text-900-50@embed-on").ask("go on")
    expect(embed.text).to_contain_text("tok5 ")
    embed.page.reload()
    expect(embed.text).to_contain_text("tok1 tok2 tok3")
    expect(embed.send).to_be_hidden()
    expect(embed.questions).to_have_text("go on")
    embed.stop.click()
    embed.over("stopped")
    [request] = [each for each in upstream.requests() if each["body"]["model"].endswith("@embed-on")]
    assert request["left"] is not None
    embed.ask("again")
    expect(embed.text).to_contain_text("tok5 ")
    embed.stop.click()
    embed.over("stopped")
    bodies = [body for body in upstream.bodies() if body["model"].endswith("@embed-on")]
    assert [message["role"] for message in bodies[-1]["messages"]][-3:] == ["user", "assistant", "user"]


def test_a_chat_that_is_gone_is_not_drawn(open_embed: Open, demo: str, watch: Watch) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast").ask("Hello").over()
    embed.page.context.clear_cookies()
    embed.page.reload()
    expect(embed.send).to_be_enabled()
    expect(embed.answers).to_have_count(0)
    embed.ask("Hello again").over()
    assert all("404" in each for each in watch.complaints)
    watch.complaints.clear()


def test_hostile_text_does_nothing(open_embed: Open, demo: str, watch: Watch) -> None:
    embed = open_embed(f"{demo}/embed")
    hostile = '<img src=x onerror="window.pwned = 1"><script>pwned = 1</script> [a](javascript:pwned=1) **b**'
    frames = [{"thinking": hostile}, {"function_result": hostile, "name": hostile}, {"content": hostile}]
    body = "".join(
        f"data: {json.dumps(frame)}\n\n" for frame in [*frames, {"error": hostile}, {"done": True}]
    )
    answer = {"body": body, "headers": {"Content-Type": "text/event-stream"}}
    embed.page.route("**/chat/stream", lambda route: route.fulfill(status=200, **answer))
    embed.ask(hostile).over("failed")
    expect(embed.text.locator("strong")).to_have_text("b")
    for place in (embed.text, embed.line, embed.questions):
        expect(place).to_contain_text("onerror")
    expect(embed.page.locator("#log :is(img, script, a)")).to_have_count(0)
    assert embed.page.evaluate("typeof pwned") == "undefined"


def test_it_follows_the_text_until_the_reader_looks_elsewhere(open_embed: Open, served: str) -> None:
    embed = open_embed(f"{served}/embed?model=up:prose-1500-300", height=400).ask("go on")
    embed.page.wait_for_function("document.getElementById('log').scrollTop > 400")
    embed.page.locator("#log").hover()
    embed.page.mouse.wheel(0, -300)
    newest = embed.page.locator("#newest")
    expect(newest).to_be_visible()
    top, height = embed.page.evaluate(
        "[document.getElementById('log').scrollTop, document.getElementById('log').scrollHeight]"
    )
    embed.page.wait_for_function(f"document.getElementById('log').scrollHeight > {height} + 300")
    assert embed.page.evaluate("document.getElementById('log').scrollTop") == top
    newest.click()
    expect(newest).to_be_hidden()
    embed.page.wait_for_function(
        "() => { const log = document.getElementById('log');"
        " return log.scrollHeight - log.clientHeight - log.scrollTop < 48 }"
    )
    embed.stop.click()
    embed.over("stopped")


def test_nothing_sticks_out_at_any_width_and_the_colours_are_the_page_s(open_embed: Open, demo: str) -> None:
    embed = open_embed(f"{demo}/embed?model=demo:fast")
    embed.ask("Show me Markdown: a table and code").over()
    embed.ask("x" * 5000).over()
    for width in (1440, 820, 390):
        embed.page.set_viewport_size({"width": width, "height": 800})
        embed.page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")
        assert embed.page.evaluate("document.getElementById('log').scrollWidth <= innerWidth")
        box = embed.box.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800
    for button in (embed.send, embed.page.locator("#new"), embed.box):
        size = button.bounding_box()
        assert size
        assert size["height"] >= 44
    names = ("page", "side", "text", "quiet", "line", "accent", "tint", "on-accent")
    script = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`)"
    for scheme in ("light", "dark"):
        embed.page.emulate_media(color_scheme=scheme)
        shades = [getattr(getattr(look, name.upper().replace("-", "_")), scheme) for name in names]
        assert [embed.page.evaluate(script, name) for name in names] == shades


def test_a_long_title_leaves_room_for_the_button(
    open_embed: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with app(tmp_path_factory.mktemp("title"), CHAT_TITLE="The bicycle shop's helper " + "x" * 60) as address:
        page = open_embed(f"{address}/embed", width=390).page
        title, button = page.locator("h1").bounding_box(), page.locator("#new").bounding_box()
        assert title
        assert button
        assert title["x"] + title["width"] + 8 <= button["x"]
        assert button["x"] + button["width"] <= 390
        assert button["height"] <= 48  # its words are on one line


def test_behind_a_path_it_asks_below_that_path(open_embed: Open, demo: str) -> None:
    base, asked = urlsplit(demo).netloc, list[str]()
    embed = open_embed("about:blank")

    def below(route: Route) -> None:
        path = urlsplit(route.request.url).path
        asked.append(path)
        route.continue_(url=route.request.url.replace(f"{base}/bot/", f"{base}/"))

    embed.page.route(f"{demo}/**", below)
    embed.page.goto(f"{demo}/bot/embed?model=demo:fast")
    embed.ask("Hello").over()
    assert "/bot/chat/stream" in asked
    assert {path.split("/")[1] for path in asked} == {"bot"}


@pytest.mark.slow
def test_another_site_s_frame_is_refused_and_one_of_the_same_is_not(
    open_embed: Open, demo: str, watch: Watch
) -> None:
    embed = open_embed(f"{demo}/embed")
    frame = "(url) => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))"
    embed.page.route(
        "**/site", lambda route: route.fulfill(status=200, content_type="text/html", body="<p>mine")
    )
    embed.page.goto(f"{demo}/site")
    embed.page.evaluate(frame, f"{demo}/embed?model=demo:fast")
    inside = embed.page.frame_locator("iframe")
    expect(inside.locator("#send")).to_be_enabled()
    inside.locator("#question").fill("Hello")
    inside.locator("#question").press("Enter")
    expect(inside.locator("[data-role=assistant]")).to_have_attribute("data-state", "complete")

    with FakeServer() as elsewhere:
        embed.page.goto(elsewhere.url)
        with embed.page.expect_event("requestfailed") as failed:
            embed.page.evaluate(frame, f"{demo}/embed")
        assert failed.value.url == f"{demo}/embed"
        assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"
        expect(embed.page.frame_locator("iframe").locator("#question")).to_have_count(0)
    watch.complaints[:] = [each for each in watch.complaints if "frame-ancestors" not in each]
