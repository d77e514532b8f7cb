"""Of Gradio's addresses those are open that the page uses, and nothing leads to another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chat.build import open_app
from chat.settings import Settings
from chat.ui import gradio_fixes
from chat.ui.addresses import CALL, JOIN, READ, TYPES
from chat.ui.page import mount
from tests.every_route import METHODS, asked, flat

OPEN = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/config"),
    ("GET", "/favicon.ico"),
    ("GET", "/manifest.json"),
    ("GET", "/theme.css"),
    ("GET", "/gradio_api/app_id"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/queue/data"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/run/predict"),
}
"""All that is open but files of the package. One more needs a reason: the page works without it."""

SHUT = {"error": "There is nothing at this address.", "kind": "not_found"}


class Reached:
    """Stands in Gradio's place, and keeps what reaches it."""

    def __init__(self, app: Any) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b"reached"})


@asynccontextmanager
async def standing_in() -> AsyncIterator[tuple[httpx.AsyncClient, Reached, FastAPI]]:
    """The page with its guard, `Reached` behind it, and Gradio's own app, which is not asked."""
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:"})
    async with open_app(settings) as app:
        parent = mount(FastAPI(openapi_url=None), app)
        gradio = gradio_fixes.mounted(parent)
        reached = Reached(None)
        # The innermost: all that stands around Gradio is as it is served.
        gradio.user_middleware.append(type(gradio.user_middleware[0])(lambda app: reached))
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, reached, gradio


async def test_every_route_of_gradio_is_shut_but_those_of_the_list() -> None:
    """Fails when an upgrade brings a route that is open, and when a listed one is gone."""
    async with standing_in() as (client, reached, gradio):
        paths = {path for path, _ in flat(gradio.routes)}
        assert {"/gradio_api/file={path_or_url:path}", "/gradio_api/upload", "/monitoring/{key}"} <= paths
        assert len(paths) > 60
        found, listed = set(), {path for _, path in OPEN}
        for path in set[str]().union(*map(asked, paths)):
            for method in METHODS:
                reached.scopes.clear()
                answer = await client.request(method, path)
                if reached.scopes:
                    found.add((method, path))
                elif path in listed and (method, path) not in OPEN:
                    assert (answer.status_code, bool(answer.headers["allow"])) == (405, True)
                elif path not in listed:
                    assert answer.status_code == 404, (method, path)
                    assert method == "HEAD" or answer.json() == SHUT
        # A session that nobody has, and a call of nothing, are answered before Gradio is asked.
        assert found == {pair for pair in OPEN if pair[1] not in (READ, JOIN, CALL)}


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://192.0.2.1/x.png",
        "/gradio_api/file=https://192.0.2.1/x.png",
        "/gradio_api/file=/etc/passwd",
        "//gradio_api/file=/etc/passwd",
        "/./gradio_api/file=/etc/passwd",
        "/assets/../gradio_api/file=/etc/passwd",
        "/%67radio_api/file=/etc/passwd",
        "/gradio_api%2Ffile=/etc/passwd",
        "/gradio_api/%66ile=/etc/passwd",
        "/gradio_api//file=/etc/passwd",
        "/gradio_api/FILE=/etc/passwd",
        "/Gradio_Api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/app_id/",
        "/gradio_api/app_id%00",
        "/gradio_api/app_id%0a",
        "/gradio_api/run/predict/",
        "/gradio_api/run/ask",
        "/config/",
        "//",
        "/%2e%2e/",
        "/?/",
        "/static/../../../../../../../../../../etc/passwd",
        "/static/%2e%2e/index.html",
        "/static/img/logo.svg/..",
        "/static/fonts",
        "/assets/",
        "/assets/..%2findex.html",
        "/assets/hf-logo-8sK58_pS.svg/",
        "/svelte/x.js",
        "/gradio_api/theme.css",
        "/theme.css;x",
        "/theme.css/",
        "/THEME.CSS",
    ],
)
async def test_no_other_spelling_leads_anywhere(path: str) -> None:
    async with standing_in() as (client, reached, _):
        # httpx would tidy the address up.
        raw = httpx.URL("http://127.0.0.1").copy_with(raw_path=path.encode())
        if path == "/?/":
            assert (await client.get(raw)).status_code == 200
            assert reached.scopes[0]["query_string"] == b""
            return
        answer = await client.send(client.build_request("GET", raw))
        assert not reached.scopes
        assert (answer.status_code, answer.json()) == (404, SHUT)


async def test_gradio_is_told_no_more_than_it_needs() -> None:
    async with standing_in() as (client, reached, _):
        headers = {
            "X-Gradio-Server": "https://evil.example",
            "X-Gradio-User": "api",
            "X-Forwarded-Host": "evil.example",
            "Authorization": "Bearer x",
            "Range": "bytes=" + "0-," * 1000 + "0-",
            "Cookie": "a=b",
        }
        await client.get("/?page=none&deep_link=x&__sign=y", headers=headers)
        [scope] = reached.scopes
        names = {name for name, _ in scope["headers"]}
        assert names <= {b"host", b"cookie", b"accept", b"accept-encoding", b"user-agent"}
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/", b"/", b"")
        assert scope["root_path"] == ""


async def test_a_file_is_what_its_ending_says_and_none_is_a_page() -> None:
    async with standing_in() as (client, _, _):
        packaged = gradio_fixes.packaged()
        assert len(packaged) > 500
        assert set(packaged.values()) <= set(TYPES)
        assert not [media for media in TYPES.values() if "html" in media or "xml" in media[:10]]
        for path in list(packaged)[::50]:
            answer = await client.get(path)
            assert answer.headers["content-type"] == TYPES[packaged[path]]
            assert (await client.post(path)).status_code == 405
