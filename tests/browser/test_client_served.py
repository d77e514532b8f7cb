"""The client against the app itself: a line that is cut, an answer that is stopped, one call each."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PATIENCE, Upstream
from tests.browser.test_client import ASK
from tests.proxy import Proxy


def words(count: int) -> str:
    return "".join(f"tok{n} " for n in range(1, count + 1))


def asked(upstream: Upstream, model: str) -> list[dict[str, Any]]:
    return [each for each in upstream.requests() if each["body"].get("model") == model]


@pytest.fixture(scope="module")
def proxy(served: str) -> Iterator[Proxy]:
    with Proxy(urlsplit(served).port or 0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def page(browser: Browser, proxy: Proxy) -> Iterator[Page]:
    page, errors = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PATIENCE)
    page.goto(f"{proxy.url}/embed")
    yield page
    page.close()
    assert errors == []


def begin(page: Page, endpoint: str, model: str, **options: Any) -> None:
    more = {"endpoint": endpoint, "options": {"body": {"model": f"up:{model}"}, **options}}
    page.evaluate(f"(asked) => {{ window.going = ({ASK})(asked) }}", more)


@pytest.mark.parametrize(
    "endpoint",
    [
        "chat/stream",
        pytest.param("api/message", marks=pytest.mark.slow),
        pytest.param("stream-chat", marks=pytest.mark.slow),
    ],
)
def test_a_line_cut_twice_loses_nothing_and_asks_once(
    page: Page, proxy: Proxy, upstream: Upstream, endpoint: str
) -> None:
    model = f"text-60-40@client-{endpoint.replace('/', '-')}"
    begin(page, endpoint, model)
    for pieces in (5, 25):
        page.wait_for_function(f"told.pieces.length >= {pieces}")
        proxy.cut()
    result = page.evaluate("going")
    assert result["error"] is None
    assert result["text"] == "".join(result["pieces"]) == words(60)
    assert sum("opened" in event for event in result["events"]) == 3
    assert len(asked(upstream, model)) == 1


def test_bare_text_that_is_cut_comes_whole(page: Page, proxy: Proxy, upstream: Upstream) -> None:
    model = "text-40-40@client-bare"
    begin(page, "chat/stream", model, headers={"Accept": "text/plain"})
    page.wait_for_function("told.pieces.length >= 5")
    proxy.cut()
    assert page.evaluate("going")["text"] == words(40)
    assert len(asked(upstream, model)) == 1


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_is_found_again(
    page: Page, proxy: Proxy, upstream: Upstream
) -> None:
    model = "text-40-40@client-away"
    begin(page, "chat/stream", model)
    page.wait_for_function("told.pieces.length >= 5")
    proxy.refuse()
    page.wait_for_function("told.events.filter((event) => event.retrying).length >= 2")
    proxy.go_on()
    assert page.evaluate("going")["text"] == words(40)
    assert len(asked(upstream, model)) == 1


def test_stop_frees_the_provider_and_the_next_question_goes_on(page: Page, upstream: Upstream) -> None:
    model = "text-900-50@client-stop"
    begin(page, "chat/stream", model)
    page.wait_for_function("told.pieces.length >= 5")
    page.evaluate("chat.stop()")
    result = page.evaluate("going")
    assert result["error"] is None
    assert result["completed"][1]["state"] == "stopped"
    assert words(900).startswith(result["text"])
    [request] = asked(upstream, model)
    assert request["left"] is not None
    page.evaluate(f"() => {{ window.going = ({ASK})({{again: true, message: 'And?'}}) }}")
    page.wait_for_function("told.pieces.length >= 1")
    page.evaluate("chat.stop()")
    assert page.evaluate("going")["completed"][1]["conversation"] == result["completed"][1]["conversation"]
    said = [message["role"] for message in asked(upstream, model)[1]["body"]["messages"]]
    assert said[-3:] == ["user", "assistant", "user"]


def test_what_the_server_refuses_is_told(page: Page) -> None:
    script = """async () => {
        const chat = new StreamingChat("chat/stream", {conversation: "none"});
        return chat.sendMessage("Hello").catch(({message, status}) => [message, status]);
    }"""
    assert page.evaluate(script) == ["HTTP 404: There is no such chat.", 404]


def test_a_failure_of_the_provider_is_told_with_the_text(page: Page) -> None:
    begin(page, "chat/stream", "fault-reset-after-5@client")
    result = page.evaluate("going")
    assert result["text"] == words(5)
    assert result["error"]["kind"] == "cut_off"
    assert result["completed"] is None


def test_thinking_and_tools_are_told_as_they_are(page: Page) -> None:
    begin(page, "chat/stream", "think-5+tools-1+text-5@client")
    events = page.evaluate("going")["events"]
    assert "".join(event.get("thinking", "") for event in events).startswith("idea1 idea2")
    assert any("function_result" in event and event["name"] for event in events)
