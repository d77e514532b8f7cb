"""What every streaming route keeps, whatever its format; read by httpx-sse, which is not ours.

By the rules nobody hears of an event without data; httpx-sse (0.4.3) tells those that follow an id: of the
first id alone, and of a heartbeat. What a format itself says is in test_dialects and the golden files, what a
route does besides in test_routes, test_completions and test_websocket.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.api import dialects, streams
from chat.errors import CutOff
from chat.events import KeepAlive, Notice, ReplyFinished, Stop, TextDelta, ThinkingDelta, TurnFinished
from chat.outcomes import ENDINGS
from tests.api import sse_reader
from tests.api.served import Served, served
from tests.api.stories import Story
from tests.api.test_dialects import NUMBERED, PIECES, ROWS
from tests.scripted import HANG, says

ASK: dict[str, Any] = {"message": "Hello?"}
OPENAI: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello?"}], "stream": True}
ROUTES: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "objects": ("POST", "/chat/stream", ASK),
    "provider": ("POST", "/chat/stream/acme", ASK),
    "address": ("POST", "/chat/stream/acme?message=Hello%3F", None),
    "chunks": ("POST", "/api/message", ASK),
    "lines": ("POST", "/stream-chat", ASK),
    "marked": ("GET", "/chat?q=Hello%3F", None),
    "openai": ("POST", "/v1/chat/completions", OPENAI),
}
MARKED = {"objects", "provider", "address", "marked", "openai"}
"""Those whose last frame is the mark."""
Frames = list[httpx_sse.ServerSentEvent]


@asynccontextmanager
async def asked(site: Served, route: str, last: str = "") -> AsyncIterator[httpx.Response]:
    method, path, body = ROUTES[route]
    headers = site.cookie() | ({"Last-Event-ID": last} if last else {})
    async with site.client.stream(method, path, json=body, headers=headers) as answer:
        yield answer


async def frames(answer: httpx.Response) -> Frames:
    assert answer.status_code == 200, await answer.aread()
    return [frame async for frame in httpx_sse.EventSource(answer).aiter_sse() if frame.data]


async def heard(site: Served, route: str, last: str = "") -> Frames:
    async with asked(site, route, last) as answer:
        return await frames(answer)


# -- how it comes --------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
async def test_the_head_and_the_first_bytes(route: str) -> None:
    async with served(says("Hi.")) as site, asked(site, route) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["connection"] == "keep-alive"
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-encoding" not in answer.headers
        assert answer.headers["run-id"]
        kept = route not in ("openai",)  # what a program asks at /v1 is no chat unless it says so
        assert ("conversation-id" in answer.headers) is kept
        assert (await answer.aread()).startswith(b": ok\n\n")


@pytest.mark.parametrize("route", ROUTES)
async def test_a_silence_is_filled_while_it_lasts(route: str) -> None:
    script = [TextDelta("a"), KeepAlive(), HANG]
    async with served(script, heartbeat=0.02) as site, asked(site, route) as answer:
        beats = 0
        async for line in answer.aiter_lines():
            beats += line == ": heartbeat"
            if beats == 3:
                break


def test_of_five_seconds() -> None:
    assert streams.HEARTBEAT == 5


@pytest.mark.parametrize("route", ROUTES)
async def test_every_frame_has_an_id_of_its_run(route: str) -> None:
    script = [ThinkingDelta("Hm."), TextDelta("a"), TextDelta("b"), ReplyFinished("end")]
    async with served(script) as site, asked(site, route) as answer:
        run, told = answer.headers["run-id"], await frames(answer)
    ids = [frame.id.partition("/") for frame in told]
    assert {name for name, _, _ in ids} == {run}
    numbers = [int(number) for _, _, number in ids]
    assert numbers == sorted(set(numbers))


# -- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("how", ["whole", "failed", "stopped"])
async def test_the_mark_is_the_last_frame_once_however_it_ends(route: str, how: str) -> None:
    end = {"whole": ReplyFinished("end"), "failed": CutOff("It was cut off."), "stopped": HANG}[how]
    async with served([TextDelta("a"), end]) as site, asked(site, route) as answer:
        if how == "stopped":
            await site.vendor.hanging.wait()
            await site.post(f"/runs/{answer.headers['run-id']}/stop", None)
        data = [frame.data for frame in await frames(answer)]
    assert data.count("[DONE]") == (route in MARKED)
    assert (data[-1] == "[DONE]") == (route in MARKED)
    assert any("It was cut off." in each for each in data) == (how == "failed")


STOPS: tuple[Stop, ...] = ("length", "filter", "refusal", "other")  # after a pause it goes on


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("stop", ["end", *STOPS])
async def test_an_answer_that_may_lack_something_is_not_told_as_a_whole_one(route: str, stop: Stop) -> None:
    script = [TextDelta("You may take at most"), Notice("ended", "Acme gave up."), ReplyFinished(stop)]
    async with served(script) as site:
        data = [each.data for each in await heard(site, route) if each.data != "[DONE]"]
    if route in ("lines", "marked"):
        notes = [f"Note: {ENDINGS[stop]}."] if stop != "end" else []
        assert data == ["You may take at most", *notes]
    elif route == "openai":
        reason = json.loads(data[-1])["choices"][0]["finish_reason"]
        assert (reason == "stop") == (stop == "end")
    else:
        *values, last = map(json.loads, data)
        assert last.get("stop", "end") == stop
        assert ("stop" in last) == (stop != "end")
        assert [each["notice"] for each in values if "notice" in each] == ["Acme gave up."]


async def test_bare_text_and_one_json_value_say_it_too() -> None:
    for stop in STOPS:
        script = [TextDelta("At most"), ReplyFinished(stop)]
        async with served(script, script, [ReplyFinished(stop)]) as site:
            bare = await site.post("/chat/stream", ASK, accept="text/plain")
            assert bare.text == f"At most\n\nNote: {ENDINGS[stop]}."
            whole = await site.post("/chat/stream", {**ASK, "stream": False})
            assert (whole.json()["text"], whole.json()["stop"]) == ("At most", stop)


@pytest.mark.parametrize("route", ROUTES)
async def test_resumed_while_it_runs_it_is_the_same_answer_asked_once(route: str) -> None:
    gate = asyncio.Event()
    script = [ThinkingDelta("Hm."), TextDelta("a"), TextDelta("b"), gate, TextDelta("c")]
    async with served([*script, ReplyFinished("end")], says("Another.")) as site:
        before: Frames = []
        async with asked(site, route) as answer:
            async for frame in httpx_sse.EventSource(answer).aiter_sse():
                before += [frame] if frame.data else []
                if "a" in frame.data.removeprefix('{"id": "chatcmpl'):
                    break
        waiting = asyncio.create_task(heard(site, route, before[-1].id))
        gate.set()
        both = [*before, *await waiting]
        whole = await heard(site, route, f"{answer.headers['run-id']}/0")
        assert [(each.id, each.data) for each in both] == [(each.id, each.data) for each in whole]
        assert len(site.vendor.asked) == 1


# -- what is refused before it begins ------------------------------------------------------------

TOKEN = "a-token-of-24-characters"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422, 429, 503])
async def test_a_refusal_is_json_with_its_status_and_asks_nobody(status: int) -> None:
    environ = {"CHAT_TOKEN": TOKEN, "CHAT_RUNS_EACH": "1"}
    async with served([HANG], environ=environ) as site:
        if status == 429:
            for _ in range(21):  # one is answered, 20 wait
                async with site.client.stream("POST", "/stream-chat", json=ASK, headers=site.cookie()):
                    pass
            await site.vendor.hanging.wait()
        elif status == 503:
            await site.app.runs.aclose()
        before = len(site.vendor.asked)
        for route, (method, path, body) in ROUTES.items():
            if method == "GET" and status in (413, 415):
                continue  # it has no body
            headers = site.cookie() | ({"content-type": "application/json"} if method == "POST" else {})
            content = json.dumps(body).encode() if body else None
            match status:
                case 400:
                    headers["last-event-id"] = "nothing"
                case 401:
                    del headers["Cookie"]
                case 403:
                    headers["sec-fetch-site"] = "cross-site"
                case 404:
                    headers["last-event-id"] = "AAAAAAAAAAAAAAAA/1"
                case 413:
                    content = b'{"message": "' + b"x" * 1_100_000 + b'"}'
                case 415:
                    headers["content-type"], content = "text/plain", b'{"message": "x"}'
                case 422:
                    path, content = path.partition("?")[0], b"{}" if method == "POST" else None
            answer = await site.client.request(method, path, content=content, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), route
            error = answer.json()["error"]
            assert (error["message"] if route == "openai" else error).endswith(".")
            assert ("retry-after" in answer.headers) == (status in (429, 503))
        assert len(site.vendor.asked) == before


# -- read by somebody else -----------------------------------------------------------------------


@given(PIECES | st.just(["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n", "\n\nid: x\ndata: y"]))
def test_any_text_is_read_alike_by_both_readers(pieces: list[str]) -> None:
    for name in NUMBERED:
        told, row = Story((*map(TextDelta, pieces), TurnFinished("end"))), ROWS[name]
        dialect: Any = row if isinstance(row, dialects.Dialect) else row(told)
        body = dialect.opening + b"".join(
            dialect.write(frame, f"RUN/{number}") + dialect.heartbeat
            for entry in told.entries
            for number, frame in dialect.of(entry.seq, entry.event, told.transcript)
        )
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
        read = [each for each in httpx_sse.EventSource(response).iter_sse() if each.data]
        theirs = [(each.event, each.data, each.id) for each in read]
        ours = [(each.event, each.data, each.id) for each in sse_reader.read(body).messages]
        assert theirs == ours
