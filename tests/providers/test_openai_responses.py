"""Given this wire, these events; given this request, this body. Responses."""

import asyncio
import json
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import errors
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
from chat.providers.openai_responses import OpenAIResponses, body
from chat.providers.vendors import Vendor
from tests.providers.play import Stage, cut, wire

VENDOR = Vendor("openai", "OpenAI", ("openai_responses",), "https://api.openai.test/v1", "OPENAI_API_KEY")
STAGE = Stage.of(lambda clients: OpenAIResponses(VENDOR, "sk-test-0000", clients))
ASK = Request(Model("openai", "gpt-4o-mini"), (User("Hello"),))

HELLO = [
    TextDelta("Grüße, "),
    TextDelta("日本 🚴"),
    Usage(12, 5, 4, 0),
    ReplyFinished("end", Usage(12, 5, 4, 0)),
]
PLAIN = Usage(12, 5, 0, 0)
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [
        {"type": "summary_text", "text": "**Plan** Look it up."},
        {"type": "summary_text", "text": "**Check** Done."},
    ],
    "encrypted_content": "gAAAA-secret",
}
SEARCH = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "1 cm in inches"},
}


def finished(stop: Stop, usage: Usage | None = PLAIN) -> list[ReplyEvent]:
    return [usage, ReplyFinished(stop, usage)] if usage else [ReplyFinished(stop)]


def call(n: int, *pieces: str, id: str = "") -> list[ReplyEvent]:
    id = id or f"call_{n}"
    name = ["get_weather", "current_time"][n - 1]
    return [ToolCallStarted(id, name), *(ToolCallDelta(id, piece) for piece in pieces)]


UNSAID = Notice("end_without_reason", "OpenAI did not say why the answer ended. It may not be complete.")

