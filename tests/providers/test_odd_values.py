"""Given an odd value in any place of a `usage` or of a list of models, the answer and the list are there."""

import copy
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from chat.context import Window
from chat.events import ReplyFinished, TextDelta, Usage, from_dict, to_dict
from chat.figures import MOST_DOLLARS, MOST_TOKENS, dollars, label, tokens
from chat.messages import Request, User
from chat.models import Model
from chat.providers.anthropic_messages import AnthropicMessages
from chat.providers.clients import Clients
from chat.providers.lists import MOST_MODELS
from chat.providers.openai_chat import OpenAIChat
from chat.providers.openai_responses import OpenAIResponses
from chat.providers.vendors import Vendor
from tests.providers.play import Stage

ODD: list[Any] = [
    *(None, True, False, 0, -1, 3, 2.5, 1e308, 10**30, float("nan"), float("inf"), float("-inf")),
    *("", "12", "128k", "twelve", "\x00\x1b[31m", "\u202e", "9" * 10_000),
    *([], [1], [None], [[]], ["x", {}], {}, {"a": 1}, {"total_cost": 2}, {"data": [{}]}),
]
URL = "https://api.any.test/v1"
SPEAKERS: dict[str, Callable[[Vendor, str, Clients], Any]] = {
    "openai_chat": OpenAIChat,
    "openai_responses": OpenAIResponses,
    "anthropic_messages": AnthropicMessages,
}
USAGES: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "prompt_tokens": 11,
        "completion_tokens": 4,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "cost": 0.25,
        "cost_details": {"upstream_inference_cost": 0.5},
        "cost_in_usd_ticks": 7,
    },
    "openai_responses": {
        "input_tokens": 11,
        "output_tokens": 4,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens_details": {"reasoning_tokens": 2},
        "cost": {"total_cost": 0.25},
        "cost_in_usd_ticks": 7,
    },
    "anthropic_messages": {
        "input_tokens": 8,
        "output_tokens": 4,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 1,
        "output_tokens_details": {"thinking_tokens": 2},
    },
}


def answer(speaks: str, usage: Any) -> bytes:
    """A whole answer with this usage; NaN and Infinity as Python's servers write them."""
    made: dict[str, Any] = {
        "openai_chat": {
            "choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}],
        },
        "openai_responses": {
            "object": "response",
            "status": "completed",
            "output": [
                {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Yes."}]},
            ],
        },
        "anthropic_messages": {
            "type": "message",
            "content": [{"type": "text", "text": "Yes."}],
            "stop_reason": "end_turn",
        },
    }[speaks]
    return json.dumps({**made, "usage": usage}).encode()


def changed(value: Any) -> Iterator[Any]:
    """`value` with every part of it replaced by each odd one."""
    yield from ODD
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        for other in changed(part):
            whole = copy.copy(value)
            whole[key] = other
            yield whole


@pytest.fixture
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    vendor = Vendor("any", "Any", (request.param,), URL, "ANY_API_KEY")
    made = Stage.of(lambda clients: SPEAKERS[request.param](vendor, "key-0123456789", clients))
    yield made
    await made.clients.aclose()


@pytest.mark.parametrize("stage", SPEAKERS, indirect=True)
async def test_an_odd_usage_loses_no_answer(stage: Stage) -> None:
    speaks = stage.provider.vendor.protocols[0]
    ask = Request(Model("any", "m-1"), (User("?"),))
    for usage in changed(USAGES[speaks]):
        events, fault = await stage.play(answer(speaks, usage), ask, type="application/json")
        assert fault is None, (usage, fault)
        assert TextDelta("Yes.") in events, usage
        end = events[-1]
        assert isinstance(end, ReplyFinished)
        told = end.usage or Usage()
        for tokens_told in (told.input, told.output, told.cached, told.thinking):
            assert tokens_told is None or (type(tokens_told) is int and 0 <= tokens_told <= 2 * MOST_TOKENS)
        assert told.cost is None or (type(told.cost) is float and 0 <= told.cost <= MOST_DOLLARS)
        assert told + told + Usage(1, 1, 1, 1, 1.0)
        json.dumps(to_dict(end), allow_nan=False)


LIST: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "maker/one",
            "name": "Maker: One",
            "created": 1_760_000_000,
            "type": "chat",
            "task": "text-generation",
            "context_length": 131_072,
            "max_completion_tokens": 8192,
            "architecture": {"output_modalities": ["text"]},
            "pricing": {"prompt": "0.000001", "completion": None},
            "top_provider": {"context_length": 65_536, "max_completion_tokens": 4096},
            "supported_parameters": ["tools", "temperature", "reasoning_effort"],
            "reasoning": {"mandatory": False, "supported_efforts": ["low", "high"]},
            "providers": [{"context_length": 32_768, "supports_tools": True}],
            "capabilities": {
                "completion_chat": True,
                "function_calling": True,
                "thinking": {"supported": True, "types": {"adaptive": {"supported": True}}},
                "effort": {"low": {"supported": True}},
            },
            "meta": {"n_ctx": 4096, "n_ctx_train": 8192},
            "display_name": "One",
            "max_input_tokens": 100_000,
            "max_tokens": 4096,
        },
        {"id": "two"},
    ],
    "has_more": False,
}


