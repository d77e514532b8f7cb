"""A browser's own `EventSource` on `GET /chat`: cut off or finished, it never makes a model answer twice."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.browser.conftest import PATIENCE, Upstream, Watch
from tests.proxy import Proxy

READ = """(path) => {
    window.told = []; window.opened = 0;
    const source = window.source = new EventSource(path);
    source.onopen = () => { window.opened += 1 };
    source.onmessage = (message) => { window.told.push(message.data) };
}"""
CUT_SHORT = ("net::ERR_", "EventSource")


def asked(upstream: Upstream, model: str) -> int:
    return sum(body["model"] == model for body in upstream.bodies())


def opened(browser: Browser, watch: Watch, url: str, model: str) -> Page:
    """A page that reads the answer of `model` with an EventSource."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    watch.page(page)
    page.goto(f"{url}/healthz")
    page.evaluate(READ, f"/chat?q=Hello&model=up:{model}")
    return page


def test_a_connection_that_is_cut_goes_on_where_it_was(
    browser: Browser, watch: Watch, served: str, upstream: Upstream
) -> None:
    model = "text-60-30@eventsource-cut"
    with Proxy(urlsplit(served).port or 0) as proxy:
        page = opened(browser, watch, proxy.url, model)
        page.wait_for_function("told.length >= 5")
        proxy.cut()
        page.wait_for_function("told.at(-1) === '[DONE]'")
        assert page.evaluate("opened") == 2
        page.evaluate("source.close()")
        assert page.evaluate("told.slice(0, -1).join('')") == "".join(f"tok{n} " for n in range(1, 61))
        page.close()
    assert asked(upstream, model) == 1
    watch.complaints[:] = [each for each in watch.complaints if not any(word in each for word in CUT_SHORT)]


def test_one_that_does_not_close_at_the_end_is_told_to_and_asks_nothing(
    browser: Browser, watch: Watch, served: str, upstream: Upstream
) -> None:
    model = "text-5@eventsource-open"
    page = opened(browser, watch, served, model)
    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert page.evaluate("told.at(-1)") == "[DONE]"
    assert page.evaluate("told.length") == 6
    page.close()
    assert asked(upstream, model) == 1
    watch.complaints[:] = [each for each in watch.complaints if not any(word in each for word in CUT_SHORT)]