TOLD: dict[str, tuple[list[ReplyEvent], type[Fault] | None]] = {
    "responses_text": (HELLO, None),
    "responses_crlf": (HELLO, None),
    "responses_comments_no_event_lines_then_done": (HELLO, None),
    "responses_goes_on_after_the_end": (HELLO, None),
    "responses_parallel_calls_interleaved": (
        [
            ToolCallStarted("call_1", "get_weather"),
            ToolCallStarted("call_2", "current_time"),
            ToolCallDelta("call_1", '{"location":'),
            ToolCallDelta("call_2", '{"timezone":'),
            ToolCallDelta("call_1", ' "Rome"}'),
            ToolCallDelta("call_2", ' "UTC"}'),
            *finished("tool_use", Usage(40, 30, 0, 0)),
        ],
        None,
    ),
    "responses_call_whole_at_its_end": (
        [*call(1, '{"location": "Rome"}'), *call(2, "{}"), *finished("tool_use", None)],
        None,
    ),
    "responses_arguments_only_when_done": (
        [*call(1, '{"location": "Rome"}'), *finished("tool_use", None)],
        None,
    ),
    "responses_no_output_index": (
        [
            *call(1, '{"location": "Rome"}'),
            *call(2, '{"timezone": "UTC"}'),
            *finished("tool_use", None),
        ],
        None,
    ),
    "responses_items_never_closed": ([TextDelta("Four"), *finished("end", Usage(3, 1, 0, 0, 0.5))], None),
    "responses_reused_call_ids": (
        [*call(1, "{}", id="call_0"), *call(2, "{}", id="call_0_1"), *finished("tool_use", None)],
        None,
    ),
    "responses_thinking_in_two_parts_and_a_call": (
        [
            ThinkingDelta("**Plan** "),
            ThinkingDelta("Look it up."),
            ThinkingDelta("\n\n**Check** Done."),
            Opaque(REASONING),
            *call(1, '{"location": "Rome"}'),
            *finished("tool_use", Usage(50, 40, 0, 24)),
        ],
        None,
    ),
    "responses_raw_reasoning_text": (
        [
            ThinkingDelta("2+2 "),
            ThinkingDelta("is 4."),
            Opaque(
                {
                    "id": "rs_1",
                    "type": "reasoning",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "2+2 is 4."}],
                }
            ),
            TextDelta("4"),
            *finished("end"),
        ],
        None,
    ),
    "responses_encrypted_reasoning_only": (
        [
            Opaque({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA-secret"}),
            TextDelta("4"),
            *finished("end", Usage(5, 9, 0, 8)),
        ],
        None,
    ),
    "responses_refusal": (
        [TextDelta("I can't "), TextDelta("help with that."), *finished("refusal")],
        None,
    ),
    "responses_web_search_with_citations": (
        [
            ToolCallStarted("ws_1", "web_search", "provider"),
            ToolCallDelta("ws_1", '{"action": {"type": "search", "query": "1 cm in inches"}}'),
            Opaque(SEARCH),
            TextDelta("0.39 in"),
            Citation("Inches", "https://example.org/inch"),
            Citation("notes.md", ""),
            *finished("end"),
        ],
        None,
    ),
    "responses_provider_tools": (
        [
            Opaque({"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "zip", "tools": []}),
            ToolCallStarted("mcp_1", "shorten", "provider"),
            ToolCallDelta("mcp_1", '{"url": "x"}'),
            Opaque(
                {
                    "id": "mcp_1",
                    "type": "mcp_call",
                    "name": "shorten",
                    "server_label": "zip",
                    "arguments": '{"url": "x"}',
                    "output": "y",
                }
            ),
            ToolCallStarted("ci_1", "code_interpreter", "provider"),
            ToolCallDelta("ci_1", '{"code": "print(1)"}'),
            Opaque(
                {
                    "id": "ci_1",
                    "type": "code_interpreter_call",
                    "status": "completed",
                    "code": "print(1)",
                    "container_id": "c1",
                    "outputs": [],
                }
            ),
            *finished("end"),
        ],
        None,
    ),
    "responses_shell_call": (
        [
            ToolCallStarted("call_1", "shell", "provider"),
            ToolCallDelta("call_1", '{"action": {"commands": ["date"], "timeout_ms": null}}'),
            Opaque(
                {
                    "id": "sh_1",
                    "type": "shell_call",
                    "status": "completed",
                    "call_id": "call_1",
                    "action": {"commands": ["date"], "timeout_ms": None},
                }
            ),
            *finished("end"),
        ],
        None,
    ),
    "responses_items_without_deltas": (
        [
            ThinkingDelta("**Plan** Look it up."),
            ThinkingDelta("\n\n**Check** Done."),
            Opaque(REASONING),
            TextDelta("Whole "),
            Citation("Inches", "https://example.org/inch"),
            TextDelta("and refused"),
            *finished("refusal", None),
        ],
        None,
    ),
    "responses_only_the_end": ([TextDelta("Four"), *finished("end", Usage(3, 1, 0, 0))], None),
    "responses_length": ([TextDelta("Once upon"), *finished("length", Usage(9, 16, 0, 0))], None),
    "responses_filtered": ([TextDelta("Once"), *finished("filter", None)], None),
    "responses_done_but_never_completed": ([TextDelta("Once"), UNSAID, *finished("end", None)], None),
    "responses_keepalive_and_unknown_events": ([TextDelta("Hi"), *finished("end", None)], None),
    "responses_failed_midway": ([TextDelta("Once")], errors.Server),
    "responses_flat_error": ([TextDelta("Once")], errors.RateLimited),
    "responses_nested_error": ([], errors.TooLong),
    "responses_error_without_type": ([TextDelta("Once")], errors.Overloaded),
    "responses_cut_off": ([TextDelta("Once upon"), TextDelta(" a time")], errors.CutOff),
    "responses_broken_json": ([TextDelta("Once")], errors.Malformed),
    "responses_broken_utf8": ([TextDelta("Once")], errors.Malformed),
    "responses_item_missing": ([TextDelta("Once")], errors.CutOff),
}


@pytest.mark.parametrize("name", TOLD)
async def test_wire_to_events(name: str) -> None:
    events, fault = await STAGE.play(wire(name), ASK)
    assert (events, fault and type(fault)) == TOLD[name]


@given(st.sampled_from(sorted(TOLD)), st.lists(st.integers(0, 10_000), max_size=30))
def test_the_same_however_the_bytes_are_cut(name: str, places: list[int]) -> None:
    events, fault = asyncio.run(STAGE.play(cut(wire(name), places), ASK))
    assert (events, fault and type(fault)) == TOLD[name]


def test_every_fixture_is_played() -> None:
    from tests.providers.play import WIRE

    assert {path.stem for path in WIRE.glob("responses_*.sse")} == set(TOLD)


async def test_opening_and_keepalives_are_told() -> None:
    STAGE.pieces, STAGE.held = [wire("responses_comments_no_event_lines_then_done")], False
    async with aclosing(STAGE.provider.stream(ASK)) as stream:
        events = [event async for event in stream]
    assert events[:3] == [
        RequestSent("https://api.openai.test/v1/responses", body(ASK)),
        ResponseOpened(200),
        KeepAlive(),
    ]


async def test_a_server_that_holds_the_socket_does_not_hold_the_answer() -> None:
    events, fault = await STAGE.play(wire("responses_text"), ASK, held=True)
    assert (events, fault) == TOLD["responses_text"]
    assert STAGE.body is not None
    assert STAGE.body.closed.is_set()


async def test_closing_midway_frees_the_wire() -> None:
    STAGE.pieces, STAGE.held = [wire("responses_cut_off")], True
    async with aclosing(STAGE.provider.stream(ASK)) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
    assert STAGE.body is not None
    assert STAGE.body.closed.is_set()


# -- answers in one piece ----------------------------------------------------------------

WHOLE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "error": None,
    "output": [
        REASONING,
        SEARCH,
        {
            "type": "message",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hi",
                    "annotations": [{"type": "url_citation", "title": "T", "url": "https://t.example"}],
                }
            ],
        },
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"location": "Rome"}',
        },
    ],
    "usage": {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5, "cost_in_usd_ticks": 2_500_000_000},
}