@pytest.mark.parametrize("stage", SPEAKERS, indirect=True)
async def test_an_odd_entry_loses_no_list(stage: Stage) -> None:
    for entry in changed(LIST["data"][0]):
        stage.pieces, stage.type = [json.dumps({**LIST, "data": [entry, LIST["data"][1]]}).encode()], "x/json"
        found = await stage.provider.models()
        assert found[-1].id == "two", entry
        for model in found:
            assert label(model.id) == model.id
            assert label(model.title) == model.title
            assert model.context is None or 1 <= model.context <= MOST_TOKENS
            assert model.max_output is None or 1 <= model.max_output <= MOST_TOKENS
            assert all(isinstance(effort, str) for effort in model.efforts)
            assert Window(model.context)


@pytest.mark.parametrize("stage", SPEAKERS, indirect=True)
async def test_ids_that_can_be_asked_for(stage: Stage) -> None:
    ids: list[Any] = ["a", 42, "a\nb", "a\x1b[2J", "\u202eb", "c" * 300, "", " d", True, 1.5, [], "a", "e"]
    stage.pieces = [json.dumps({"data": [{"id": id} for id in ids]}).encode()]
    assert [model.id for model in await stage.provider.models()] == ["a", "42", "e"]


@pytest.mark.parametrize("stage", SPEAKERS, indirect=True)
async def test_a_list_without_end_is_cut(stage: Stage) -> None:
    entries = [{"id": f"model-{n}", "context_length": n} for n in range(100_000)]
    stage.pieces = [json.dumps({"data": entries, "has_more": True}).encode()]
    assert len(await stage.provider.models()) == MOST_MODELS


@pytest.mark.parametrize(
    "page",
    [{"data": {"one": {"context_length": 5}, "two": None}}, {"models": ["one", "two"]}, ["one", "two"]],
)
@pytest.mark.parametrize("stage", ["openai_chat"], indirect=True)
async def test_lists_in_other_shapes(stage: Stage, page: Any) -> None:
    stage.pieces = [json.dumps(page).encode()]
    assert [model.id for model in await stage.provider.models()] == ["one", "two"]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (12, 12), (12.0, 12), ("131072", 131_072), ("131,072", 131_072), ("128k", 128_000),
        ("1.5M", 1_500_000),
        ("1e3", None), ("-5", None), (-1, None), (True, None), (10**13, None), (float("nan"), None),
        (float("inf"), None), ("", None), ("many", None), ([], None), ({}, None), ("9" * 40, None),
    ],
)  # fmt: skip
def test_tokens(value: Any, count: int | None) -> None:
    assert tokens(value) == count


@pytest.mark.parametrize(
    ("value", "sum"),
    [
        (0, 0.0), (0.5, 0.5), ("0.5", 0.5), ({"total_cost": 2e-5}, 2e-5),
        ({"currency": "USD", "total": 1}, 1.0),
        (-1, None), ("nan", None), ("inf", None), (float("inf"), None), (True, None),
        ({"cost": {"cost": 1}}, None),         ([1], None), ("free", None), (10**400, None),
    ],
)  # fmt: skip
def test_dollars(value: Any, sum: float | None) -> None:
    assert dollars(value) == sum


def test_what_an_older_database_kept_is_read() -> None:
    kept = {"input": 5, "output": "many", "cost": {"total_cost": 0.5}}
    end = from_dict({"type": "turn_finished", "stop": "end", "usage": kept})
    assert to_dict(end)["usage"] == {
        "input": 5,
        "output": None,
        "cached": None,
        "thinking": None,
        "cost": 0.5,
    }
    source: Any = {"type": "citation", "title": {"odd": 1}, "url": 7}
    assert to_dict(from_dict(source)) == {"type": "citation", "title": "", "url": ""}
