"""Whoever has asked enough is refused at every door alike, before anything streams, and told when to come."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from chat.conversations import Conversation
from chat.messages import Options
from chat.owners import LOCAL
from tests.api.served import Served, served
from tests.api.ws_client import connected
from tests.scripted import HANG, says

ASK = {"message": "Hello?"}
MESSAGES = {"messages": [{"role": "user", "content": "Hello?"}]}
DOORS: list[tuple[str, str, Any]] = [
    ("POST", "/chat/stream", ASK),
    ("POST", "/chat/stream/acme", ASK),
    ("POST", "/api/message", ASK),
    ("POST", "/stream-chat", ASK),
    ("POST", "/chat/stream", ASK | {"stream": False}),
    ("GET", "/chat?q=Hello", None),
    ("POST", "/v1/chat/completions", MESSAGES),
    ("POST", "/v1/chat/completions", MESSAGES | {"stream": True}),
]
SENTENCE = "You may ask 1 question an hour here. Ask again in 60 minutes."


def told(answer: httpx.Response) -> str:
    assert answer.status_code == 429, answer.text
    assert 3590 <= int(answer.headers["retry-after"]) <= 3600
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    return error["message"] if isinstance(error, dict) else error


@pytest.fixture
async def site() -> AsyncIterator[Served]:
    async with served(says("x"), says("y"), environ={"CHAT_RATE": "1/hour"}) as site:
        yield site


@pytest.mark.parametrize(("method", "path", "body"), DOORS)
async def test_every_door_refuses_alike(site: Served, method: str, path: str, body: Any) -> None:
    first = await site.client.request(method, path, json=body, headers=site.cookie())
    assert first.status_code == 200
    for each in DOORS:
        answer = await site.client.request(each[0], each[1], json=each[2], headers=site.cookie())
        assert told(answer) == SENTENCE
    assert len(site.vendor.asked) == 1


async def test_a_socket_is_told_too(site: Served) -> None:
    await site.post("/stream-chat", ASK)
    async with connected(site.url, headers=site.cookie()) as line:
        await line.send(ASK)
        said = [message async for message in line]
    assert said == [{"error": SENTENCE, "kind": "rate_limited"}]


async def test_without_the_cookie_it_is_the_network_that_has_asked_enough(site: Served) -> None:
    for headers in ({}, site.cookie("you")):
        answer = await site.client.post("/stream-chat", json=ASK, headers=headers)
        if not headers:
            assert answer.status_code == 200
            site.client.cookies.clear()
        else:
            assert "From your network" in told(answer)
    for headers in ({"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
        assert (await site.client.post("/stream-chat", json=ASK, headers=headers)).status_code == 403


async def test_what_is_no_question_is_not_counted(site: Served) -> None:
    first = await site.post("/chat/stream", ASK | {"key": "mine"})
    run = first.headers["run-id"]
    assert (await site.post("/chat/stream", ASK | {"key": "mine"})).headers["run-id"] == run
    assert (await site.post("/chat/stream", ASK, last_event_id=f"{run}/1")).status_code == 200
    assert (await site.post(f"/runs/{run}/stop", {})).status_code == 200
    assert (await site.get(f"/runs/{run}/events")).status_code == 200
    assert (await site.get("/v1/models")).status_code == 200
    assert len(site.vendor.asked) == 1


async def test_a_stream_that_has_begun_is_never_cut_by_a_limit() -> None:
    async with (
        served([HANG], environ={"CHAT_RATE": "1/hour"}) as site,
        site.client.stream("POST", "/stream-chat", json=ASK, headers=site.cookie()) as answer,
    ):
        await site.vendor.hanging.wait()
        for _ in range(3):
            told(await site.post("/stream-chat", ASK))
        run = site.app.runs.get(answer.headers["run-id"])
        assert run is not None
        assert run.transcript.ended is None


async def test_the_owner_at_this_machine_is_not_limited() -> None:
    token = "a-token-of-24-characters"
    environ = {"CHAT_RATE": "1/hour", "CHAT_MESSAGES": "1", "CHAT_TOKEN": token, "CHAT_PUBLIC": "1"}
    async with served(*[says("x")] * 4, environ=environ) as site:
        for _ in range(2):
            bearer = {"authorization": f"Bearer {token}"}
            assert (await site.client.post("/stream-chat", json=ASK, headers=bearer)).status_code == 200
        run = await site.app.runs.ask(Conversation(LOCAL), "Hello?", Options(model="acme:one"))
        await run.finished()
        assert run.state == "complete"
        assert (await site.post("/stream-chat", ASK)).status_code == 200
        assert (await site.post("/stream-chat", ASK)).status_code == 429


async def test_behind_a_named_proxy_each_visitor_is_counted_for_themselves() -> None:
    environ = {"CHAT_RATE": "1/hour", "CHAT_PROXIES": "127.0.0.1", "CHAT_PUBLIC": "1"}
    async with served(*[says("x")] * 2, environ=environ) as site:
        for address, expected in (
            ("203.0.113.1", 200),
            ("198.51.100.7, 203.0.113.1", 429),  # what the visitor wrote before it changes nothing
            ("203.0.113.2", 200),
            ("203.0.113.1", 429),
        ):
            cookie = site.cookie(f"somebody new {address}".translate({44: None, 32: None, 46: None}))
            headers = cookie | {"X-Forwarded-For": address}
            answer = await site.client.post("/stream-chat", json=ASK, headers=headers)
            assert answer.status_code == expected, address


async def test_the_cap_on_tokens_holds_at_every_door() -> None:
    async with served(*[says("x")] * 4, environ={"CHAT_MAX_TOKENS": "50"}) as site:
        for _, path, body in DOORS[:2] + DOORS[-2:]:
            await site.post(path, body | {"max_tokens": 5000})
        assert [request.max_tokens for request in site.vendor.asked] == [50] * 4


async def test_many_cookies_of_one_address_leave_an_answer_for_somebody_elsewhere() -> None:
    environ = {"CHAT_PUBLIC": "1", "CHAT_PROXIES": "127.0.0.1", "CHAT_RUNS": "4", "CHAT_RUNS_EACH": "1"}
    async with served([HANG], says("For me."), environ=environ) as site, AsyncExitStack() as open_lines:
        for number in range(8):  # twice as many as there are slots
            headers = site.cookie(f"stranger{number}") | {"X-Forwarded-For": "203.0.113.1"}
            line = site.client.stream("POST", "/stream-chat", json=ASK, headers=headers)
            assert (await open_lines.enter_async_context(line)).status_code == 200
        headers = site.cookie("me") | {"X-Forwarded-For": "203.0.113.2"}
        answer = await site.client.post("/stream-chat", json=ASK, headers=headers)
        assert "For me." in answer.text
        assert len(site.vendor.asked) == 2
