"""The page and /embed in Firefox: an answer comes whole, another one is stopped, no script fails."""

import os
from collections.abc import Iterator

import pytest

from tests.browser.conftest import GRADIO_S_OWN
from tests.browser.firefox import Firefox, installed

pytestmark = pytest.mark.slow

QUESTION = "Show me Markdown: a table, code and maths"
LAST = "That was the page."


@pytest.fixture(scope="module")
def running() -> Iterator[Firefox]:
    if installed() is None:
        say = "no Firefox. Get one with: apt-get install firefox-esr"
        if os.environ.get("RUNNEL_REQUIRE_BROWSER") == "1":
            pytest.fail(say)
        pytest.skip(say)
    with Firefox.started() as firefox:
        yield firefox


@pytest.fixture
def firefox(running: Firefox) -> Iterator[Firefox]:
    running.complaints.clear()
    yield running
    running.evaluate("1")  # what was told until now
    assert [each for each in running.complaints if not any(known in each for known in GRADIO_S_OWN)] == []


def shown(selector: str) -> str:
    """A condition: there is such an element, and it can be seen."""
    return f"document.querySelector('{selector}')?.checkVisibility()"


def text(selector: str) -> str:
    """Of the last such element."""
    return f"([...document.querySelectorAll('{selector}')].at(-1)?.innerText ?? '')"


def test_the_page(firefox: Firefox, demo: str) -> None:
    firefox.open(demo)
    firefox.wait(shown("#question .submit-button"))
    firefox.click("#question textarea")
    firefox.type(f"{QUESTION}\n")
    firefox.wait("document.querySelectorAll('#chat .fate .footer').length === 1")
    answer = firefox.evaluate(text("#chat .bot-row"))
    assert "A page of Markdown" in answer
    assert LAST in answer
    assert firefox.evaluate(text("#chat .fate .footer")).endswith("done")
    firefox.wait(shown("#question .submit-button"))
    firefox.click("#question textarea")
    firefox.type(f"{QUESTION}\n")
    firefox.wait(
        f"document.querySelector('#chat .now.writing') && {text('#chat .bot-row')}.includes('Plain words')"
    )
    firefox.click("#question .stop-button")
    firefox.wait("document.querySelectorAll('#chat .fate .footer').length === 2")
    assert firefox.evaluate(text("#chat .fate .footer")).endswith("stopped")
    assert LAST not in firefox.evaluate(text("#chat .bot-row"))
    firefox.wait(shown("#question .submit-button"))


def test_embed(firefox: Firefox, demo: str) -> None:
    firefox.open(f"{demo}/embed")
    firefox.wait(shown("#send:enabled"))
    firefox.click("#question")
    firefox.type(f"{QUESTION}\n")
    firefox.wait("document.querySelector('[data-state=complete]')")
    assert firefox.evaluate(text("[data-role=assistant] .text")).endswith(LAST)
    assert firefox.evaluate("document.querySelectorAll('.text :is(table, pre, h3, li)').length") > 8
    firefox.type(f"{QUESTION}\n")
    firefox.wait(f"{text('[data-state=running] .text')}.includes('Plain words')")
    last = "document.querySelector('[data-state=running] .text').lastChild"
    cursor = f"getComputedStyle({last}, '::after').content"
    assert firefox.evaluate(cursor) == '"▊"'
    firefox.click("#stop")
    firefox.wait("document.querySelector('[data-state=stopped]')")
    assert firefox.evaluate(text("[data-role=assistant] .line")).endswith("stopped")
    firefox.wait(shown("#send"))


def test_the_client_on_characters_cut_in_the_middle(firefox: Firefox, demo: str) -> None:
    firefox.open(f"{demo}/embed")
    script = """(async () => {
        const body = 'data: {"content": "日本語🚴"}\\r\\n\\r\\ndata: [DONE]\\r\\n\\r\\n';
        const bytes = new TextEncoder().encode(body);
        const real = window.fetch;
        window.fetch = async () => new Response(new ReadableStream({
            start(controller) {
                for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
                controller.close();
            },
        }), {headers: {"Content-Type": "text/event-stream"}});
        try {
            return await new StreamingChat("chat/stream").sendMessage("?");
        } finally {
            window.fetch = real;
        }
    })()"""
    assert firefox.evaluate(script) == "日本語🚴"
