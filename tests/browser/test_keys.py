"""A visitor's own key: brought in the sidebar, spent for that visitor alone, and forgotten."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, Upstream, Watch, app
from tests.browser.screen import Screen

KEY = "sk-proj-visitor-0123456789abcdef"
OWNERS = "sk-proj-owner-0123456789abcdef"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[str]:
    """Open to all, with a key that is the operator's alone."""
    vendor = {"OPENAI_BASE_URL": f"{upstream.url}/v1", "OPENAI_API_KEY": OWNERS}
    with app(tmp_path_factory.mktemp("public"), CHAT_PUBLIC="1", CHAT_DEMO_PACE="0", **vendor) as address:
        yield address


def asked_with(upstream: Upstream, question: str) -> list[str]:
    """The keys of all requests that asked `question`."""
    with urllib.request.urlopen(f"{upstream.url}/_log?question={question}", timeout=5) as answer:
        requests = json.load(answer)["requests"]
    return [each["headers"].get("authorization", "").removeprefix("Bearer ") for each in requests]


def bring(screen: Screen, key: str) -> None:
    field = screen.page.get_by_label("Paste a key for")
    field.fill(key)
    field.press("Enter")
    expect(field).to_have_value("")


def test_of_the_only_vendor_another_key_can_be_brought(open_page: Opener, public: str) -> None:
    screen = open_page(public)
    only = {"name": "openai", "title": "OpenAI", "own": True, "works": True, "models": 1}
    screen.page.route("**/keys", lambda route: route.fulfill(json={"vendors": [only]}))
    screen.page.reload()
    screen.page.locator(".keys summary").click()
    expect(screen.page.get_by_label("Paste a key for OpenAI")).to_be_visible()
    expect(screen.page.get_by_label("Vendor")).to_have_value("openai")


def test_a_visitor_asks_with_a_key_of_their_own(
    open_page: Opener, public: str, upstream: Upstream, watch: Watch
) -> None:
    screen, other = open_page(public), open_page(public)
    model, note = screen.page.locator("#model input"), screen.page.locator(".keys .note")
    expect(model).to_have_value("demo:tour")
    screen.page.get_by_role("link", name="Your keys").click()
    expect(screen.page.get_by_label("Paste a key for OpenAI")).to_be_focused()
    bring(screen, "sk-proj two words")
    expect(note).to_contain_text("A key has")
    assert "422" in watch.complaints.pop()  # the browser's own line about it
    bring(screen, KEY)
    expect(note).to_have_text("OpenAI took the key: 13 models.")
    expect(model).to_have_value("openai:asked")
    expect(screen.page.get_by_role("link", name="Your keys")).to_have_count(0)
    screen.ask("text-7").over(1)
    expect(screen.answer).to_contain_text("tok7")
    assert asked_with(upstream, "text-7") == [KEY]

    other.choose_model("openai:asked").ask("text-8").over(1)
    expect(other.chat).to_contain_text("put your own into “Your keys”")
    expect(other.page.locator(".keys li")).to_have_count(0)

    screen.page.reload()
    expect(screen.page.locator(".keys .whose")).to_have_text("OpenAI")
    screen.page.locator(".keys summary").click()
    screen.page.get_by_role("button", name="Forget the key for OpenAI").click()
    expect(note).to_have_text("The key for OpenAI is forgotten.")
    expect(model).to_have_value("demo:tour")
    screen.choose_model("openai:asked").ask("text-9").over(2)
    expect(screen.chat).to_contain_text("put your own into “Your keys”")
    assert asked_with(upstream, "text-8") == asked_with(upstream, "text-9") == []