async def test_a_whole_answer_gives_the_same_events() -> None:
    request = Request(ASK.model, ASK.messages, stream=False)
    events, fault = await STAGE.play(json.dumps(WHOLE).encode(), request, type="application/json")
    assert fault is None
    assert STAGE.sent["stream"] is False
    assert events == [
        ThinkingDelta("**Plan** Look it up."),
        ThinkingDelta("\n\n**Check** Done."),
        Opaque(REASONING),
        ToolCallStarted("ws_1", "web_search", "provider"),
        ToolCallDelta("ws_1", '{"action": {"type": "search", "query": "1 cm in inches"}}'),
        Opaque(SEARCH),
        TextDelta("Hi"),
        Citation("T", "https://t.example"),
        *call(1, '{"location": "Rome"}'),
        *finished("tool_use", Usage(2, 3, cost=0.25)),
    ]


@pytest.mark.parametrize(
    ("answer", "type", "kind"),
    [
        (
            b'{"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}',
            "application/json",
            "rate_limited",
        ),
        (b'{"hello": "world"}', "application/json", "malformed"),
        (b'{"object": "response", "output"', "application/json", "malformed"),
        (b"<!doctype html><html><body>Welcome</body></html>", "text/html", "malformed"),
        (b"", "text/event-stream", "empty"),
    ],
)
async def test_what_is_no_answer_though_the_status_is_200(answer: bytes, type: str, kind: str) -> None:
    events, fault = await STAGE.play(answer, ASK, type=type)
    assert events == []
    assert fault is not None
    assert fault.kind == kind
    assert "<" not in fault.message


# -- the body ----------------------------------------------------------------------------

WEATHER = ToolSpec("get_weather", "The weather now.", {"type": "object", "properties": {}})


def test_a_plain_question_sends_nothing_that_was_not_set() -> None:
    assert body(ASK) == {
        "model": "gpt-4o-mini",
        "input": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "store": False,
    }


