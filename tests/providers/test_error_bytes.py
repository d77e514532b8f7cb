"""Given an error body made to cost memory, time or patience, its beginning is read, and the status told."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx2
import pytest

from chat import errors
from chat.errors import Fault
from chat.messages import Request, User
from chat.models import Model
from chat.providers import error_bytes, faults
from chat.providers.clients import Clients
from chat.providers.faults import Call
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import Vendor
from chat.public import Public

VENDOR = Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY")
LONG = json.dumps({"error": {"message": "Slow down.", "echo": "x" * 5_000_000}}).encode()


class Drops(httpx2.AsyncByteStream):
    """Pieces; how many were asked for."""

    def __init__(self, piece: bytes, count: int, hangs: bool = False, breaks: bool = False) -> None:
        self.piece, self.count, self.hangs, self.breaks = piece, count, hangs, breaks
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.given < self.count:
            self.given += 1
            yield self.piece
        if self.hangs:
            await asyncio.Event().wait()
        if self.breaks:
            raise httpx2.ReadError("gone")


async def refused(status: int, stream: httpx2.AsyncByteStream | bytes, **headers: str) -> Fault:
    def answer(_: httpx2.Request) -> httpx2.Response:
        if isinstance(stream, bytes):
            return httpx2.Response(status, headers=headers, content=stream)
        return httpx2.Response(status, headers=headers, stream=stream)

    clients = Clients(transport=httpx2.MockTransport(answer))
    asked = OpenAIChat(VENDOR, "k" * 16, clients).stream(Request(Model("any", "m-1"), (User("?"),)))
    try:
        async with aclosing(asked) as events:
            async for _ in events:
                pass
    except Fault as fault:
        return fault
    finally:
        await clients.aclose()
    raise AssertionError("it was not refused")


async def test_no_more_is_read_than_tells_the_reason() -> None:
    body = Drops(b'{"error": {"message": "Slow down."}, "echo": "' + b"x" * 10_000, 1000)
    fault = await refused(429, body)
    assert type(fault) is errors.RateLimited
    assert "Slow down." in fault.message
    assert body.given <= 2 * error_bytes.LONGEST_BYTES / 10_000 + 1


async def test_the_reason_is_kept_where_the_rest_is_cut_off() -> None:
    fault = await refused(429, LONG)
    assert "“Slow down.”" in fault.message


async def test_what_is_compressed_a_thousandfold() -> None:
    body = gzip.compress(b'{"message": "No."' + b" " * 50_000_000)
    fault = await refused(400, Drops(body, 1), **{"content-encoding": "gzip"})
    assert type(fault) is errors.BadRequest
    assert "“No.”" in fault.message


async def test_a_body_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_bytes, "TIMEOUT_S", 0.01)
    fault = await refused(401, Drops(b"No ", 3, hangs=True))
    assert type(fault) is errors.Auth


@pytest.mark.parametrize("piece", [b'{"message": "Too busy."}', b""])
async def test_a_body_that_breaks_off(piece: bytes) -> None:
    fault = await refused(503, Drops(piece, 1, breaks=True))
    assert type(fault) is errors.Overloaded


async def test_what_only_says_that_it_is_compressed() -> None:
    assert type(await refused(503, Drops(b"plain", 1), **{"content-encoding": "gzip"})) is errors.Overloaded


HOSTILE = [
    *(
        "a",
        "<",
        "</a",
        "[",
        "{",
        '{"a":',
        '"',
        "\\",
        "1,",
        "1 ",
        "9",
        "a.b.",
        "a:",
        "/a",
        "::",
        "_",
        "A_",
        "http://",
    ),
    *(
        "no ",
        "tool ",
        "tools not ",
        "not support ",
        "model ",
        "token ",
        "context ",
        "tokens > ",
        "prompt exceeds ",
    ),
    *(
        "try again in ",
        "retry 1s ",
        "role ",
        "system ",
        "max_tokens ",
        "data: ",
        "data:{}\n",
        "\u200b",
        "\n",
        "余额 ",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_body_costs_no_more_the_longer_it_is(unit: str) -> None:
    """On a quiet machine 5 to 40 ms each; 30 s for one of 5 MB before it was cut."""
    sent = frozenset(("model", "messages", "tools", "temperature", "stream_options"))
    call, public = Call(VENDOR, "k" * 16, sent, "m-1", system=True), Public(("http://box.lan:1/v1",))
    took = dict[int, float]()
    for length in (10_000, 100_000, 1_000_000, 5_000_000):
        text = (unit * (length // len(unit) + 1))[:length]
        bodies = (text.encode(), json.dumps({"error": {"message": text, "code": text}}).encode())
        began = time.thread_time()
        for body in bodies:
            public.text(faults.answered(400, {"x-note": "y"}, body, call).message)
        took[length] = time.thread_time() - began
    assert min(took[1_000_000], took[5_000_000]) < 0.25 + 4 * took[10_000], took
