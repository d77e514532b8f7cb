"""Whether a refused parameter is refused to everybody, or to one request for what else it asked."""

# ruff: noqa: E501 - a table of sentences

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from chat.catalogue import Catalogue
from chat.engine import Engine
from chat.errors import OtherProtocol, Refused
from chat.events import Notice, TextDelta, TurnFinished
from chat.messages import Options, Turn
from chat.providers import Provider, faults
from chat.providers.anthropic_messages import AnthropicMessages
from chat.providers.calls import Call
from chat.providers.clients import Clients
from chat.providers.openai_chat import OpenAIChat
from chat.providers.openai_responses import OpenAIResponses
from chat.providers.vendors import Speaks, Vendor
from chat.settings import Settings
from chat.tools import Tools

KEY = "sk-live-abcdefghijklmnop"
URL = "https://api.any.test/v1"
ONE = Vendor("any", "Any", ("openai_chat",), URL, "ANY_API_KEY")
BOTH = Vendor("any", "Any", ("openai_responses", "openai_chat"), URL, "ANY_API_KEY")
PLAIN = frozenset(("model", "messages", "stream", "stream_options", "temperature", "max_tokens"))
FULL = PLAIN | {"tools", "reasoning_effort", "reasoning", "thinking", "output_config", "system"}


def refused(text: str, sent: frozenset[str] = FULL, *, effort: bool = False, **more: Any) -> Refused:
    body = json.dumps({"error": {"message": text, **more}})
    fault = faults.answered(400, {}, body, Call(ONE, KEY, sent, "m-thinking-1", system=True, effort=effort))
    assert isinstance(fault, Refused), fault
    return fault


