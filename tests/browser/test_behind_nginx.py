"""The page behind a real nginx, with the file that is shipped: by https, word by word."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, keyed_app
from tests.deploy import nginx
from tests.deploy.test_nginx import Front, front

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, str]]:
    """nginx, and what stands behind the address that is printed at start."""
    nginx.required()
    folder: Path = tmp_path_factory.mktemp("behind")
    settings = {"CHAT_PROXIES": "127.0.0.1", "CHAT_HOSTS": "127.0.0.1", "CHAT_PUBLIC": "1"}
    with keyed_app(folder, **settings) as printed:
        address = urlsplit(printed)
        assert address.port
        with front(folder / "nginx", address.port) as found:
            yield found, address.query


def test_an_answer_comes_as_it_is_written(behind: tuple[Front, str], open_page: Opener) -> None:
    found, key = behind
    screen = open_page(f"https://127.0.0.1:{found.port}/?{key}", ignore_https_errors=True)
    screen.ask("20 timed ticks").writing()
    seen = set[str]()
    while "tick 20" not in (text := screen.answer.inner_text()):
        seen.add(text)
        expect(screen.answer).not_to_have_text(text)
    screen.over(1)
    assert len(seen) >= 5, seen
    screen.page.reload()
    expect(screen.ready().answer).to_have_text(re.compile("tick 1.*tick 20", re.DOTALL))
    [cookie] = screen.page.context.cookies()
    assert (cookie.get("secure"), cookie.get("httpOnly")) == (True, True)
