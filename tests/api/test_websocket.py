"""Given these messages of a client, these of ours: the same contract as the streams, over a WebSocket."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import WebSocket

from chat.api.websocket import Line
from chat.errors import CutOff
from chat.events import ReplyFinished, TextDelta, ThinkingDelta
from tests.api import sse_reader
from tests.api.served import Served, served
from tests.api.ws_client import Client, Rejected, connected
from tests.scripted import HANG, says

ASK = {"message": "Hello?"}
WRITES = (ThinkingDelta("Hm."), TextDelta("Hel"), TextDelta("lo 日本\n語🚴"), ReplyFinished("end"))


async def talk(site: Served, first: Any, owner: str = "me", **headers: str) -> tuple[list[Any], int | None]:
    """All that was said on the line, and its close."""
    async with connected(site.url, site.cookie(owner) | headers) as client:
        await client.send(first)
        return [message async for message in client], client.code


async def test_it_tells_what_the_stream_of_events_tells() -> None:
    async with served(WRITES) as site:
        (opened, *events), code = await talk(site, ASK)
        assert opened["type"] == "opened"
        stream = await site.get(f"/runs/{opened['run']}/events")
        told = sse_reader.read(stream.content).messages
        assert events == [{"id": message.id, **json.loads(message.data)} for message in told]
        assert "".join(each["text"] for each in events if each["type"] == "text_delta") == "Hello 日本\n語🚴"
        assert (events[-1]["type"], code) == ("turn_finished", 1000)
        [chat] = await site.app.store.chats("me")
        assert chat.id == opened["conversation"]


async def test_a_failure_is_its_last_word() -> None:
    async with served([TextDelta("Hel"), CutOff("It was cut off.")]) as site:
        events, code = await talk(site, ASK)
        assert events[-1]["type"] == "turn_failed"
        assert events[-1]["failure"]["message"] == "It was cut off."
        assert [event["type"] for event in events].count("turn_failed") == 1
        assert code == 1000


async def until(client: Client, kind: str) -> Any:
    async for message in client:
        if message.get("type") == kind:
            return message
    raise AssertionError(f"the line was closed ({client.code}) without {kind}")


async def test_stop_on_the_same_line() -> None:
    async with served([TextDelta("Hel"), HANG]) as site, connected(site.url, site.cookie()) as client:
        await client.send(ASK)
        await until(client, "text_delta")
        for noise in ("{", "[]", '"stop"', '{"stop": 1}', '{"other": true}'):
            await client.send(noise)
        await client.send({"stop": True})
        last = await until(client, "turn_failed")
        assert last["failure"]["kind"] == "stopped"
        assert site.vendor.closed == 1


async def test_who_leaves_stops_nothing_and_may_return() -> None:
    gate = asyncio.Event()
    async with served([TextDelta("Hel"), gate, TextDelta("lo"), ReplyFinished("end")]) as site:
        async with connected(site.url, site.cookie()) as client:
            await client.send(ASK)
            last = await until(client, "text_delta")
        run = site.app.runs.get(last["id"].partition("/")[0])
        assert run is not None
        async with asyncio.timeout(10):
            while run.readers:
                await asyncio.sleep(0.01)
        gate.set()
        (_, *events), code = await talk(site, {"resume": last["id"]})
        assert [event["type"] for event in events] == ["text_delta", "turn_finished"]
        assert (events[0]["text"], code) == ("lo", 1000)
        assert len(site.vendor.asked) == 1


async def test_unless_the_settings_say_so() -> None:
    async with served([TextDelta("Hel"), HANG], environ={"CHAT_WHEN_LEFT": "stop"}) as site:
        async with connected(site.url, site.cookie()) as client:
            await client.send(ASK)
            await until(client, "text_delta")
        async with asyncio.timeout(10):
            while not site.vendor.closed:
                await asyncio.sleep(0.01)


async def test_who_asks_and_is_gone_before_the_first_word_has_left() -> None:
    async with served([HANG], environ={"CHAT_WHEN_LEFT": "stop"}) as site:
        coming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps(ASK)}]

        async def receive() -> Any:
            return coming.pop(0)

        async def send(message: Any) -> None:
            if message["type"] == "websocket.send":
                raise OSError

        cookie = [(b"cookie", site.cookie()["Cookie"].encode())]
        scope = {"type": "websocket", "path": "/chat/ws", "headers": cookie, "query_string": b""}
        await Line(site.app).serve(WebSocket(scope, receive, send))
        [run] = site.app.runs._runs.values()
        async with asyncio.timeout(5):
            await run.finished()
        assert run.state == "stopped"


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ([], "object"),
        ({}, "message"),
        ({"message": " "}, "question"),
        ({"message": "x", "mesage": "x"}, "mesage"),
        ({"message": "x", "tools": ["rm"]}, "rm"),
        ({"message": "x", "conversation": "A"}, "no such chat"),
        ({"resume": 7}, "resume"),
        ({"resume": "A/1"}, "no such answer"),
    ],
)
async def test_what_is_wrong_is_told_and_the_line_closed(sent: Any, names: str) -> None:
    async with served(says("x")) as site:
        [refusal], code = await talk(site, sent)
        assert set(refusal) == {"error", "kind"}
        assert names in refusal["error"]
        assert code == 1008
        assert site.vendor.asked == []
        assert (await talk(site, ASK))[1] == 1000


async def test_somebody_else_s_run_is_none() -> None:
    async with served(says("x")) as site:
        (opened, *_), _ = await talk(site, ASK)
        [refusal], code = await talk(site, {"resume": f"{opened['run']}/0"}, owner="you")
        assert ("no such answer" in refusal["error"], code) == (True, 1008)


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}])
async def test_another_site_s_page_gets_no_line(headers: dict[str, str]) -> None:
    async with served(says("x")) as site:
        with pytest.raises(Rejected) as caught:
            await talk(site, ASK, **headers)
        assert caught.value.status == 403


async def test_another_address_has_no_line() -> None:
    async with served() as site:
        with pytest.raises(Rejected):
            async with connected(site.url, site.cookie(), "/gradio_api/ws"):
                pass


async def test_who_is_nobody_gets_no_line_but_here() -> None:
    token = "a-token-of-24-characters"
    async with served(says("x"), environ={"CHAT_TOKEN": token}) as site:
        with pytest.raises(Rejected) as caught:
            async with connected(site.url, {}):
                pass
        assert caught.value.status == 401
        assert "token" in json.loads(caught.value.body)["error"]
        async with connected(site.url, {"authorization": f"Bearer {token}"}) as client:
            await client.send(ASK)
            await until(client, "turn_finished")
    async with served(says("x")) as site, connected(site.url, {}) as client:
        assert "HttpOnly" in client.headers["set-cookie"]
        await client.send(ASK)
        await until(client, "turn_finished")