DEPENDS = [
    ("temperature", "`temperature` may only be set to 1 when thinking is enabled. See https://docs.any.test/thinking"),
    ("temperature", "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."),
    ("temperature", "temperature is not supported with reasoning"),
    ("temperature", "Unsupported parameter: 'temperature' is not supported with this model when effort is high."),
    ("temperature", "Unsupported parameter: temperature (reasoning_effort=high)"),
    ("temperature", "Unknown parameter: 'temperature'. It is only known for requests without effort."),
    ("temperature", "Unsupported parameter 'temperature'. Supported parameters: 'top_p'. Switch thinking off to use it."),
    ("temperature", "This model does not support temperature unless thinking is off."),
    ("temperature", "`temperature` and `top_p` cannot both be set: temperature is not supported for this model then."),
    ("temperature", "temperature cannot be used in combination with other settings of this model"),
    ("temperature", "temperature is not permitted for this request on this model"),
    ("temperature", "Thinking isn't compatible with temperature modifications on this model."),
    ("temperature", "Only temperature=1 is supported by this model if you think hard, or together with a budget."),
    ("temperature", "该模型在思考模式下不支持 temperature"),
    ("temperature", "temperature is not supported"),  # by whom, and with what?
    ("reasoning_effort", "reasoning_effort is not supported with temperature on this model"),
    ("reasoning_effort", "This model does not support the effort parameter together with custom sampling."),
    ("max_tokens", "`max_tokens` is not supported by this model when `reasoning_effort` is set"),
    ("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
    ("stream", "`stream` is not supported by this model while a reasoning effort is set"),
    ("system", "The system prompt is not supported in thinking mode"),
    ("system", "The system prompt is not allowed to exceed 400 characters"),
]  # fmt: skip
ALWAYS = [
    ("temperature", "Unsupported parameter: 'temperature' is not supported with this model."),
    ("temperature", "`temperature` is deprecated for this model."),
    ("temperature", "m-thinking-1 does not support temperature"),
    ("temperature", "Temperature is not supported for reasoning models."),
    ("temperature", "Any.UnsupportedParamsError: m models don't support temperature=0.84. Only temperature=1 is supported. To drop it set `drop_params = True`"),
    ("temperature", "unknown field `temperature`, expected one of `model`, `messages`, `tools`, `reasoning_effort`"),
    ("temperature", "该模型不支持 temperature"),
    ("reasoning_effort", "Model m-thinking-1 does not support parameter reasoningEffort."),
    ("reasoning_effort", '"m-thinking-1" does not support thinking'),
    ("reasoning_effort", "Any does not support parameters: ['reasoning_effort'], for model=m-thinking-1. If you want to use these params dynamically, allow them."),
    ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    ("stream_options", "Unrecognized request argument supplied: stream_options"),
    ("stream", "The parameter `stream` is not supported on this server."),
    ("system", "System role not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "text"), DEPENDS)
def test_a_refusal_with_a_condition_is_of_one_request(parameter: str, text: str) -> None:
    sent = FULL - ({"tools", "reasoning", "thinking", "output_config"} if parameter != "system" else set())
    fault = refused(text, sent)
    assert (fault.parameter, fault.lasting) == (parameter, False)


@pytest.mark.parametrize(("parameter", "text"), ALWAYS)
def test_a_plain_refusal_of_the_model_is_for_everybody(parameter: str, text: str) -> None:
    sent = FULL - {"reasoning", "thinking", "output_config"}
    fault = refused(text, sent)
    assert (fault.parameter, fault.lasting) == (parameter, True)


def test_a_refusal_without_a_reason_is_for_everybody_where_nothing_else_was_asked_for() -> None:
    assert refused("temperature is not supported", PLAIN).lasting
    for other in ("tools", "reasoning_effort", "thinking", "reasoning"):
        assert not refused("temperature is not supported", PLAIN | {other}).lasting
    assert not refused("stream is not supported", PLAIN | {"reasoning_effort"}, param="stream").lasting


@pytest.mark.parametrize("parameter", ["temperature", "reasoning_effort", "max_tokens", "stream"])
def test_what_comes_with_a_chosen_effort_is_of_one_request_however_plainly_it_is_said(parameter: str) -> None:
    """Some models take a temperature, but not with an effort, and say that they do not take it at all."""
    text = f"Unsupported parameter: '{parameter}' is not supported with this model."
    sent = PLAIN | {"reasoning_effort"}
    assert not refused(text, sent, effort=True, param=parameter).lasting
    assert refused(text, sent, param=parameter).lasting
    alone = {"reasoning_effort", "model"} if parameter == "reasoning_effort" else PLAIN
    assert refused(text, frozenset(alone), effort=True, param=parameter).lasting


def test_a_refusal_of_one_request_says_so() -> None:
    assert "did not take “temperature” in this request. Any says:" in refused(DEPENDS[0][1]).message


@pytest.mark.parametrize(
    ("text", "lasting"),
    [
        ("m-1 is only supported in v1/chat/completions and not in v1/responses", True),
        (
            "m-1 is not supported in v1/responses when a budget is given. Use v1/chat/completions instead.",
            False,
        ),
        ("Not Found", True),
        ("No route can handle the requested parameters: Not Found", False),
    ],
)
def test_a_protocol_that_is_refused_for_what_one_asked_is_not_refused_to_others(
    text: str, lasting: bool
) -> None:
    asked = Call(BOTH, KEY, frozenset(("model", "input", "stream")), "m-1")
    fault = faults.answered(404, {}, json.dumps({"error": {"message": text}}), asked)
    assert isinstance(fault, OtherProtocol)
    assert fault.lasting is lasting


# -- from question to answer -----------------------------------------------------------------------

CLEAR = "Unsupported parameter: 'temperature' is not supported with this model."
ANSWERS: dict[Speaks, Any] = {
    "openai_chat": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    "openai_responses": {
        "object": "response",
        "status": "completed",
        "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
        ],
    },
    "anthropic_messages": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    },
}
PROTOCOLS: dict[Speaks, Callable[[Vendor, str, Clients], Provider]] = {
    "openai_chat": OpenAIChat,
    "openai_responses": OpenAIResponses,
    "anthropic_messages": AnthropicMessages,
}
EFFORTS = {"reasoning_effort", "output_config"}


def thinks(body: dict[str, Any]) -> bool:
    return bool(EFFORTS & body.keys()) or "effort" in body.get("reasoning", {})


class Asked:
    """A vendor that refuses what `refuses` says of the body, and its askers."""

    def __init__(self, speaks: Speaks, refuses: Callable[[dict[str, Any]], str]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._speaks: Speaks = speaks
        self._refuses = refuses
        vendor = Vendor("any", "Any", (speaks,), URL, "ANY_API_KEY")
        provider = PROTOCOLS[speaks](vendor, KEY, Clients(transport=httpx2.MockTransport(self._answer)))
        settings = Settings(local=False)
        self._engine = Engine(settings, Catalogue(settings, {"any": provider}), Tools(settings, ()))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(body := json.loads(request.content))
        if text := self._refuses(body):
            return httpx2.Response(400, json={"error": {"message": text, "type": "invalid_request_error"}})
        return httpx2.Response(200, json=ANSWERS[self._speaks])

    async def ask(self, owner: str, **options: Any) -> list[str]:
        """The notices of an answer."""
        turn = Turn("Hello?", Options(model="any:m-1", **options), owner=owner)
        events = [event async for event in self._engine.answer(turn)]
        assert isinstance(events[-1], TurnFinished), events
        assert any(isinstance(event, TextDelta) for event in events)
        return [event.text for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize("speaks", list(PROTOCOLS))
@pytest.mark.parametrize("text", [CLEAR, DEPENDS[0][1], "temperature is not supported"])
async def test_one_askers_effort_takes_the_temperature_from_nobody(speaks: Speaks, text: str) -> None:
    vendor = Asked(speaks, lambda body: text if "temperature" in body and thinks(body) else "")
    (notice,) = await vendor.ask("mallory", temperature=0.5, effort="high")
    assert "in this request" in notice
    assert [("temperature" in body, thinks(body)) for body in vendor.sent] == [(True, True), (False, True)]
    vendor.sent.clear()
    assert await vendor.ask("alice", temperature=0.5) == []
    assert [("temperature" in body, thinks(body)) for body in vendor.sent] == [(True, False)]


@pytest.mark.parametrize("speaks", list(PROTOCOLS))
async def test_one_askers_temperature_takes_the_effort_from_nobody(speaks: Speaks) -> None:
    text = "Reasoning effort is not supported by this model."
    vendor = Asked(speaks, lambda body: text if "temperature" in body and thinks(body) else "")
    (notice,) = await vendor.ask("mallory", temperature=0.5, effort="high")
    assert "in this request" in notice
    vendor.sent.clear()
    assert await vendor.ask("alice", effort="high") == []
    assert [thinks(body) for body in vendor.sent] == [True]


@pytest.mark.parametrize("speaks", list(PROTOCOLS))
async def test_a_model_that_takes_no_temperature_is_learned_once_for_all(speaks: Speaks) -> None:
    vendor = Asked(speaks, lambda body: CLEAR if "temperature" in body else "")
    (notice,) = await vendor.ask("alice", temperature=0.5)
    assert notice == "m-1 does not accept temperature: sent without it."
    vendor.sent.clear()
    for effort in (None, "high"):
        (notice,) = await vendor.ask("bob", temperature=0.5, effort=effort)
        assert notice.endswith("Sent without it.")
    assert len(vendor.sent) == 2
    assert not any("temperature" in body for body in vendor.sent)
