"""What a server makes us keep of a reply has an end, also where nothing of it can be shown."""

import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

import httpx2
import pytest

from chat.allowance import Allowance
from chat.errors import Fault
from chat.messages import Request, User
from chat.models import Model
from chat.providers.clients import Clients
from chat.providers.vendors import Speaks, Vendor
from tests.providers.test_odd_values import SPEAKERS

MOST_KEPT = 24_000_000
"""Bytes, with what has come and waits to be read."""
LONG = "a word of many, " * 1000
DEEP = "[[" * 8000


def chat(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def call(index: int = 0, **function: Any) -> dict[str, Any]:
    return chat(tool_calls=[{"index": index, "id": f"c{index}", "function": function}])


def block(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def item(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


CHAT: Speaks = "openai_chat"
RESPONSES: Speaks = "openai_responses"
MESSAGES: Speaks = "anthropic_messages"
FLOODS: dict[str, tuple[Speaks, int, Callable[[int], dict[str, Any]]]] = {
    "equal arguments": (CHAT, 4_000, lambda n: call(name="x", arguments=DEEP)),
    "arguments that grow": (
        CHAT,
        2_000,
        lambda n: call(name="x", arguments='{"a": "' + "b" * 20 * n),
    ),
    "arguments behind nothing": (
        CHAT,
        4_000,
        lambda n: call(name="x", arguments=LONG if n else "{}"),
    ),
    "arguments of no name": (CHAT, 4_000, lambda n: call(arguments=LONG)),
    "an unknown field": (CHAT, 4_000, lambda n: chat(content="a", thought_sign=LONG)),
    "an unknown list": (CHAT, 4_000, lambda n: chat(content="a", signs=[LONG])),
    "many unknown fields": (CHAT, 4_000, lambda n: chat(content="a", **{f"sign_{n}": LONG})),
    "unknown fields of a call": (
        CHAT,
        4_000,
        lambda n: chat(tool_calls=[{"index": 0, "id": "c", f"sign_{n}": LONG, "function": {"name": "x"}}]),
    ),
    "encrypted details": (
        CHAT,
        4_000,
        lambda n: chat(reasoning_details=[{"data": LONG, "type": "a"}]),
    ),
    "arguments of no name beside a text": (
        CHAT,
        4_000,
        lambda n: chat(content="a", tool_calls=[{"index": 0, "function": {"arguments": LONG}}]),
    ),
    "calls of no name beside a text": (
        CHAT,
        300,
        lambda n: chat(content="a", tool_calls=[{"index": 200 * n + i} for i in range(200)]),
    ),
    "ids of one call beside a text": (
        CHAT,
        4_000,
        lambda n: chat(content="a", tool_calls=[{"index": 0, "id": f"{n}{LONG}"}]),
    ),
    "calls without an end": (CHAT, 40_000, lambda n: call(n, name="x", arguments="{}")),
    "nothing": (CHAT, 4_000, lambda n: {"nothing": LONG}),
    "blocks": (MESSAGES, 40_000, lambda n: block(n, type="text_delta", text="a")),
    "inputs": (
        MESSAGES,
        4_000,
        lambda n: block(0, type="input_json_delta", partial_json=DEEP),
    ),
    "compaction": (MESSAGES, 4_000, lambda n: block(0, type="compaction_delta", content=LONG)),
    "signatures": (
        MESSAGES,
        4_000,
        lambda n: block(0, type="signature_delta", signature=f"{n}{LONG}"),
    ),
    "beginnings": (
        MESSAGES,
        40_000,
        lambda n: {"type": "content_block_start", "index": n, "content_block": {"type": "tool_use"}},
    ),
    "beginnings with much beside": (
        MESSAGES,
        4_000,
        lambda n: {
            "type": "content_block_start",
            "index": n,
            "content_block": {"type": "tool_use", "id": f"c{n}", "name": "x", "sign": LONG},
        },
    ),
    "beginnings with inputs": (
        MESSAGES,
        4_000,
        lambda n: {
            "type": "content_block_start",
            "index": n,
            "content_block": {"type": "tool_use", "id": f"c{n}", "name": "x", "input": {"a": LONG}},
        },
    ),
    "items": (
        RESPONSES,
        40_000,
        lambda n: item("output_text.delta", item_id=f"i{n}", output_index=n, content_index=0, delta="a"),
    ),
    "texts of one item": (
        RESPONSES,
        40_000,
        lambda n: item("output_text.delta", item_id="i", output_index=0, content_index=n, delta="a"),
    ),
    "a text behind a gap": (
        RESPONSES,
        4_000,
        lambda n: item("output_text.delta", item_id="i", output_index=0, content_index=0, delta=n and LONG),
    ),
    "arguments of no item": (
        RESPONSES,
        4_000,
        lambda n: item("function_call_arguments.delta", item_id="i", output_index=0, delta=LONG),
    ),
    "items that are done": (
        RESPONSES,
        4_000,
        lambda n: item("output_item.done", output_index=n, item={"type": "secret", "id": f"i{n}", "a": LONG}),
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_it_has_an_end(flood: str) -> None:
    protocol, count, made = FLOODS[flood]
    given = 0

    class Body(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal given
            for given in range(count):
                yield b"data: " + json.dumps(made(given)).encode() + b"\n\n"

    async def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    vendor = Vendor("any", "Any", (protocol,), "https://api.invalid/v1", "ANY_API_KEY")
    clients = Clients(transport=httpx2.MockTransport(answer))
    provider = SPEAKERS[protocol](vendor, "key-0123456789", clients)
    allowance = Allowance()
    request = Request(Model("any", "any"), (User("Hello"),))
    await clients.openai(vendor, "key-0123456789")
    await clients.anthropic(vendor, "key-0123456789")
    tracemalloc.start()
    try:
        async with aclosing(provider.stream(request)) as events:
            with suppress(Fault):
                async for event in events:
                    assert allowance.take(event) or True
                    if allowance.spent:
                        break
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await clients.aclose()
    assert most < MOST_KEPT, f"{most / 1e6:.0f} MB after {given} events"
