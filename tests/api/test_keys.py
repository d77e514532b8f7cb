"""Given this request about keys, this answer, and never a word of the key."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import FastAPI

from chat import wallet
from chat.api import keys
from chat.build import App, open_app
from chat.owners import COOKIE, LOCAL
from chat.settings import Settings

KEY = "Zq81xYwv0aKdT7LmNn3pRs9U"
TOKEN = "token-0123456789abcdef"


def vendor(request: httpx2.Request) -> httpx2.Response:
    """Takes the key `KEY`, and quotes any other."""
    key = request.headers["authorization"].removeprefix("Bearer ")
    if request.url.host == "api.groq.com":
        raise httpx2.ConnectError("no route")
    if key != KEY:
        said = f"Incorrect API key provided: {key}, beginning with {key[:12]}, ending in {key[-8:]}."
        return httpx2.Response(401, json={"error": {"message": said}})
    return httpx2.Response(200, json={"data": [{"id": "gpt-4o-mini"}]})


@dataclass
class Site:
    app: App
    client: httpx.AsyncClient

    async def __call__(
        self, method: str, path: str, body: Any = None, owner: str = "me", **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if owner:
            sent["Cookie"] = f"{COOKIE}={self.app.owners.cookie(owner)}"
        if body is not None:
            sent.setdefault("content-type", "application/json")
        content = body if isinstance(body, str | None) else json.dumps(body)
        return await self.client.request(method, path, content=content, headers=sent)

    async def own(self, owner: str = "me") -> list[str]:
        answer = await self("GET", "/keys", owner=owner)
        return [each["name"] for each in answer.json()["vendors"] if each["own"]]


async def site_of(**environ: str) -> AsyncIterator[Site]:
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_TOKEN": TOKEN, "SPACE_ID": "me/chat", **environ})
    async with open_app(settings, transport=httpx2.MockTransport(vendor)) as app:
        parent = FastAPI()
        keys.route(parent, app)
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="https://host") as client:
            yield Site(app, client)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for site in site_of():
        yield site


async def test_a_key_is_brought_shown_as_there_and_forgotten(site: Site) -> None:
    shown = (await site("GET", "/keys")).json()["vendors"]
    assert shown[0] == {"name": "openai", "title": "OpenAI", "own": False, "works": None, "models": 0}
    assert not {"demo", "ollama"} & {each["name"] for each in shown}
    answer = await site("PUT", "/keys/openai", {"key": f" {KEY}\n"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        **{"name": "openai", "title": "OpenAI", "own": True, "works": True, "models": 1},
        **{"sentence": "OpenAI took the key: 1 model.", "model": "openai:gpt-4o-mini"},
    }
    assert await site.own() == ["openai"]
    own_key = site.app.runs._own_key
    assert own_key("me", "openai:gpt-4o-mini")
    assert not own_key("you", "openai:gpt-4o-mini")
    assert await site.own("you") == []
    assert (await site("DELETE", "/keys/openai", owner="you")).status_code == 200
    assert await site.own() == ["openai"]
    assert (await site("DELETE", "/keys/openai")).json() == {"model": "demo:tour"}
    assert await site.own() == []


async def test_a_refused_key_is_answered_in_a_sentence_without_it(site: Site) -> None:
    wrong = KEY[::-1]
    answer = await site("PUT", "/keys/openai", {"key": wrong})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("OpenAI does not accept your key.")
    for piece in (wrong, wrong[:12], wrong[-8:]):
        assert piece not in answer.text
    assert await site.own() == []


async def test_a_key_whose_vendor_is_away_is_kept(site: Site) -> None:
    answer = await site("PUT", "/keys/groq", {"key": KEY})
    assert answer.status_code == 200
    assert "The key is kept" in answer.json()["sentence"]
    assert (answer.json()["works"], answer.json()["model"]) == (None, "groq:")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": f"{KEY} {KEY}"}, 422),
        ({"key": "kéy-0123456789"}, 422),
        ({"key": ""}, 422),
        ({"key": KEY * 100}, 422),
        ({"key": [KEY]}, 422),
        ({KEY: "key"}, 422),
        (f"{{{KEY}", 422),
        ("[" * 100_000, 422),
    ],
)
async def test_what_is_no_key_is_said_without_repeating_it(site: Site, body: Any, status: int) -> None:
    answer = await site("PUT", "/keys/openai", body)
    assert answer.status_code == status
    assert answer.json()["error"].endswith((".", "”"))
    assert KEY not in answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_the_owner_s_own_page_may_ask(site: Site, method: str) -> None:
    path, body = ("/keys", None) if method == "GET" else ("/keys/openai", {"key": KEY})
    for headers in ({"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}):
        assert (await site(method, path, body, **headers)).status_code == 403
    assert (await site(method, path, body, authorization=f"Bearer {TOKEN}")).status_code == 403
    assert (await site(method, path, body, owner="")).status_code == 401
    assert (await site(method, path, body, Origin="https://host")).status_code == 200


async def test_plain_text_and_forms_are_not_read(site: Site) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert (await site("PUT", "/keys/openai", {"key": KEY}, content_type=kind)).status_code == 415
    assert await site.own() == []


@pytest.mark.parametrize("name", ["demo", "ollama", "nobody", "openai-chat", "%2e%2e"])
async def test_a_vendor_that_takes_no_key_is_not_found(site: Site, name: str) -> None:
    assert (await site("PUT", f"/keys/{name}", {"key": KEY})).status_code == 404


async def test_vendors_without_a_model_on_offer_are_not_shown() -> None:
    async for site in site_of(CHAT_MODELS="anthropic:claude-9, openai-chat:gpt-9, demo:tour"):
        shown = (await site("GET", "/keys")).json()["vendors"]
        assert [each["name"] for each in shown] == ["openai", "anthropic"]


async def test_a_server_of_the_operator_s_takes_keys_only_where_it_has_one() -> None:
    async for site in site_of(CHAT_ENDPOINTS="open=http://h/v1, shut=http://s/v1", SHUT_API_KEY="s-1234567"):
        shown = {each["name"] for each in (await site("GET", "/keys")).json()["vendors"]}
        assert "shut" in shown
        assert "open" not in shown


async def test_the_operator_is_not_counted_by_network(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallet, "MAX_KEYS_PER_NETWORK", 0)
    refused = await site("PUT", "/keys/openai", {"key": KEY})
    assert refused.status_code == 429
    assert "from your network" in refused.json()["error"]
    assert (await site("PUT", "/keys/openai", {"key": KEY}, owner=LOCAL)).status_code == 200
