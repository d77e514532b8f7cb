"""What the mounted page gives to whoever asks for it: no key, no way past the owner, no outside call."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from chat import ui
from chat.api.cookie import Cookie
from chat.build import App, open_app
from chat.errors import BadRequest
from chat.messages import Options
from chat.owners import COOKIE
from chat.settings import Settings
from chat.ui import welcome
from chat.ui.page import build_page

KEY = "sk-test-0123456789abcdef"


@dataclass
class Site:
    app: App
    client: httpx.AsyncClient


async def site_of(**environ: str) -> AsyncIterator[Site]:
    async with open_app(Settings.read({"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", **environ})) as app:
        if (fetching := app.catalogue.refresh()) is not None:
            await fetching
        parent = ui.mount(FastAPI(), app)
        parent.add_middleware(Cookie, owners=app.owners, adopt=app.store.adopt)
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Site(app, client)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for each in site_of():
        yield each


@pytest.fixture
async def keyed() -> AsyncIterator[Site]:
    # Nobody listens at that address: the list of models stays empty, which is said in the log.
    address = "http://127.0.0.1:9/v1"
    async for each in site_of(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=address, CHAT_SYSTEM="Be kind."):
        yield each


async def test_nothing_that_a_browser_gets_holds_a_key(keyed: Site) -> None:
    for path in ("/", "/config", "/state"):
        answer = await keyed.client.get(path)
        assert answer.status_code == 200
        assert KEY not in answer.text


async def test_the_configuration_is_as_it_was_meant(site: Site) -> None:
    config = (await site.client.get("/config")).json()
    assert config["connect_heartbeat"] is False
    assert config["footer_links"] == []
    assert not config.get("analytics_enabled")
    assert config["title"] == "Runnel"
    for listener in config["dependencies"]:
        # Gradio's own `load_example` fills in a text that the page has anyway.
        if listener["api_name"] not in ("load_example", "chat"):
            assert listener["api_visibility"] == "private", listener["api_name"]


async def test_programs_are_offered_one_endpoint(site: Site) -> None:
    info = build_page(site.app).get_api_info()
    assert (list(info["named_endpoints"]), info["unnamed_endpoints"]) == (["/chat"], {})
    told = (await site.client.get("/gradio_api/info?all_endpoints=true&serialize=false")).json()
    assert (list(told["named_endpoints"]), told["unnamed_endpoints"]) == (["/chat"], {})


async def test_no_file_but_gradio_s_own_is_served(site: Site) -> None:
    for path in ("/gradio_api/file=.env", "/gradio_api/file=app.py", "/gradio_api/file=/etc/passwd"):
        answer = await site.client.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (404, "not_found")


async def test_the_page_gives_the_cookie_and_state_knows_its_owner(site: Site) -> None:
    assert (await site.client.get("/state")).json()["run"] == ""
    owner = site.app.owners.of((await site.client.get("/")).cookies)
    chat = await site.app.store.current(owner)
    run = await site.app.runs.ask(chat, "hello", Options(model="demo:fast"), key="k")
    now = (await site.client.get("/state")).json()
    assert (now["chat"], now["run"], now["running"]) == (chat.id, run.id, True)
    await run.finished()
    state = (await site.client.get("/state")).json()
    assert state == {
        **{"chat": chat.id, "run": run.id, "running": False, "length": run.transcript.length},
        **{"models": site.app.catalogue.version_of(owner), "chats": site.app.store.version_of(owner)},
        **{"title": "hello", "saved": True, "trouble": "", "arrived": False},
        "offered": len(site.app.catalogue.of(owner).names()),
    }
    named = (await site.client.get("/state", params={"chat": chat.id, "key": "k"})).json()
    assert named == {**state, "arrived": True}
    for other in ("", "nobody's"):  # an empty new one; none at all
        assert (await site.client.get("/state", params={"chat": other})).json()["run"] == ""
    assert await site.app.store.current(owner) is chat


async def test_a_stranger_s_state_is_that_of_no_chat(site: Site) -> None:
    owner = site.app.owners.of((await site.client.get("/")).cookies)
    chat = await site.app.store.current(owner)
    await (await site.app.runs.ask(chat, "hello", Options(model="demo:fast"), key="k")).finished()
    site.client.cookies.clear()
    me = {"cookie": f"{COOKIE}={site.app.owners.cookie('me')}"}
    answers = [
        (await site.client.get("/state", params={"chat": id, "key": "k"}, headers=me)).json()
        for id in (chat.id, "no-such-chat")
    ]
    assert answers[0] == answers[1]
    assert (answers[0]["run"], answers[0]["chat"], answers[0]["arrived"]) == ("", "", False)


async def test_the_empty_page_says_how_to_add_a_key_only_where_there_is_none(site: Site, keyed: Site) -> None:
    assert "OPENAI_API_KEY" in welcome.text(site.app, "")
    assert "OPENAI_API_KEY" not in welcome.text(keyed.app, "")


async def test_the_texts_of_the_settings_are_on_the_page() -> None:
    settings = {
        "CHAT_TITLE": "Bike shop",
        "CHAT_WELCOME": "Ask about bikes.",
        "CHAT_EXAMPLES": "A bell?|A lock?",
    }
    async for site in site_of(**settings, CHAT_SYSTEM="You sell bikes."):
        config = json.dumps((await site.client.get("/config")).json())
        for text in ("Bike shop", "Ask about bikes.", "A bell?", "A lock?", "You sell bikes."):
            assert text in config


async def test_building_the_page_starts_nothing(site: Site) -> None:
    build_page(site.app)
    assert len(site.app.runs) == 0


async def test_a_value_too_few_is_an_older_page(site: Site) -> None:
    from chat.ui.interface import Chat

    page = build_page(site.app)
    assert isinstance(page, Chat)
    with pytest.raises(BadRequest):
        page.side.controls.read("me", [])
