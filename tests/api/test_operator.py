"""Where nobody logs in: which browser is the operator's, and that one of them ends them all."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from chat.api import operator
from chat.build import App, open_app
from chat.owners import COOKIE, LOCAL
from chat.settings import Settings

TOKEN = "0123456789abcdef"


@dataclass
class Site:
    app: App
    client: httpx.AsyncClient

    def cookie(self, owner: str) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.app.owners.cookie(owner)}"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:", "CHAT_TOKEN": TOKEN})
    async with open_app(settings) as app:
        parent = FastAPI()
        operator.route(parent, app)
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Site(app, client)


async def test_who_is_the_operator(site: Site) -> None:
    for headers, expected in ((site.cookie(LOCAL), True), (site.cookie("me"), False), ({}, False)):
        answer = await site.client.get("/login/me", headers=headers)
        assert answer.json() == {"name": "", "leaves": False, "operator": expected}
        assert answer.headers["cache-control"] == "no-store"


async def test_one_browser_signs_out_all_of_the_operators(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other, stranger = site.cookie(LOCAL), site.cookie(LOCAL), site.cookie("me")
    answer = await site.client.post("/logout/everywhere", headers=one)
    assert (answer.status_code, answer.headers["location"]) == (303, "../")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    for gone in (one, other):
        assert (await site.client.get("/login/me", headers=gone)).json()["operator"] is False
    assert site.app.owners.of({COOKIE: stranger["Cookie"].partition("=")[2]}) == "me"
    [line] = [each for each in caplog.messages if "/?key=" in each]
    assert site.app.owners.redeem(line.rpartition("=")[2]), "the log says how to come back"


@pytest.mark.parametrize("bearer", [True, False])
async def test_nobody_else_signs_the_operator_out(site: Site, bearer: bool) -> None:
    mine = site.cookie(LOCAL)
    evil = {**mine, "Origin": "http://evil.example"}
    for headers, status in ((site.cookie("me"), 401), ({}, 401), (evil, 403)):
        assert (await site.client.post("/logout/everywhere", headers=headers)).status_code == status
    assert (await site.client.get("/login/me", headers=mine)).json()["operator"] is True
    if bearer:
        token = {"Authorization": f"Bearer {TOKEN}"}
        assert (await site.client.post("/logout/everywhere", headers=token)).status_code == 303
        assert (await site.client.get("/login/me", headers=mine)).json()["operator"] is False
