"""Given this wire, these events; given this request, this body. Messages."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import errors
from chat.errors import Fault
from chat.events import (
    Citation,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Raw, Request, Text, ToolCall, ToolResult, ToolResults, ToolSpec, User
from chat.models import Model
from chat.providers.anthropic_messages import AnthropicMessages, body
from chat.providers.vendors import Vendor
from tests.providers.play import WIRE, Stage, cut, wire

VENDOR = Vendor(
    "anthropic", "Anthropic", ("anthropic_messages",), "https://api.anthropic.test", "ANTHROPIC_API_KEY"
)
STAGE = Stage.of(lambda clients: AnthropicMessages(VENDOR, "sk-ant-test-0000", clients))
ASK = Request(Model("anthropic", "claude-x"), (User("Hello"),))

START = Usage(15, 1, 3)
PLAIN = Usage(15, 9, 3)
SIGNED = {"type": "thinking", "thinking": "Simple sum.", "signature": "c2ln"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "eclipse"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "title": "Eclipse",
            "url": "https://example.org/e",
            "encrypted_content": "ZW5j",
        }
    ],
}


def reply(
    *events: ReplyEvent,
    stop: Stop = "end",
    usage: Usage = PLAIN,
    start: Usage = START,
    last: Sequence[ReplyEvent] = (),
) -> list[ReplyEvent]:
    return [start, *events, usage, *last, ReplyFinished(stop, usage)]


TOLD: dict[str, tuple[list[ReplyEvent], type[Fault] | None]] = {
    "messages_text": (reply(TextDelta("Grüße, "), TextDelta("日本 🚴")), None),
    "messages_crlf_without_event_lines": (reply(TextDelta("Hi")), None),
    "messages_thinking_with_signature": (
        reply(
            ThinkingDelta("Simple "),
            ThinkingDelta("sum."),
            Opaque(SIGNED),
            ThinkingDelta("\n\nSure."),
            Opaque({"type": "thinking", "thinking": "Sure.", "signature": "bmF0"}),
            TextDelta("4"),
            usage=Usage(15, 20, 3, 15),
        ),
        None,
    ),
    "messages_redacted_thinking": (
        reply(
            Opaque({"type": "redacted_thinking", "data": "ZW5j"}),
            Opaque({"type": "thinking", "thinking": "", "signature": "c2ln"}),
            TextDelta("4"),
        ),
        None,
    ),
    "messages_parallel_calls": (
        reply(
            TextDelta("Looking."),
            ToolCallStarted("toolu_1", "get_weather"),
            ToolCallDelta("toolu_1", '{"location":'),
            ToolCallDelta("toolu_1", ' "Rome"}'),
            ToolCallStarted("toolu_2", "current_time"),
            ToolCallDelta("toolu_2", '{"timezone": "UTC"}'),
            stop="tool_use",
        ),
        None,
    ),
    "messages_call_without_arguments": (
        reply(
            ToolCallStarted("toolu_1", "pick"),
            ToolCallDelta("toolu_1", "{}"),
            ToolCallStarted("toolu_2", "pick"),
            ToolCallDelta("toolu_2", '{"of": ["a", "ü"]}'),
            stop="tool_use",
        ),
        None,
    ),
    "messages_content_in_message_start": (
        [
            TextDelta("Rolling."),
            ToolCallStarted("toolu_1", "roll"),
            ToolCallDelta("toolu_1", '{"sides": 6}'),
            START,
            Usage(5, 0, 3),
            ReplyFinished("tool_use", Usage(5, 0, 3)),
        ],
        None,
    ),
    "messages_server_tool_with_citations": (
        reply(
            ToolCallStarted("srvtoolu_1", "web_search", "provider"),
            ToolCallDelta("srvtoolu_1", '{"query": '),
            ToolCallDelta("srvtoolu_1", '"eclipse"}'),
            Opaque(SEARCH),
            Opaque(FOUND),
            TextDelta("Never look."),
            Citation("Eclipse", "https://example.org/e"),
            Citation("Notes", ""),
        ),
        None,
    ),
    "messages_pause_turn": (
        reply(
            ToolCallStarted("srvtoolu_1", "web_search", "provider"),
            ToolCallDelta("srvtoolu_1", '{"query": "x"}'),
            Opaque({**SEARCH, "input": {"query": "x"}}),
            stop="pause",
        ),
        None,
    ),
    "messages_refusal": (reply(TextDelta("I"), stop="refusal", usage=Usage(15, 1, 3)), None),
    "messages_length_inside_a_call": (
        reply(
            ToolCallStarted("toolu_1", "make_file"), ToolCallDelta("toolu_1", '{"name": "a'), stop="length"
        ),
        None,
    ),
    "messages_context_full": (reply(TextDelta("Hi"), stop="length"), None),
    "messages_usage_overwritten": (
        [
            Usage(10, 1),
            TextDelta("Hi"),
            Usage(22, 3, 5),
            Usage(22, 7, 5),
            ReplyFinished("end", Usage(22, 7, 5)),
        ],
        None,
    ),
    "messages_started_twice": (
        [Usage(3, 1), Usage(4, 1), TextDelta("Hi"), Usage(4, 9), ReplyFinished("end", Usage(4, 9))],
        None,
    ),
    "messages_last_event_undispatched": (reply(TextDelta("Hi")), None),
    "messages_goes_on_after_the_end": (reply(TextDelta("Hi")), None),
    "messages_unknown_blocks_and_events": (
        reply(
            Opaque({"type": "compaction", "content": "Said so far: hi."}),
            Opaque({"type": "hologram", "shape": "cube"}),
            ThinkingDelta("lost"),
            Opaque({"type": "thinking", "thinking": "lost"}),
            TextDelta("Hi"),
            stop="other",
            last=[
                Notice(
                    "ended",
                    "Anthropic ended the answer with the reason “something_new”. It may not be complete.",
                )
            ],
        ),
        None,
    ),
    "messages_cut_off": ([START, TextDelta("Once upon")], errors.CutOff),
    "messages_overloaded_midway": ([START, TextDelta("Once")], errors.Overloaded),
    "messages_rate_limit_error": ([START], errors.RateLimited),
    "messages_api_error": ([START], errors.Server),
    "messages_invalid_request_error": ([START], errors.BadRequest),
    "messages_delta_missing": ([START, TextDelta("Once")], errors.CutOff),
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
    assert {path.stem for path in WIRE.glob("messages_*.sse")} == set(TOLD)


async def test_a_server_that_holds_the_socket_does_not_hold_the_answer() -> None:
    events, fault = await STAGE.play(wire("messages_text"), ASK, held=True)
    assert (events, fault) == TOLD["messages_text"]
    assert STAGE.body is not None
    assert STAGE.body.closed.is_set()


# -- answers in one piece ----------------------------------------------------------------

WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [
        SIGNED,
        {
            "type": "text",
            "text": "Hi",
            "citations": [{"type": "search_result_location", "source": "https://t.example", "title": None}],
        },
        SEARCH,
        FOUND,
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"location": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 2, "output_tokens": 3},
}


async def test_a_whole_answer_gives_the_same_events() -> None:
    request = Request(ASK.model, ASK.messages, stream=False, max_tokens=64_000)
    events, fault = await STAGE.play(json.dumps(WHOLE).encode(), request, type="application/json")
    assert fault is None
    assert STAGE.sent["stream"] is False
    assert events == [
        ThinkingDelta("Simple sum."),
        Opaque(SIGNED),
        TextDelta("Hi"),
        Citation("https://t.example", "https://t.example"),
        ToolCallStarted("srvtoolu_1", "web_search", "provider"),
        ToolCallDelta("srvtoolu_1", '{"query": "eclipse"}'),
        Opaque(SEARCH),
        Opaque(FOUND),
        ToolCallStarted("toolu_1", "get_weather"),
        ToolCallDelta("toolu_1", '{"location": "Rome"}'),
        Usage(2, 3),
        ReplyFinished("tool_use", Usage(2, 3)),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        ({"hello": "world"}, "malformed"),
    ],
)
async def test_what_is_no_answer_though_the_status_is_200(answer: dict, kind: str) -> None:
    events, fault = await STAGE.play(json.dumps(answer).encode(), ASK, type="application/json")
    assert events == []
    assert fault is not None
    assert fault.kind == kind


# -- the body ----------------------------------------------------------------------------


def test_a_plain_question_sends_nothing_that_was_not_set_but_the_limit() -> None:
    assert body(ASK) == {
        "model": "claude-x",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": True,
    }


def test_everything_that_was_set_is_sent_under_its_own_name() -> None:
    request = Request(
        ASK.model,
        (
            User("Weather?"),
            Assistant(
                (
                    Raw(SIGNED),
                    Text("Looking."),
                    Raw(SEARCH),
                    Raw(FOUND),
                    ToolCall("functions.w:0", "get_weather", '{"location": "Rome"}'),
                    ToolCall("toolu_2", "get_weather", "not JSON"),
                )
            ),
            ToolResults(
                (
                    ToolResult("functions.w:0", "get_weather", "21 °C"),
                    ToolResult("toolu_2", "get_weather", "Not JSON.", True),
                )
            ),
        ),
        system="Be brief.",
        temperature=0.5,
        max_tokens=64,
        tools=(ToolSpec("get_weather", "The weather now.", {"type": "object", "properties": {}}),),
    )
    assert body(request) == {
        "model": "claude-x",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
            {
                "role": "assistant",
                "content": [
                    SIGNED,
                    {"type": "text", "text": "Looking."},
                    SEARCH,
                    FOUND,
                    {
                        "type": "tool_use",
                        "id": "functions_w_0",
                        "name": "get_weather",
                        "input": {"location": "Rome"},
                    },
                    {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "functions_w_0", "content": "21 °C"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "content": "Not JSON.",
                        "is_error": True,
                    },
                ],
            },
        ],
        "stream": True,
        "system": "Be brief.",
        "temperature": 0.5,
        "tools": [
            {
                "name": "get_weather",
                "description": "The weather now.",
                "input_schema": {"type": "object", "properties": {}},
            }
        ],
    }


ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("known", "asked", "sent"),
    [
        ({}, {}, {}),
        ({}, {"effort": "none"}, {}),
        ({}, {"effort": "low"}, {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}),
        ({}, {"effort": "low", "omit": {"thinking"}}, {}),
        ({"thinking": "adaptive"}, {}, {"thinking": ADAPTIVE}),
        ({"thinking": "adaptive"}, {"temperature": 0.5}, {"temperature": 0.5}),
        ({"thinking": "adaptive"}, {"effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            {"thinking": "adaptive"},
            {"effort": "max"},
            {"thinking": ADAPTIVE, "output_config": {"effort": "max"}},
        ),
        (
            {"thinking": "adaptive"},
            {"effort": "max", "omit": {"thinking"}},
            {"output_config": {"effort": "max"}},
        ),
        ({"thinking": "always"}, {}, {"thinking": ADAPTIVE}),
        ({"thinking": "always"}, {"effort": "none"}, {}),
        ({"thinking": "enabled"}, {}, {}),
        ({"thinking": "enabled"}, {"effort": "none"}, {}),
        (
            {"thinking": "enabled", "max_output": 64_000},
            {"effort": "high"},
            {"max_tokens": 16_384, "thinking": {"type": "enabled", "budget_tokens": 8192}},
        ),
        (
            {"thinking": "enabled"},
            {"effort": "low", "max_tokens": 1500},
            {"max_tokens": 1500, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        ({"thinking": "enabled"}, {"effort": "low", "max_tokens": 1024}, {"max_tokens": 1024}),
        ({"max_output": 64_000}, {}, {"max_tokens": 16_384}),
        ({"max_output": 8192}, {}, {"max_tokens": 8192}),
        ({"max_output": 8192}, {"max_tokens": 10, "omit": {"max_tokens"}}, {"max_tokens": 10}),
        ({}, {"temperature": 0.0, "omit": {"temperature"}}, {}),
    ],
)
def test_thinking_is_asked_for_in_the_form_that_the_model_takes(known: dict, asked: dict, sent: dict) -> None:
    asked = {**asked, "omit": frozenset(asked.get("omit", ()))}
    made = body(Request(Model("anthropic", "claude-x", **known), ASK.messages, **asked))
    assert made == {**body(ASK), **sent}


def test_roles_take_turns_and_nothing_blank_is_sent() -> None:
    messages = (
        User("a"),
        Assistant((Text(" \n"), Raw(SIGNED))),
        User("b"),
        Assistant((ToolCall("toolu_1", "get_weather", "{}"),)),
        User("c"),
        Assistant((Text("Hi"), Raw(SIGNED))),
        User(" "),
        ToolResults((ToolResult("toolu_9", "get_weather", "21 °C"),)),
        User("d"),
    )
    text = lambda t: {"type": "text", "text": t}  # noqa: E731
    assert body(Request(ASK.model, messages))["messages"] == [
        {"role": "user", "content": [text("a"), text("b"), text("c")]},
        {"role": "assistant", "content": [text("Hi")]},  # thinking at the end led to nothing
        {"role": "user", "content": [text("d")]},
    ]


def test_raw_blocks_of_other_protocols_are_dropped() -> None:
    parts = (
        Raw({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}),
        Raw({"type": "web_search_call", "id": "ws_1"}),
        Raw({"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"}),
        Raw({"type": "thinking", "thinking": ""}),
        Raw({"type": "hologram"}),
        Raw({"type": "redacted_thinking", "data": "ZW5j"}),
        Text("Hi"),
    )
    (_, sent, _) = body(Request(ASK.model, (User("a"), Assistant(parts), User("b"))))["messages"]
    assert sent["content"] == [
        {"type": "redacted_thinking", "data": "ZW5j"},
        {"type": "text", "text": "Hi"},
    ]


async def test_thinking_comes_back_verbatim_in_the_next_round() -> None:
    events, _ = await STAGE.play(wire("messages_thinking_with_signature"), ASK)
    parts = tuple(Raw(event.data) for event in events if isinstance(event, Opaque))
    messages = (
        *ASK.messages,
        Assistant((*parts, ToolCall("toolu_1", "get_weather", "{}"))),
        ToolResults((ToolResult("toolu_1", "get_weather", "21 °C"),)),
    )
    await STAGE.play(wire("messages_text"), Request(ASK.model, messages))
    assert STAGE.sent["messages"][1]["content"][:2] == [
        SIGNED,
        {"type": "thinking", "thinking": "Sure.", "signature": "bmF0"},
    ]


async def test_a_temperature_goes_out_under_the_last_version_that_knows_it() -> None:
    await STAGE.play(wire("messages_text"), Request(ASK.model, ASK.messages, temperature=0.0))
    (request,) = STAGE.asked
    assert STAGE.sent["temperature"] == 0.0
    assert request.headers["anthropic-version"] == "2023-06-01"


async def test_without_one_the_sdk_s_own_version_is_spoken() -> None:
    await STAGE.play(wire("messages_text"), ASK)
    (request,) = STAGE.asked
    assert str(request.url) == "https://api.anthropic.test/v1/messages"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["authorization"] == "Bearer sk-ant-test-0000"
    assert "temperature" not in STAGE.sent


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ("temperature: Extra inputs are not permitted", "temperature"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
        ("adaptive thinking is not supported on this model", "thinking"),
        ("This model does not support the effort parameter.", "output_config"),
    ],
)
async def test_a_refused_parameter_is_named(said: str, parameter: str) -> None:
    answer = {"type": "error", "error": {"type": "invalid_request_error", "message": said}}
    request = Request(
        Model("anthropic", "claude-x", thinking="adaptive"), ASK.messages, temperature=0.5, effort="low"
    )
    _, fault = await STAGE.play(json.dumps(answer).encode(), request, status=400, type="application/json")
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == parameter


# -- the model list ----------------------------------------------------------------------


def can(*names: str) -> dict:
    """Capabilities, all of them named and those in `names` supported."""
    yes = lambda name: {"supported": name in names}  # noqa: E731
    return {
        "thinking": {
            **yes("thinking"),
            "types": {name: yes(name) for name in ("adaptive", "enabled", "disabled")},
        },
        "effort": {
            **yes("effort"),
            **{name: yes(name) for name in ("low", "medium", "high", "xhigh", "max")},
        },
    }


async def test_models_tell_how_they_think_over_all_pages() -> None:
    entry = lambda id, **more: {"id": id, "type": "model", "display_name": id.upper(), **more}  # noqa: E731
    pages = [
        {
            "data": [
                entry(
                    "claude-opus-4-6",
                    max_input_tokens=1_000_000,
                    max_tokens=128_000,
                    capabilities=can("thinking", "adaptive", "enabled", "disabled", "low", "medium", "high"),
                ),
                entry(
                    "claude-fable-5", capabilities=can("thinking", "adaptive", "low", "medium", "high", "max")
                ),
            ],
            "has_more": True,
            "last_id": "claude-fable-5",
        },
        {
            "data": [
                entry("claude-sonnet-4-5-20250929", capabilities=can("thinking", "enabled", "disabled")),
                entry("claude-3-haiku-20240307", capabilities=can("disabled")),
                {"id": "imitation-1"},
            ],
            "has_more": False,
        },
    ]
    asked = []

    async def models() -> list[Model]:
        import httpx2

        from chat.providers.clients import Clients

        def answer(request: httpx2.Request) -> httpx2.Response:
            asked.append(dict(request.url.params))
            return httpx2.Response(200, json=pages[len(asked) - 1])

        clients = Clients(transport=httpx2.MockTransport(answer))
        return await AnthropicMessages(VENDOR, "sk-ant-test-0000", clients).models()

    assert await models() == [
        Model(
            "anthropic",
            "claude-opus-4-6",
            title="CLAUDE-OPUS-4-6",
            context=1_000_000,
            max_output=128_000,
            temperature=True,
            thinking="adaptive",
            efforts=("none", "low", "medium", "high"),
        ),
        Model(
            "anthropic",
            "claude-fable-5",
            title="CLAUDE-FABLE-5",
            temperature=False,
            thinking="always",
            efforts=("low", "medium", "high", "max"),
        ),
        Model(
            "anthropic",
            "claude-sonnet-4-5-20250929",
            title="CLAUDE-SONNET-4-5-20250929",
            temperature=True,
            thinking="enabled",
            efforts=("none", "low", "medium", "high"),
        ),
        Model(
            "anthropic",
            "claude-3-haiku-20240307",
            title="CLAUDE-3-HAIKU-20240307",
            temperature=True,
        ),
        Model("anthropic", "imitation-1"),
    ]
    assert asked == [{"limit": "1000"}, {"limit": "1000", "after_id": "claude-fable-5"}]


@pytest.mark.parametrize(
    ("id", "temperature"),
    [
        ("claude-opus-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-4-20250514", True),
        ("claude-sonnet-4-6", True),
        ("claude-sonnet-5", False),
        ("claude-haiku-4-5-20251001", True),
        ("claude-haiku-4-6", False),
        ("claude-3-5-sonnet-latest", True),
        ("claude-fable-5", False),
        ("something-else", None),
    ],
)
async def test_which_families_take_a_temperature(id: str, temperature: bool | None) -> None:
    page = {"data": [{"id": id}], "has_more": False}
    STAGE.pieces, STAGE.status, STAGE.type = [json.dumps(page).encode()], 200, "application/json"
    assert [model.temperature for model in await STAGE.provider.models()] == [temperature]


async def test_fields_of_a_call_that_are_not_known_go_back_to_their_vendor_alone() -> None:
    call = {"type": "tool_use", "id": "t.1", "name": "time", "input": {}, "signed": "c2ln"}
    answer = json.dumps({"type": "message", "content": [call], "stop_reason": "tool_use"}).encode()
    events, _ = await STAGE.play(answer, ASK, type="application/json")
    (told,) = [Raw(event.data) for event in events if isinstance(event, Opaque)]
    said = Assistant((ToolCall("t.1", "time", "{}"), told))
    messages = (User("?"), said, ToolResults((ToolResult("t.1", "time", "12"),)))
    assert body(Request(ASK.model, messages))["messages"][1]["content"] == [{**call, "id": "t_1"}]
    (sent,) = body(Request(Model("other", "m"), messages))["messages"][1]["content"]
    assert "signed" not in sent


async def test_thinking_without_a_signature_comes_back() -> None:
    thought = {"type": "thinking", "thinking": "Add them.", "signature": ""}
    call = {"type": "tool_use", "id": "t1", "name": "time", "input": {}}
    answer = json.dumps({"type": "message", "content": [thought, call], "stop_reason": "tool_use"}).encode()
    events, _ = await STAGE.play(answer, ASK, type="application/json")
    told = tuple(Raw(event.data) for event in events if isinstance(event, Opaque))
    messages = (
        User("?"),
        Assistant((*told, ToolCall("t1", "time", "{}"))),
        ToolResults((ToolResult("t1", "time", "12"),)),
    )
    assert body(Request(ASK.model, messages))["messages"][1]["content"][0] == thought