def test_everything_that_was_set_is_sent_under_its_own_name() -> None:
    request = Request(
        Model("xai", "grok-4"),
        (
            User("Weather?"),
            Assistant(
                (
                    Raw(REASONING),
                    Text("Looking."),
                    ToolCall("call_1", "get_weather", '{"location": "Rome"}'),
                    ToolCall("call_2", "get_weather", ""),
                )
            ),
            ToolResults(
                (
                    ToolResult("call_1", "get_weather", "21 °C"),
                    ToolResult("call_2", "get_weather", "Name a place.", True),
                )
            ),
        ),
        system="Be brief.",
        temperature=0.0,
        max_tokens=64,
        effort="low",
        tools=(WEATHER,),
    )
    assert body(request) == {
        "model": "grok-4",
        "input": [
            {"role": "user", "content": "Weather?"},
            REASONING,
            {"role": "assistant", "content": "Looking."},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": '{"location": "Rome"}',
            },
            {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "21 °C"},
            {"type": "function_call_output", "call_id": "call_2", "output": "Name a place."},
        ],
        "stream": True,
        "store": False,
        "instructions": "Be brief.",
        "temperature": 0.0,
        "max_output_tokens": 64,
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "The weather now.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
        "reasoning": {"summary": "auto", "effort": "low"},
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize(
    ("model", "effort", "reasoning"),
    [
        (Model("openai", "gpt-4o-mini"), None, None),
        (Model("openai", "gpt-4.1"), "none", None),
        (Model("openai", "gpt-5-chat-latest"), None, None),
        (Model("openai", "gpt-4o-mini"), "high", {"summary": "auto", "effort": "high"}),
        (Model("openai", "o4-mini"), None, {"summary": "auto"}),
        (Model("openai", "gpt-5.4-2026-03-05"), None, {"summary": "auto"}),
        (Model("openai", "gpt-5.1"), "none", {"effort": "none"}),
        (Model("openrouter", "openai/gpt-5"), None, None),
        (Model("xai", "grok-4", thinking="always"), None, {"summary": "auto"}),
        (Model("lmstudio", "qwen", efforts=("low",)), "low", {"summary": "auto", "effort": "low"}),
    ],
)
def test_reasoning_is_asked_of_models_that_reason(model: Model, effort: str | None, reasoning) -> None:
    sent = body(Request(model, ASK.messages, effort=effort))
    assert sent.get("reasoning") == reasoning
    assert ("include" in sent) == ("summary" in (reasoning or {}))


@pytest.mark.parametrize(
    ("omit", "gone"),
    [
        ({"temperature"}, {"temperature"}),
        ({"reasoning"}, {"reasoning", "include"}),
        ({"store", "include", "unheard_of"}, {"store", "include"}),
    ],
)
def test_refused_parameters_are_left_out(omit: set[str], gone: set[str]) -> None:
    request = Request(Model("openai", "gpt-5"), ASK.messages, temperature=1.0, effort="low")
    left = Request(request.model, request.messages, temperature=1.0, effort="low", omit=frozenset(omit))
    assert body(left) == {name: value for name, value in body(request).items() if name not in gone}


def test_a_summary_alone_can_be_left_out() -> None:
    request = Request(Model("openai", "gpt-5"), ASK.messages, omit=frozenset({"reasoning.summary"}))
    assert "reasoning" not in body(request)
    request = Request(request.model, request.messages, effort="low", omit=request.omit)
    assert body(request)["reasoning"] == {"effort": "low"}
    assert body(request)["include"] == ["reasoning.encrypted_content"]


def test_raw_items_that_cannot_be_read_back_are_dropped() -> None:
    bare = {"id": "rs_2", "type": "reasoning", "summary": []}
    foreign = {"type": "thinking", "thinking": "…", "signature": "c2ln"}
    redacted = {"type": "redacted_thinking", "data": "ZW5j"}
    server = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    parts = (Raw(bare), Raw(foreign), Raw(redacted), Raw(server), Raw(SEARCH), Text("Hi"), Raw(REASONING))
    sent = body(Request(ASK.model, (User("a"), Assistant(parts), User("b"))))
    assert sent["input"] == [
        {"role": "user", "content": "a"},
        SEARCH,
        {"role": "assistant", "content": "Hi"},  # reasoning at the end led to nothing
        {"role": "user", "content": "b"},
    ]


