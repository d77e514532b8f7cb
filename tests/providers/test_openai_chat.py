"""Given this wire of Chat Completions, these events; given this request, this body."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import errors
from chat.deadlines import watched
from chat.errors import Fault
from chat.events import (
    Citation,
    KeepAlive,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Raw, Request, Text, ToolCall, ToolResult, ToolResults, ToolSpec, User
from chat.models import Model
from chat.providers import chat_reading
from chat.providers import wire as wire_module
from chat.providers.chat_reading import Chunks
from chat.providers.faults import Call
from chat.providers.openai_chat import OpenAIChat, body
from chat.providers.vendors import VENDORS, Vendor
from chat.settings import Deadlines
from tests.providers.play import WIRE, Body, Stage, cut, wire

KEY = "sk-chat-0123456789"
VENDOR = Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY")
ASK = Request(Model("any", "m-1"), (User("?"),))
STAGE = Stage.of(lambda clients: OpenAIChat(VENDOR, KEY, clients))


@pytest.fixture(autouse=True)
def _stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_reading, "USAGE_WAIT", 0.05)
    monkeypatch.setattr(chat_reading, "EARLY_WAIT", 0.1)
    STAGE.held, STAGE.type, STAGE.status = False, "text/event-stream", 200


def T(text: str) -> TextDelta:
    return TextDelta(text)


def H(text: str) -> ThinkingDelta:
    return ThinkingDelta(text)


def C(id: str, name: str, *arguments: str) -> list[ReplyEvent]:
    return [ToolCallStarted(id, name), *(ToolCallDelta(id, piece) for piece in arguments)]


def BACK(calls: dict[str, Any] | None = None, **fields: Any) -> Opaque:
    """What goes back to the vendor with the results of the calls."""
    return Opaque({"type": "message_fields", "vendor": "any", "fields": fields, "calls": calls or {}})


def end(stop: Stop = "end", usage: Usage | None = None) -> ReplyFinished:
    return ReplyFinished(stop, usage)


SMALL = Usage(7, 5)
WEATHER, TIME = '{"city":"Ulm"}', "{}"
UNSAID = Notice("end_without_reason", "Any did not say why the answer ended. It may not be complete.")
NOT_MARKED = Notice(
    "thinking_not_marked",
    "Above the line stands the model’s thinking: its server did not mark where it begins.",
)
Told = tuple[list[ReplyEvent], type[Fault] | None]

# The wire's file name, without `chat_`: the events without the opening and keep-alives, and the failure.
TOLD: dict[str, Told] = {
    "text": (
        [T("Grüß"), T(" dich 🚲"), Usage(7, 5, 4, 0), end("end", Usage(7, 5, 4, 0))],
        None,
    ),
    "parallel_calls": (
        [*C("call_a", "weather", '{"city":', '"Ulm"}'), *C("call_b", "time", "{}"), end("tool_use")],
        None,
    ),
    "calls_without_index": (
        [*C("aaaaaaaaa", "weather", '{"city": "Ulm"}'), *C("bbbbbbbbb", "time", "{}"), end("tool_use")],
        None,
    ),
    "calls_without_index_in_pieces": (
        [
            *C("aaaaaaaaa", "weather", '{"city":', ' "Ulm"}'),
            *C("bbbbbbbbb", "time", "{", "}"),
            end("tool_use"),
        ],
        None,
    ),
    "calls_all_with_index_zero": (
        [*C("call_a", "weather", WEATHER), *C("call_b", "weather", '{"city":', '"Bonn"}'), end("tool_use")],
        None,
    ),
    "call_id_and_name_in_each_delta": (
        [*C("call_a", "weather", '{"city":', '"Ulm"', "}"), end("tool_use")],
        None,
    ),
    "call_ids_empty": (
        [*C("call_a", "weather", WEATHER), *C("call_2", "time", "{}"), end("tool_use")],
        None,
    ),
    "call_arguments_null": ([*C("call_a", "time"), end("tool_use")], None),
    "call_in_one_chunk_then_stop": ([*C("call_a", "time", '{"zone":"UTC"}'), end("tool_use")], None),
    "calls_with_the_same_id": (
        [
            *C("0", "time"),
            *C("0_2", "weather"),
            ToolCallDelta("0", "{}"),
            ToolCallDelta("0_2", "{}"),
            end("tool_use"),
        ],
        None,
    ),
    "call_name_in_pieces": ([*C("call_a", "get_weather", "{}"), end("tool_use")], None),
    "call_arguments_as_object": ([*C("call_a", "weather", '{"city": "Ulm"}'), end("tool_use")], None),
    "call_in_the_old_form": ([*C("call_1", "weather", "{}"), end("tool_use")], None),
    "thinking_in_reasoning_content": (
        [H("Let me"), H(" see."), T("Yes."), Usage(7, 9, 3, 4), end("end", Usage(7, 9, 3, 4))],
        None,
    ),
    "thinking_under_two_names": ([H("Let me"), H(" see."), T("Yes."), end()], None),
    "thinking_in_content_parts": ([H("Let me"), H(" see."), T("Yes"), T("."), end()], None),
    "thinking_in_details_signed": (
        [
            H("Let me"),
            H(" see."),
            *C("call_a", "time", "{}"),
            BACK(
                reasoning_details=[
                    {
                        "type": "reasoning.text",
                        "text": "Let me see.",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                        "signature": "c2ln",
                    }
                ],
            ),
            end("tool_use"),
        ],
        None,
    ),
    "thinking_encrypted": ([H("In short"), T("Yes."), end()], None),
    "thinking_in_tags_cut": (
        [H("Let me"), H(" see: "), H("`</think>` is a tag."), T("Y"), T("es: <think>"), end()],
        None,
    ),
    "thinking_tags_in_code": (
        [T("`<th"), T("ink>` opens"), T("\n```\n<think>x</think>\n```"), end()],
        None,
    ),
    "thinking_in_tags_never_closed": ([H("Let me"), H("</th"), end("length")], None),
    "content_null_and_empty_and_role_repeated": ([T("Yes"), T("."), end()], None),
    "finish_reason_twice": (
        [T("Yes."), Usage(7, 5, cost=0.0015), end("end", Usage(7, 5, cost=0.0015))],
        None,
    ),
    "finish_reason_in_each_chunk": ([T("Ye"), T("s."), end()], None),
    "finish_without_usage_and_done": ([T("Yes."), end()], None),
    "last_event_undispatched": ([T("Yes."), end()], None),
    "done_without_finish": ([T("Yes."), UNSAID, end()], None),
    "done_without_finish_with_call": ([*C("call_a", "time", "{}"), end("tool_use")], None),
    "cut_off": ([T("Half of"), T(" it")], errors.CutOff),
    "cut_off_in_an_event": ([T("Half of")], errors.CutOff),
    "error_midway": ([T("Half")], errors.RateLimited),
    "error_event": ([T("Half")], errors.Server),
    "error_as_finish_reason": ([T("Half"), Usage(7, 1)], errors.Server),
    "overloaded_midway": ([T("Half")], errors.Overloaded),
    "too_busy_to_finish": ([T("Half")], errors.Overloaded),
    "context_full": ([], errors.TooLong),
    "comments_pings_and_empty_data": ([T("Yes."), end()], None),
    "crlf_and_usage_in_x_groq": ([T("Yes."), SMALL, end("end", SMALL)], None),
    "usage_in_each_chunk": (
        [T("a"), Usage(7, 1), T("b"), Usage(7, 2), end("end", Usage(7, 2))],
        None,
    ),
    "usage_leaves_thinking_out": (
        [H("Hm"), T("Yes."), Usage(7, 25, 6, 20, 0.0015), end("end", Usage(7, 25, 6, 20, 0.0015))],
        None,
    ),
    "refusal": ([T("I cannot"), T(" help."), end("refusal")], None),
    "length": ([T("And so on and"), end("length")], None),
    "filtered": ([T("Half"), end("filter")], None),
    "citations_in_each_chunk": (
        [
            T("Yes"),
            Citation("One", "https://a.test/1"),
            Citation("https://a.test/2", "https://a.test/2"),
            T("."),
            end(),
        ],
        None,
    ),
    "citations_as_annotations": ([T("Yes."), Citation("One", "https://a.test/1"), end()], None),
    "two_choices": ([T("Yes"), end()], None),
    "provider_tools": (
        [
            ToolCallStarted("executed_0", "search", "provider"),
            ToolCallDelta("executed_0", '{"query":"ulm"}'),
            Citation("Ulm", "https://a.test/ulm"),
            T("Yes."),
            end(),
        ],
        None,
    ),
    "choices_missing_or_null": ([T("Yes."), end()], None),
    "old_completions": ([T("Yes"), T("."), end()], None),
    "broken_json": ([T("Half")], errors.Malformed),
    "broken_utf8": ([T("Half")], errors.Malformed),
    "error_under_a_field_of_its_own": ([T("Half")], errors.Overloaded),
    "error_as_bare_json": ([T("Half")], errors.Overloaded),
    "error_in_a_list": ([T("Half")], errors.RateLimited),
    "error_as_text": ([T("Half")], errors.Server),
    "error_event_without_data": ([T("Half")], errors.Server),
    "error_in_a_choice": ([T("Half")], errors.Server),
    "error_as_a_detail": ([T("Half")], errors.Server),
    "web_page_midway": ([T("Half")], errors.Malformed),
    "question_blocked": ([end("filter")], None),
    "finish_reason_null_as_text": ([T("Ha"), T("lf"), end("length")], None),
    "finish_reason_of_gemini": ([T("Half"), end("filter")], None),
    "finish_reason_unknown": (
        [
            T("Half"),
            Notice("ended", "Any ended the answer with the reason “brand_new”. It may not be complete."),
            end("other"),
        ],
        None,
    ),
    "finish_reason_too_soon": ([T("Ha"), T("lf"), end("length")], None),
    "finish_reason_native": ([T("Half"), end("length")], None),
    "filter_in_the_results": ([T("Half"), end("filter")], None),
    "call_that_was_not_read": ([T("One moment.")], errors.Server),
    "last_event_without_its_blank_line": ([T("Yes."), end()], None),
    "last_event_not_whole": ([T("Yes.")], errors.CutOff),
    "events_without_blank_lines": ([T("Yes"), T("."), end()], None),
    "character_in_two_deltas": ([T("Ride "), T("🚲 home"), end()], None),
    "text_so_far_in_each_delta": ([T("Valve"), T(" 12 takes pump"), T(" B."), end()], None),
    "text_once_more_at_the_end": ([T("Valve"), T(" 12"), T(" takes"), T(" B."), end()], None),
    "message_beside_the_delta": ([T("Pump"), T(" B"), T(" fits."), end()], None),
    "arguments_once_more": ([*C("call_a", "time", '{"zone":', '"UTC"}'), end("tool_use")], None),
    "arguments_behind_an_empty_object": ([*C("call_a", "time", '{"zone":"UTC"}'), end("tool_use")], None),
    "call_signed": (
        [
            H("Hm."),
            *C("call_a", "time", "{}"),
            BACK(
                {"call_a": {"extra_content": {"google": {"thought_signature": "c2ln"}}}},
                reasoning_content="Hm.",
                state={"turn": 1},
            ),
            end("tool_use"),
        ],
        None,
    ),
    "call_whose_index_comes_late": ([*C("call_a", "time", "{}"), end("tool_use")], None),
    "call_whose_name_comes_late": ([*C("call_a", "time", '{"zone":', '"UTC"}'), end("tool_use")], None),
    "half_a_surrogate": ([T("🚲 "), T("\ufffd"), end()], None),
}


@pytest.mark.parametrize("name", TOLD)
async def test_wire_to_events(name: str) -> None:
    events, fault = await STAGE.play(wire(f"chat_{name}"), ASK)
    assert (events, fault and type(fault)) == TOLD[name]


async def test_thinking_that_only_ends_is_told_by_what_has_arrived_with_it() -> None:
    body = wire("chat_thinking_closed_only")
    assert await STAGE.play(body, ASK) == ([H("It is small.\n"), T("Pump B."), end()], None)
    first, rest = body.split(b"\n\n", 1)
    events, _ = await STAGE.play([first + b"\n\n", rest], ASK)
    assert events == [T("It is small.\n"), T("\n\n---\n\nPump B."), NOT_MARKED, end()]


def each_says(reason: str, *words: str) -> bytes:
    """Chunks that all say `reason`."""
    chunks = ({"choices": [{"index": 0, "delta": {"content": w}, "finish_reason": reason}]} for w in words)
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)


@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_a_break_is_one_where_each_chunk_says_that_it_ends(
    reason: str,
) -> None:
    broken = b'data: {"choices": [{"ind\n\n'
    events, fault = await STAGE.play(each_says(reason, "At ", "most ") + broken, ASK)
    assert events == [T("At "), T("most ")]
    assert isinstance(fault, errors.Malformed)
    # One that is told once, behind the words, is still the end of them.
    last = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    words = b'data: {"choices": [{"index": 0, "delta": {"content": "Two."}, "finish_reason": null}]}\n\n'
    assert await STAGE.play(words + last + broken, ASK) == ([T("Two."), end()], None)


async def test_an_end_that_only_the_end_of_the_stream_tells_is_told_as_unsure() -> None:
    words = each_says("stop", "At ", "most ")
    told = Notice("end_without_reason", "Any did not say why the answer ended. It may not be complete.")
    assert await STAGE.play(words, ASK) == ([T("At "), T("most "), told, end()], None)
    assert await STAGE.play(words + b"data: [DONE]\n\n", ASK) == ([T("At "), T("most "), end()], None)
    cut_short = each_says("length", "At ", "most ")
    assert await STAGE.play(cut_short, ASK) == ([T("At "), T("most "), end("length")], None)


@pytest.mark.parametrize("words", [("",), ("At ",), ("At ", "most ")])
async def test_a_pause_is_waited_for_where_each_chunk_says_that_it_ends(words: tuple[str, ...]) -> None:
    heard: list[ReplyEvent] = []

    async def listen() -> None:
        STAGE.pieces, STAGE.held = [each_says("stop", *words)], True
        async with aclosing(STAGE.provider.stream(ASK)) as stream:
            async for event in watched(stream, Deadlines(first=0.3, idle=0.3), math.inf, "Any"):
                heard.append(event)  # noqa: PERF401 - what came before a failure is kept

    with pytest.raises(errors.Stalled):
        await listen()
    assert [event for event in heard if isinstance(event, TextDelta)] == [T(word) for word in words if word]


async def test_what_says_nothing_of_an_answer_is_counted_behind_an_early_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire_module, "MAX_SILENT_BYTES", 2000)
    silent = each_says("stop", *[""] * 100)
    events, fault = await STAGE.play(each_says("stop", "At ", "most ") + silent, ASK)
    assert events == [T("At "), T("most ")]
    assert isinstance(fault, errors.TooLarge)


@given(st.sampled_from(sorted(TOLD)), st.lists(st.integers(0, 10_000), max_size=30))
def test_the_same_however_the_bytes_are_cut(name: str, places: list[int]) -> None:
    events, fault = asyncio.run(STAGE.play(cut(wire(f"chat_{name}"), places), ASK))
    assert (events, fault and type(fault)) == TOLD[name]


def test_every_wire_is_played() -> None:
    assert {path.stem.removeprefix("chat_") for path in WIRE.glob("chat_*.sse")} == {
        *TOLD,
        "thinking_closed_only",
    }


# -- the opening, the end, the wire -------------------------------------------------------------


async def test_opening_and_keepalives_are_told() -> None:
    STAGE.pieces = [wire("chat_comments_pings_and_empty_data")]
    async with aclosing(STAGE.provider.stream(ASK)) as stream:
        events = [event async for event in stream]
    assert events[:4] == [
        RequestSent("https://api.any.test/v1/chat/completions", body(ASK, VENDOR)),
        ResponseOpened(200),
        KeepAlive(),
        KeepAlive(),
    ]


async def test_what_comes_after_done_is_not_read() -> None:
    text = wire("chat_text") + wire("chat_error_midway")
    assert await STAGE.play(text, ASK) == TOLD["text"]


@pytest.mark.parametrize("name", ["finish_without_usage_and_done", "done_without_finish", "text"])
async def test_a_held_socket_does_not_hold_the_end(name: str) -> None:
    assert await STAGE.play(wire(f"chat_{name}"), ASK, held=True) == TOLD[name]
    assert STAGE.body is not None
    assert STAGE.body.closed.is_set()


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_the_wire_is_freed_at_once(how: str) -> None:
    STAGE.pieces, STAGE.held = [wire("chat_cut_off")], True
    stream = STAGE.provider.stream(ASK)
    assert [await anext(stream) for _ in range(4)][2:] == TOLD["cut_off"][0]
    assert STAGE.body is not None
    assert not STAGE.body.closed.is_set()
    if how == "close":
        await stream.aclose()
    else:
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(0.1):
        await STAGE.body.closed.wait()


@pytest.mark.parametrize("error", [httpx2.ReadError("reset"), httpx2.RemoteProtocolError("incomplete")])
@pytest.mark.parametrize("name", ["cut_off", "finish_without_usage_and_done"])
async def test_a_reset_counts_only_before_the_end_was_said(
    name: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reset(self: Body) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        raise error

    monkeypatch.setattr(Body, "__aiter__", reset)
    events, fault = await STAGE.play(wire(f"chat_{name}"), ASK)
    assert (events, fault and type(fault)) == TOLD[name]


# -- answers in one piece, and answers that are none --------------------------------------------

WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "<think>\nHm</think>\n\nYes.",
                "reasoning_content": "Let me see.",
                "tool_calls": [
                    {"id": "call_a", "type": "function", "function": {"name": "time", "arguments": "{}"}}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("type", ["application/json", "text/event-stream", "text/plain"])
async def test_a_whole_completion(stream: bool, type: str) -> None:
    pieces = cut(json.dumps(WHOLE).encode(), range(0, 900, 7))
    events, fault = await STAGE.play(pieces, replace(ASK, stream=stream), type=type)
    assert STAGE.sent["stream"] is stream
    assert fault is None
    assert events == [
        H("Let me see."),
        H("Hm"),
        T("Yes."),
        ToolCallStarted("call_a", "time"),
        SMALL,
        ToolCallDelta("call_a", "{}"),
        BACK(reasoning_content="Let me see."),
        end("tool_use", SMALL),
    ]


@pytest.mark.parametrize(
    ("said", "mime", "kind", "words"),
    [
        (
            '{"error": {"message": "No such key", "code": 401}}',
            "application/json",
            errors.Auth,
            "ANY_API_KEY",
        ),
        ('[{"error": {"message": "Quota", "code": 429}}]', "application/json", errors.RateLimited, "Quota"),
        ('{"error": "model overloaded"}', "text/event-stream", errors.Overloaded, "too busy"),
        ('{"detail": "Not Found"}', "application/json", errors.Malformed, "Not Found"),
        ('{"choices": null}', "application/json", errors.Malformed, "no answer"),
        ('{"choices": [{"message"', "application/json", errors.Malformed, "part of it"),
        ("<!doctype html><p>Sign in", "text/html", errors.Malformed, "web page"),
        ("\n <html>Sign in</html>", "text/event-stream", errors.Malformed, "address"),
        ("upstream connect error", "text/plain", errors.Malformed, "neither"),
        ("", "text/event-stream", errors.Empty, "nothing"),
        ("", "application/json", errors.Empty, "nothing"),
        (": ping\n\n", "text/event-stream", errors.CutOff, "broke off"),
    ],
)
async def test_a_200_that_is_no_answer(said: str, mime: str, kind: type[Fault], words: str) -> None:
    events, fault = await STAGE.play(said.encode(), ASK, type=mime)
    assert events == []
    assert type(fault) is kind
    assert fault is not None
    assert words in fault.whole
    assert "<" not in fault.whole


async def test_one_giant_event() -> None:
    start = wire("chat_cut_off")
    pieces = [start, *[b'data: {"choices":"' + b"x" * 1_000_000] * 10]
    events, fault = await STAGE.play(pieces, ASK)
    assert events == TOLD["cut_off"][0]
    assert type(fault) is errors.TooLarge


NAMES = [
    "choices",
    "index",
    "delta",
    "message",
    "content",
    "text",
    "type",
    "thinking",
    "reasoning",
    "reasoning_content",
    "refusal",
    "reasoning_details",
    "data",
    "signature",
    "tool_calls",
    "function_call",
    "id",
    "name",
    "arguments",
    "function",
    "finish_reason",
    "usage",
    "x_groq",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "citations",
    "url",
    "title",
    "annotations",
    "url_citation",
    "executed_tools",
    "search_results",
    "results",
    "error",
    "code",
]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-1, 600)
        | st.sampled_from(["", "x", "error", "stop", "<think>"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(NAMES),
                inner,
                max_size=5,
            )
        ),
        max_leaves=40,
    )
)
def test_no_json_makes_it_stumble(value: Any) -> None:
    chunks = Chunks(Call(VENDOR))
    for chunk in (value, {"choices": value}, {"choices": [value]}, {"choices": [{"delta": value}]}):
        if isinstance(chunk, dict):
            chunks.read(chunk)
    chunks.end()
    assert chunks.stop


@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from([b"data: ", b"{", b"}", b"\n", b"[]", b"[DONE]", b'"error":', b"1"])
    )
)
def test_no_bytes_make_it_stumble(pieces: list[bytes]) -> None:
    _, fault = asyncio.run(STAGE.play(pieces, ASK))
    assert fault is None or fault.message.isprintable()


# -- what is sent ---------------------------------------------------------------------------------

TOOL = ToolSpec("time", "The time.", {"type": "object", "properties": {}})
MISTRAL = next(vendor for vendor in VENDORS if vendor.name == "mistral")
DEEPSEEK = next(vendor for vendor in VENDORS if vendor.name == "deepseek")
OPENAI = next(vendor for vendor in VENDORS if vendor.name == "openai")


def test_unset_means_not_sent() -> None:
    assert body(ASK, VENDOR) == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert body(replace(ASK, stream=False), VENDOR).keys() == {"model", "messages", "stream"}


async def test_what_is_set_arrives() -> None:
    request = replace(ASK, system="Be brief.", temperature=0, max_tokens=50, effort="low", tools=(TOOL,))
    await STAGE.play(wire("chat_text"), request)
    assert STAGE.sent == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": 50,
        "reasoning_effort": "low",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "time",
                    "description": "The time.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
    }
    assert STAGE.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("vendor", "omit", "name"),
    [
        (VENDOR, [], "max_tokens"),
        (OPENAI, [], "max_completion_tokens"),
        (VENDOR, ["max_tokens"], "max_completion_tokens"),
        (OPENAI, ["max_completion_tokens"], "max_tokens"),
        (OPENAI, ["max_completion_tokens", "max_tokens"], None),
    ],
)
def test_the_output_limit_goes_by_the_name_that_is_taken(
    vendor: Vendor, omit: list[str], name: str | None
) -> None:
    made = body(replace(ASK, max_tokens=50, omit=frozenset(omit)), vendor)
    assert {key for key in made if key.startswith("max_")} == ({name} if name else set())


def test_what_was_refused_is_left_out_but_never_the_question() -> None:
    asked = replace(ASK, temperature=1, effort="low", tools=(TOOL,))
    omit = frozenset(("temperature", "reasoning_effort", "stream_options", "tools", "messages", "model"))
    assert body(replace(asked, omit=omit), VENDOR).keys() == {"model", "messages", "stream", "tools"}
    whole = body(replace(asked, omit=frozenset(("stream",))), VENDOR)
    assert whole["stream"] is False
    assert "stream_options" not in whole


ROUNDS = (
    User("Time?"),
    Assistant(
        (
            Raw({"type": "reasoning", "encrypted_content": "of another protocol"}),
            Raw(BACK({"call_a": {"signed": "c2ln"}}, reasoning_details=[{"data": "x"}]).data),
            Text("I look. "),
            ToolCall("call_a", "time", ""),
        )
    ),
    ToolResults((ToolResult("call_a", "time", "12:00"),)),
    Assistant((Raw({"type": "thinking"}),)),
    Assistant((Text("Noon."),)),
    User("Thanks"),
)


def test_a_conversation_with_a_round_of_tools() -> None:
    assert body(replace(ASK, messages=ROUNDS), VENDOR)["messages"] == [
        {"role": "user", "content": "Time?"},
        {
            "role": "assistant",
            "content": "I look. ",
            "tool_calls": [
                {
                    "id": "call_a",
                    "type": "function",
                    "function": {"name": "time", "arguments": "{}"},
                    "signed": "c2ln",
                }
            ],
            "reasoning_details": [{"data": "x"}],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "12:00"},
        {"role": "assistant", "content": "Noon."},
        {"role": "user", "content": "Thanks"},
    ]


def test_thinking_goes_back_to_its_own_vendor_alone() -> None:
    messages = body(replace(ASK, messages=ROUNDS), OPENAI)["messages"]
    assert not [message for message in messages if "reasoning_details" in message]


def test_mistral_takes_ids_of_nine_letters_only() -> None:
    _, asks, told, *_ = body(replace(ASK, messages=ROUNDS), MISTRAL)["messages"]
    assert asks["tool_calls"][0]["id"] == told["tool_call_id"]
    assert told["tool_call_id"].isalnum()
    assert len(told["tool_call_id"]) == 9


async def test_deepseek_gets_its_thinking_back() -> None:
    stage = Stage.of(lambda clients: OpenAIChat(DEEPSEEK, KEY, clients))
    text = wire("chat_thinking_in_reasoning_content").replace(
        b'"content":"Yes."', b'"tool_calls":[{"id":"call_a","function":{"name":"time","arguments":"{}"}}]'
    )
    events, _ = await stage.play(text, ASK)
    opaque = next(event for event in events if isinstance(event, Opaque))
    said = (User("?"), Assistant((Raw(opaque.data), ToolCall("call_a", "time", "{}"))))
    history = (*said, ToolResults((ToolResult("call_a", "time", "12"),)), *ROUNDS)
    _, first, _, _, second, *_ = body(replace(ASK, messages=history), DEEPSEEK)["messages"]
    assert first["reasoning_content"] == "Let me see."
    assert second["reasoning_content"] == ""
    await stage.clients.aclose()


# -- models -----------------------------------------------------------------------------------------


async def models(page: Any) -> list[Model]:
    STAGE.pieces = [page if isinstance(page, bytes) else json.dumps(page).encode()]
    return await STAGE.provider.models()


@pytest.mark.parametrize("wrap", [lambda page: page, lambda page: {"object": "list", "data": page}])
async def test_models_in_any_shape(wrap: Any) -> None:
    found = await models(wrap([{"id": "m-1"}, {"id": None}, "m-2", {"id": "m-3", "name": "Third"}]))
    assert found == [Model("any", "m-1"), Model("any", "m-2"), Model("any", "m-3", title="Third")]


async def test_no_models_at_all() -> None:
    assert await models({"data": None}) == []


@pytest.mark.parametrize("page", [b"<html>Hello</html>", {"pages": 7}, b"[", b"data: x"])
async def test_what_is_no_list_of_models(page: Any) -> None:
    with pytest.raises(errors.Malformed, match="Any"):
        await models(page)


async def test_what_a_list_tells_of_a_model() -> None:
    (told,) = await models(
        [
            {
                "id": "a/b",
                "name": "A: B",
                "context_length": 1_000_000,
                "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000},
                "architecture": {"output_modalities": ["text"]},
                "supported_parameters": ["tools", "reasoning_effort"],
                "reasoning": {"mandatory": True, "supported_efforts": ["high", "low"]},
            }
        ]
    )
    assert told == Model("any", "a/b", "A: B", 200_000, 64_000, False, True, "always", ("high", "low"))


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"context_length": 1_000_000, "top_provider": {"context_length": 200_000}}, 200_000),  # OpenRouter
        ({"context_length": 128_000, "top_provider": {"context_length": None}}, 128_000),
        ({"context_window": 131_072, "max_completion_tokens": 32_768}, 131_072),  # Groq
        ({"max_context_length": 32_000, "capabilities": {"completion_chat": True}}, 32_000),  # Mistral
        ({"context_length": 4096, "type": "chat"}, 4096),  # Together
        ({"max_model_len": 4096}, 4096),  # vLLM
        ({"max_context_length": 131_072, "loaded_context_length": 4096}, 4096),  # LM Studio
        ({"meta": {"n_ctx": 8192, "n_ctx_train": 131_072}}, 8192),  # llama.cpp
        ({"meta": {"n_ctx_train": 131_072}}, 131_072),
        ({"meta": None}, None),
        # Hugging Face: any of the hosts may answer
        ({"providers": [{"context_length": 8192}, {}, {"context_length": 131_072}, None]}, 131_072),
        ({"providers": [{"status": "live"}]}, None),
        ({"object": "model", "owned_by": "them"}, None),  # OpenAI, xAI, DeepSeek
        ({"context_length": "8192"}, 8192),
        ({"context_length": True}, None),
        ({"context_length": -1}, None),
    ],
)
async def test_the_size_of_a_context_in_each_vendors_words(
    entry: dict[str, Any], context: int | None
) -> None:
    (model,) = await models([{"id": "m-1", **entry}])
    assert model.context == context


async def test_tools_in_each_vendors_words() -> None:
    mistral, vllm, router = await models(
        [
            {"id": "mistral", "capabilities": {"completion_chat": True, "function_calling": False}},
            {"id": "vllm", "max_model_len": 4096},
            {"id": "hf", "providers": [{"context_length": 8192, "supports_tools": True}]},
        ]
    )
    assert (mistral.tools, vllm.tools, router.tools) == (False, None, True)
    assert mistral.temperature is None


async def test_what_cannot_chat_is_not_listed() -> None:
    others = [
        {"id": "a", "type": "embedding"},
        {"id": "b", "capabilities": {"completion_chat": False}},
        {"id": "c", "architecture": {"output_modalities": ["image"]}},
        *(
            {"id": id}
            for id in ("text-embedding-3-small", "whisper-1", "tts-1-hd", "dall-e-3", "gpt-image-1")
        ),
        {"id": "nomic-embed-text:latest"},
    ]
    chat = ["gpt-5.5", "qwen2.5-coder:7b", "imagine-1", "audiophile", "gpt-3.5-turbo-instruct-chat"]
    assert [m.id for m in await models([*others, *({"id": id} for id in chat)])] == chat


async def test_a_field_that_its_own_vendor_refuses_is_left_out() -> None:
    said = {"error": {"message": "property 'reasoning_details' is unsupported", "code": 400}}
    asked = replace(ASK, messages=ROUNDS)
    answer = json.dumps(said).encode()
    _, fault = await STAGE.play(answer, asked, status=400, type="application/json")
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == "reasoning_details"
    messages = body(replace(asked, omit=frozenset([fault.parameter])), VENDOR)["messages"]
    assert not [message for message in messages if "reasoning_details" in message]
