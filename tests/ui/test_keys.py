"""The page's side of people's own keys: what it is told of them, and what it makes of it."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import httpx
import httpx2
import pytest
from fastapi import FastAPI

from chat.build import App, open_app
from chat.settings import Settings
from chat.ui import state, welcome
from chat.ui.interface import Chat
from chat.ui.page import build_page
from tests.ui.test_handlers import ME, OTHER, SECRET, request

KEY = "sk-visitor-0123456789abcdef"


def vendor(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"data": [{"id": "gpt-9"}]})


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """Open to all, and one of them has brought a key."""
    environ = {"CHAT_LOCAL": "0", "CHAT_SECRET": SECRET, "CHAT_PUBLIC": "1"}
    async with open_app(Settings.read(environ), transport=httpx2.MockTransport(vendor)) as app:
        if (fetching := app.catalogue.refresh()) is not None:
            await fetching
        await app.wallet.bring(ME, "openai", KEY)
        yield app


async def refreshed(app: App, raw: Any, owner: str = ME) -> list[Any]:
    page = build_page(app)
    assert isinstance(page, Chat)
    return await page.handlers.refresh(raw, "demo:tour", 1.0, "", request(owner))


async def test_the_menu_is_the_asker_s_own(app: App) -> None:
    choices = [(await refreshed(app, {}, owner))[0]["choices"] for owner in (ME, OTHER)]
    mine, theirs = ([name for _, name in each] for each in choices)
    assert "openai:gpt-9" in mine
    assert theirs == [name for name in mine if name.startswith("demo:")]


async def test_a_wanted_model_is_chosen_if_it_is_there(app: App) -> None:
    wanted = {"keys": True, "model": "openai:gpt-9"}
    assert (await refreshed(app, wanted))[0]["value"] == "openai:gpt-9"
    for raw, owner in ((wanted, OTHER), ({"keys": True, "model": ""}, ME), ({}, ME), (None, ME), ([1], ME)):
        assert "value" not in (await refreshed(app, raw, owner))[0]


async def test_the_empty_page_says_no_more_how_to_bring_a_key(app: App) -> None:
    assert "(#keys)" in welcome.text(app, OTHER)
    assert "(#keys)" not in welcome.text(app, ME)
    assert (await refreshed(app, {"keys": True}))[-1]["placeholder"] == welcome.text(app, ME)
    assert (await refreshed(app, {}))[-1] == gr.skip()


async def test_an_open_page_keeps_its_owner_s_keys(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(type(app.wallet), "heard", lambda self, owner: heard.append(owner))
    parent = FastAPI()
    state.route(parent, app)
    transport = httpx.ASGITransport(parent)
    address, cookies = "http://127.0.0.1", dict(request().cookies)
    async with httpx.AsyncClient(transport=transport, base_url=address, cookies=cookies) as client:
        before = (await client.get("/state")).json()["models"]
        app.wallet.forget(ME, "openai")
        assert (await client.get("/state")).json()["models"] != before
    assert heard == [ME, ME]


async def test_no_component_holds_a_key(app: App) -> None:
    assert KEY not in str(build_page(app).get_config_file())
