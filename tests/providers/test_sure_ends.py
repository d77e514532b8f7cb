"""A server that neither says `[DONE]` nor closes: what ends a reply of Chat Completions, and what does not.

Some servers say “stop” in every chunk, so a reason that comes with the first words ends nothing by itself.
"""

import asyncio
import json
import math
from contextlib import aclosing
from typing import Any

import pytest

from chat import errors
from chat.deadlines import loaded, watched
from chat.events import Notice, ReplyEvent, ReplyFinished, TextDelta, ToolCallDelta, ToolCallStarted, Usage
from chat.messages import Request, User
from chat.models import Model
from chat.providers import chat_reading
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import Vendor
from chat.settings import Deadlines
from tests.providers.play import Stage

VENDOR = Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY")
ASK = Request(Model("any", "m-1"), (User("?"),))
STAGE = Stage.of(lambda clients: OpenAIChat(VENDOR, "sk-chat-0123456789", clients))
SOON_S = 0.15
"""Seconds of silence that are an error here; more than is waited for usage."""
Chunk = dict[str, Any]


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_reading, "USAGE_WAIT", 0.05)
    monkeypatch.setattr(chat_reading, "EARLY_WAIT", 1_000)


def says(reason: str | None = None, **delta: Any) -> Chunk:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def call(
    arguments: Any = '{"city":"Ulm"}', reason: str | None = None, index: int = 0, name: str | None = "weather"
) -> Chunk:
    function = {"name": name, "arguments": arguments}
    return says(reason, tool_calls=[{"index": index, "id": f"c{index}", "function": function}])


COUNTED = {"prompt_tokens": 3, "completion_tokens": 4}
USAGE: Chunk = {"choices": [], "usage": COUNTED}


def body(*chunks: Chunk) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)


async def held(*chunks: Chunk) -> list[ReplyEvent]:
    """The events of a reply whose socket stays open, and silent, behind `chunks`."""
    async with asyncio.timeout(5):
        events, fault = await STAGE.play(body(*chunks), ASK, held=True)
    assert fault is None
    assert STAGE.body is not None
    assert STAGE.body.closed.is_set()
    return events


@pytest.mark.parametrize(
    "usage",
    [
        USAGE,
        {"choices": None, "usage": COUNTED},
        {"usage": COUNTED},
        {"choices": [], "x_groq": {"usage": COUNTED}},
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length", "brand_new"])
async def test_usage_of_its_own_behind_the_reason_ends_a_reply(reason: str, usage: Chunk) -> None:
    counted = Usage(3, 4)
    events = await held(says(reason, content="All of it."), usage)
    assert events[:2] == [TextDelta("All of it."), counted]
    stop = {"stop": "end", "length": "length"}.get(reason, "other")
    assert events[-1] == ReplyFinished(stop, counted)  # pyright: ignore[reportArgumentType]
    assert [e.code for e in events if isinstance(e, Notice)] == (["ended"] if stop == "other" else [])


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        ([call(reason="tool_calls")], ['{"city":"Ulm"}']),
        ([call(reason="tool_use")], ['{"city":"Ulm"}']),
        ([call({"city": "Ulm"}, "tool_calls")], ['{"city": "Ulm"}']),
        ([call("{}", "tool_calls")], ["{}"]),
        ([call(reason="stop"), says("tool_calls")], ['{"city":"Ulm"}']),
        ([call(reason="stop"), USAGE], ['{"city":"Ulm"}']),
        ([call('{"city":', "tool_calls"), call('"Ulm"}', "tool_calls", name=None)], ['{"city":', '"Ulm"}']),
        ([call(), call("{}", "tool_calls", index=1)], ['{"city":"Ulm"}', "{}"]),
        ([says("function_call", function_call={"name": "time", "arguments": "{}"})], ["{}"]),
        (
            [
                says(function_call={"name": "weather", "arguments": '{"city":'}),
                says(function_call={"arguments": '"Ulm"}'}),
                says("function_call"),
            ],
            ['{"city":', '"Ulm"}'],
        ),
    ],
)
async def test_whole_calls_with_their_own_reason_end_a_reply(chunks: list[Chunk], calls: list[str]) -> None:
    events = await held(*chunks)
    assert [event.text for event in events if isinstance(event, ToolCallDelta)] == calls
    assert not any(isinstance(event, Notice) for event in events)
    assert isinstance(events[-1], ReplyFinished)
    assert events[-1].stop == "tool_use"


async def stalls(*chunks: Chunk) -> list[ReplyEvent]:
    """The events of a reply whose silence behind `chunks` is none of its end."""
    heard: list[ReplyEvent] = []

    await loaded(STAGE.provider, Deadlines(), math.inf)

    async def listen() -> None:
        STAGE.pieces, STAGE.held = [body(*chunks)], True
        async with aclosing(STAGE.provider.stream(ASK)) as stream:
            async for event in watched(stream, Deadlines(first=4 * SOON_S, idle=SOON_S), math.inf, "Any"):
                heard.append(event)  # noqa: PERF401 - what came before a failure is kept

    with pytest.raises(errors.Stalled):
        await listen()
    return heard


@pytest.mark.parametrize(
    "chunks",
    [
        [says("stop", content="At ")],
        [says("stop", content="At ") | {"usage": COUNTED}],
        [says("stop", content="At ") | {"usage": COUNTED}] * 3,
        [says("stop", content="At "), says("stop") | {"usage": COUNTED}],
        [says("stop", content="At "), {"choices": [], "usage": None}],
        [says("stop", content="At "), {"choices": []}],
        [USAGE, says("stop", content="At ")],
        [says("stop"), USAGE],
        [says("tool_calls", content="At ")],
        [call('{"city":', "tool_calls")],
        [call("", "tool_calls")],
        [call(reason="tool_calls", name=None)],
        [call(reason="stop")],
        [call('{"city":', "tool_calls"), call("{}", "tool_calls", index=1)],
    ],
)
async def test_nothing_else_ends_a_reply_whose_reason_came_early(chunks: list[Chunk]) -> None:
    assert not any(isinstance(event, ReplyFinished) for event in await stalls(*chunks))


async def test_words_behind_a_sure_end_are_shown_and_it_is_believed_no_more() -> None:
    """Some servers send the figures, or the reason of calls, all the time."""
    at, most = says("stop", content="At "), says("stop", content="most ")
    for chunks in ([at, USAGE, most, USAGE], [at, USAGE, most, USAGE, at], [at, USAGE, most]):
        told = [event.text for event in await stalls(*chunks) if isinstance(event, TextDelta)]
        assert told[:2] == ["At ", "most "]
    calls = [call(reason="tool_calls"), call("{}", "tool_calls", index=1)]
    await stalls(*calls)
    events, fault = await STAGE.play(body(*calls), ASK)
    assert fault is None
    assert [event.id for event in events if isinstance(event, ToolCallStarted)] == ["c0", "c1"]
    events, fault = await STAGE.play(body(at, USAGE, most, USAGE, at), ASK)
    assert fault is None
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["At ", "most ", "At "]


async def test_a_break_behind_a_sure_end_is_none() -> None:
    broken = b'data: {"choices": [{"ind\n\n'
    for chunks in ([says("stop", content="Two."), USAGE], [call(reason="tool_calls")]):
        events, fault = await STAGE.play(body(*chunks) + broken, ASK)
        assert fault is None
        assert isinstance(events[-1], ReplyFinished)