def test_halves_of_a_stopped_round_are_not_sent() -> None:
    messages = (
        User("a"),
        Assistant((Raw(REASONING), ToolCall("call_1", "get_weather", "{}"))),
        User("b"),
        ToolResults((ToolResult("call_9", "get_weather", "21 °C"),)),
    )
    assert body(Request(ASK.model, messages))["input"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


async def test_reasoning_comes_back_verbatim_in_the_next_round() -> None:
    events, _ = await STAGE.play(wire("responses_thinking_in_two_parts_and_a_call"), ASK)
    parts = tuple(Raw(event.data) for event in events if isinstance(event, Opaque))
    messages = (
        *ASK.messages,
        Assistant((*parts, ToolCall("call_1", "get_weather", '{"location": "Rome"}'))),
        ToolResults((ToolResult("call_1", "get_weather", "21 °C"),)),
    )
    await STAGE.play(wire("responses_text"), Request(ASK.model, messages))
    assert STAGE.sent["input"][1] == REASONING
    assert [item.get("call_id") for item in STAGE.sent["input"][2:]] == ["call_1", "call_1"]


async def test_key_goes_in_the_header_only() -> None:
    await STAGE.play(wire("responses_text"), ASK)
    (request,) = STAGE.asked
    assert str(request.url) == "https://api.openai.test/v1/responses"
    assert request.headers["authorization"] == "Bearer sk-test-0000"
    assert b"sk-test" not in request.content


async def test_an_unverified_organisation_loses_only_the_summary() -> None:
    answer = {
        "error": {
            "message": "Your organization must be verified to generate reasoning summaries.",
            "type": "invalid_request_error",
            "param": "reasoning.summary",
            "code": "unsupported_value",
        }
    }
    request = Request(Model("openai", "gpt-5"), ASK.messages)
    _, fault = await STAGE.play(json.dumps(answer).encode(), request, status=400, type="application/json")
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == "reasoning.summary"


# -- the model list ----------------------------------------------------------------------


async def test_models_that_chat_with_what_their_family_tells() -> None:
    ids = ["gpt-4o-mini", "o3", "gpt-5.4", "gpt-5-chat-latest", "text-embedding-3-small", "whisper-1"]
    page = {"object": "list", "data": [{"id": id, "object": "model", "owned_by": "openai"} for id in ids]}
    STAGE.pieces, STAGE.status, STAGE.type = [json.dumps(page).encode()], 200, "application/json"
    assert await STAGE.provider.models() == [
        Model("openai", "gpt-4o-mini"),
        Model("openai", "o3", temperature=False, thinking="always"),
        Model("openai", "gpt-5.4", temperature=False, thinking="always"),
        Model("openai", "gpt-5-chat-latest"),
    ]


@pytest.mark.parametrize("page", [b'{"data": null}', b"[]", b'{"object": "list", "data": [{}, 7]}'])
async def test_an_empty_list_has_many_shapes(page: bytes) -> None:
    STAGE.pieces, STAGE.status, STAGE.type = [page], 200, "application/json"
    assert await STAGE.provider.models() == []


@pytest.mark.parametrize("page", [b"<html></html>", b'{"hello": "world"}', b'{"data": [', b"7"])
async def test_what_is_no_list_is_malformed(page: bytes) -> None:
    STAGE.pieces, STAGE.status, STAGE.type = [page], 200, "application/json"
    with pytest.raises(errors.Malformed):
        await STAGE.provider.models()


async def test_fields_that_are_not_known_go_back_to_their_vendor_alone() -> None:
    said = {
        "type": "message",
        "role": "assistant",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I look."}],
    }
    asked = {"type": "function_call", "call_id": "c1", "name": "time", "arguments": "{}", "signed": "c2ln"}
    body_of = json.dumps({"status": "completed", "output": [said, asked]}).encode()
    events, _ = await STAGE.play(body_of, ASK, type="application/json")
    told = [Raw(event.data) for event in events if isinstance(event, Opaque)]
    parts = (Text("I look."), told[0], ToolCall("c1", "time", "{}"), told[1])
    messages = (User("?"), Assistant(parts), ToolResults((ToolResult("c1", "time", "12"),)))
    _, text, call, _ = body(Request(ASK.model, messages))["input"]
    assert text == {"role": "assistant", "content": "I look.", "phase": "commentary"}
    assert call["signed"] == "c2ln"
    _, text, call, _ = body(Request(ASK.model, messages, omit=frozenset(["phase"])))["input"]
    assert "phase" not in text
    _, text, call, _ = body(Request(Model("xai", "grok-4"), messages))["input"]
    assert not {"phase", "signed"} & {*text, *call}
