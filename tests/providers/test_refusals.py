"""Given a refusal in whatever words and form, its meaning: the words here are made up after many vendors'."""

# ruff: noqa: E501 - a table of sentences

import json
from typing import Any

import pytest

from chat import errors
from chat.errors import Fault
from chat.providers import faults
from chat.providers.error_bodies import ErrorBody
from chat.providers.faults import Call
from chat.providers.vendors import Vendor
from chat.providers.waits import field, headers, resets, words

KEY = "sk-live-abcdefghijklmnop"
URL = "https://api.any.test/v1"
ONE = Vendor("any", "Any", ("openai_chat",), URL, "ANY_API_KEY", "ANY_BASE_URL")
TWO = Vendor("any", "Any", ("openai_responses", "openai_chat"), URL, "ANY_API_KEY", "ANY_BASE_URL")
NAMES = ("model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "tools")
CALL = Call(ONE, KEY, frozenset(NAMES), "m-1", system=True)
BARE = Call(ONE, KEY, frozenset(NAMES) - {"tools"}, "m-1")


def told(status: int, body: object, call: Call = CALL, **named: str) -> Fault:
    text = body if isinstance(body, str) else json.dumps(body)
    return faults.answered(status, {k.replace("_", "-"): v for k, v in named.items()}, text, call)


def plain(text: str) -> dict[str, Any]:
    return {"error": {"message": text}}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (400, "m-1 does not support tools"),
        (400, "This model doesn't support function calling."),
        (400, "Function calling is not enabled for models/small"),
        (422, "Tool use is unavailable on this deployment"),
        (501, "tool_choice: not implemented"),
        (400, "Unrecognized request argument supplied: tools"),
        (400, "The `tools` parameter is not allowed for this engine."),
        (404, "No endpoints found that support tool use."),
        (400, "Model m-1 lacks tool calling capability, it cannot accept tools"),
        (400, "该模型不支持工具调用"),
    ],
)
def test_no_tools_here(status: int, text: str) -> None:
    fault = told(status, plain(text))
    assert type(fault) is errors.BadRequest
    assert "Switch the tools off" in fault.message
    assert text[:20] in fault.message
    assert "Switch the tools off" not in told(status, plain(text), BARE).message


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "System role not supported"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        (400, "Developer instruction is not enabled for models/gem-3-it"),
        (422, "This model does not accept system prompts"),
        (500, "The chat template has no support for the system role"),
        (400, "Invalid role: system. Must be user or assistant"),
        (400, "role must be one of user, assistant; got 'system'"),
        (400, "System messages are unsupported by this endpoint"),
    ],
)
def test_no_system_prompt_here(status: int, text: str) -> None:
    fault = told(status, plain(text))
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == "system"
    assert "system prompt" in fault.message


def test_a_system_prompt_that_a_filter_stopped_is_not_said_in_another_place() -> None:
    fault = told(400, plain("Your system prompt is not allowed: it was blocked by our content policy."))
    assert type(fault) is errors.BadRequest
    assert "filter" in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"user\" roles in a row",
        "After the optional system message, conversation roles should alternate",
        "two consecutive user messages are invalid",
    ],
)  # fmt: skip
def test_roles_in_turn(text: str) -> None:
    fault = told(400, plain(text))
    assert isinstance(fault, errors.Refused)
    assert fault.parameter == "roles"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, '{"detail": "Not Found"}'),
        (404, "404 page not found"),
        (405, ""),
        (404, plain("Invalid URL (POST /v1/responses)")),
        (404, "<!DOCTYPE html><pre>Cannot POST /v1/responses</pre>"),
        (501, plain("Not implemented")),
        (400, plain("The Responses API is not supported by this provider.")),
        (400, plain("Unsupported endpoint: /v1/responses")),
        (404, plain("m-1 is only supported in v1/chat/completions and not in v1/responses")),
        (404, plain("This is not a chat model and thus not supported in the v1/chat/completions endpoint.")),
        (400, plain("Function tools with reasoning are not supported here. Please use /v1/responses instead.")),
    ],
)  # fmt: skip
def test_another_protocol(status: int, text: object) -> None:
    asked = Call(TWO, KEY, frozenset(("model", "input", "stream", "tools")), "m-1")
    fault = told(status, text, asked)
    assert type(fault) is errors.OtherProtocol
    assert "Responses" in fault.message
    assert fault.lasting is ("tools" not in str(text))  # those are one asker's wish
    alone = told(status, text)
    assert type(alone) is not errors.OtherProtocol  # it has no other one


@pytest.mark.parametrize(
    ("status", "text", "limit", "sent"),
    [
        (400, "prompt token count of 74490 exceeds the limit of 72000", 72_000, 74_490),
        (400, "Prompt exceeds max length", None, None),
        (400, "The decoder prompt (length 10127) is longer than the maximum model length of 8192.", 8192, 10_127),
        (400, "input length and `max_tokens` exceed context limit: 187254 + 20000 > 204798", 204_798, 187_254),
        (400, "Your prompt has 130k tokens, we take at most 128k", 128_000, 130_000),
        (422, "Too many tokens in the conversation: 9.500 of 8.192", 8192, 9500),
        (400, "Sequence of 5,021 tokens is over the 4,096 token window", 4096, 5021),
        (500, "kv cache: the prompt does not fit (need 9001 tokens, have 8192)", 8192, 9001),
        (400, "This conversation has outgrown the window: 40_000 > 32_768 tokens", 32_768, 40_000),
        (400, "输入长度超过模型最大上下文", None, None),
        (413, "", None, None),
    ],
)  # fmt: skip
def test_the_context_is_full(status: int, text: str, limit: int | None, sent: int | None) -> None:
    fault = told(status, plain(text))
    assert type(fault) is errors.TooLong
    assert (fault.limit, fault.sent) == (limit, sent)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens is too large: 100000. This model supports at most 4096 completion tokens",
        "max_output_tokens 9000 exceeds the maximum of 8192",
        "stop: at most 4 sequences, got 9",
        "function name has more than 64 characters, at most 64 are taken",
        "temperature must be less than 2",
    ],
)
def test_other_limits_are_not_the_context(text: str) -> None:
    assert type(told(400, plain(text), BARE)) is errors.BadRequest


MINUTE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please look at your plan and billing.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}],
    }
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "wait"),
    [
        (429, [MINUTE], errors.RateLimited, 36),
        (429, plain("Rate limit of the free plan: 3 / min. Try again in 20s. Add a payment method."),
         errors.RateLimited, 20),
        (429, plain("Quota exceeded for requests per minute"), errors.RateLimited, None),
        (403, {"message": "Too many concurrent requests"}, errors.RateLimited, None),
        (400, {"base_resp": {"status_code": 1002, "status_msg": "rate limit, 请求过于频繁"}}, errors.RateLimited, None),
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota, please "
                         "check your plan and billing details."}}, errors.OutOfCredit, None),
        (402, "", errors.OutOfCredit, None),
        (400, plain("Your credit balance is too low to access this API"), errors.OutOfCredit, None),
        (403, plain("用户额度不足, 剩余额度: ＄0"), errors.OutOfCredit, None),
        (429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, errors.OutOfCredit, None),
        (400, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, errors.OutOfCredit, None),
        (500, plain("You have run out of credits"), errors.OutOfCredit, None),
    ],
)  # fmt: skip
def test_a_limit_of_a_time_is_no_lack_of_money(
    status: int, body: object, kind: type[Fault], wait: float | None
) -> None:
    fault = told(status, body)
    assert type(fault) is kind
    assert fault.retry_after == wait


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"code": "tool_use_failed", "message": "Failed to call a function."}}),
        (500, plain("Failed to parse tool call arguments as JSON: parse error at line 1")),
        (400, plain("The model produced an invalid function call")),
        (422, plain("Tool call could not be parsed: malformed JSON")),
    ],
)
def test_a_call_that_the_vendor_could_not_read(status: int, body: object) -> None:
    fault = told(status, body)
    assert type(fault) is errors.BadCall
    assert "Ask again, or switch the tools off" in fault.message


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (403, plain("Country, region, or territory not supported"), errors.Auth, "region"),
        (400, plain("User location is not supported for the API use."), errors.Auth, "region"),
        (400, {"error": {"code": "content_policy_violation", "message": "x"}}, errors.BadRequest, "filter"),
        (403, plain("Input was flagged by moderation"), errors.BadRequest, "filter"),
        (400, {"code": "DataInspectionFailed", "message": "Input may hold it"}, errors.BadRequest, "filter"),
        (404, plain("The model m-1 has been retired, use m-2"), errors.NotFound, "no model named m-1"),
        (403, plain("Your project has no access to model m-1"), errors.NotFound, "no model named m-1"),
        (400, plain("m-1 is not a valid model ID"), errors.NotFound, "no model named m-1"),
        (503, plain("Model m-1 is currently loading"), errors.Overloaded, "too busy"),
        (400, plain("We are at capacity, come back later"), errors.Overloaded, "too busy"),
        (429, {"message": "x"}, errors.RateLimited, "Too many"),
        (503, "<html><title>Down for maintenance</title></html>", errors.Overloaded, "“Down for maintenance”"),
        (502, "<html><h1>502 Bad Gateway</h1><hr>nginx</html>", errors.Server, "gateway before Any"),
        (522, "error code: 522", errors.Server, "gateway before Any"),
        (403, "<html><title>Attention Required!</title></html>", errors.Auth, "firewall"),
        (511, "<html>Login</html>", errors.Unreachable, "network wants a login"),
        (407, "", errors.Unreachable, "proxy"),
        (302, "", errors.Config, "wants a login first"),
        (500, "", errors.Server, "fault of its own"),
        (400, "", errors.BadRequest, "does not accept"),
        (400, {"__type": "ThrottlingException", "Message": "Rate exceeded"}, errors.RateLimited, "Rate exceeded"),
        (401, {"message": "Unauthorized"}, errors.Auth, "key"),
        (403, {"error": {"message": "invalid api key"}}, errors.Auth, "does not accept the key"),
    ],
)  # fmt: skip
def test_other_kinds(status: int, body: object, kind: type[Fault], said: str) -> None:
    fault = told(status, body)
    assert type(fault) is kind, fault.whole
    assert said in fault.whole
    assert fault.status == status
    assert "<" not in fault.whole


REASON = "The pump is worn out."


@pytest.mark.parametrize(
    "body",
    [
        {"error": REASON},
        {"error": {"message": REASON}},
        {"message": REASON},
        {"msg": REASON, "code": 7},
        {"detail": REASON},
        {"detail": [REASON]},
        {"detail": [{"msg": REASON, "loc": "x", "input": "What I asked."}]},
        {"errors": [{"message": REASON}]},
        {"errors": [REASON]},
        {"errors": {"pump": [REASON]}},
        {"fault": {"faultstring": REASON, "detail": {"errorcode": "x"}}},
        {"base_resp": {"status_code": 2013, "status_msg": REASON}},
        {"Error": {"Message": REASON}},
        {"error": {"error": {"error": {"message": REASON}}}},
        {"error": json.dumps({"error": {"message": REASON}})},
        {"error": {"message": json.dumps({"detail": json.dumps({"message": REASON})})}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps({"message": REASON})}}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": REASON}}},
        {"statusCode": 400, "body": json.dumps({"message": REASON})},
        {"error": {"message": {"text": REASON}, "code": {"value": 3}, "type": [1]}},
        {"error": {"code": 400, "message": None, "info": REASON}},
        {"response": {"error": {"msg": REASON}}},
        {"success": False, "result": None, "reason": REASON},
        {"oops": REASON},
        [{"error": {"message": REASON}}],
        [[[{"message": REASON}]]],
        [REASON],
        REASON,
        f"data: {json.dumps({'error': {'message': REASON}})}\n\n",
        f"event: error\ndata: {json.dumps({'message': REASON})}\n\n",
        f"Gateway: BadRequest - {json.dumps({'error': {'message': REASON}})}",
        f"<?xml version='1.0'?><Error><Code>Bad</Code><Message>{REASON}</Message></Error>",
        f"<html><head><title>{REASON}</title></head><body>x</body></html>",
        json.dumps({"error": {"message": REASON, "more": "x" * 100_000}})[:70_000],
        '{"error": {"message": "' + REASON + '", broken',
    ],
)  # fmt: skip
def test_the_reason_is_kept_in_every_form(body: object) -> None:
    fault = told(418, body)
    assert REASON in fault.message
    assert "What I asked" not in fault.message


@pytest.mark.parametrize(
    ("data", "is_error"),
    [
        ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, True),
        ({"base_resp": {"status_code": 0, "status_msg": ""}, "choices": []}, False),
        ({"errors": [{"message": "x"}]}, True),
        ({"detail": "x"}, True),
        ({"code": 1, "msg": "x"}, True),
        ({"message": "x"}, True),
        ({"error": {"message": None, "code": None}, "choices": []}, False),
        ({"error": {}}, False),
        ({"error": 7}, True),
        ({"error": [1, {"message": "x"}]}, True),
        ({"message": {"role": "assistant", "content": "x"}, "done": True}, False),
        ({"choices": [{"delta": {}}], "message": "x"}, False),
        ({"type": "ping"}, False),
        ({"object": "list", "data": []}, False),
        ({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}, False),
        ({"usage": {}, "choices": []}, False),
        ({}, False),
    ],
)
def test_what_is_an_error_with_status_200(data: object, is_error: bool) -> None:
    assert (faults.said(data, CALL) is not None) is is_error


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("retry_after", 3, 3), ("retryAfter", "3", 3), ("retry-after-ms", 1500, 1.5), ("retryDelay", "5s", 5),
        ("retry_after_seconds", 2.5, 2.5), ("retryDelay", {"seconds": "2", "nanos": 500_000_000}, 2.5),
        ("wait", "1m30s", 90), ("estimated_time", 20.0, 20), ("reset_in", "PT1M", 60), ("wait_time", "00:01:05", 65),
        ("retry_after", "soon", None), ("retry_after", -3, 0), ("retry_after", float("nan"), None),
        ("retry_after", True, None), ("retry_after", [3], None), ("retry_after", 10**30, None), ("retries", 3, None),
        ("message", "5s", None),
    ],
)  # fmt: skip
def test_a_wait_in_a_field(name: str, value: Any, seconds: float | None) -> None:
    assert field(name, value) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 7.2s.", 7.2),
        ("Please try again in 1m26.4s. Visit us", 86.4),
        ("Please retry in 36.4s", 36.4),
        ("Retry after 3 seconds", 3),
        ("Wait 2 minutes and 5 seconds before the next one", 125),
        ("try again in 500ms", 0.5),
        ("Your limit resets in 2 hours", 7200),
        ("please wait a minute", 60),
        ("请在 5 秒后重试", 5),
        ("The limit is 20 per minute", None),
        ("We retry 3 times", None),
        ("try again later", None),
        ("", None),
    ],
)
def test_a_wait_in_words(text: str, seconds: float | None) -> None:
    assert words(text) == pytest.approx(seconds)


DATE = {"date": "Mon, 30 Nov 2026 12:00:00 GMT"}


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"x-ratelimit-reset-requests": "7.66s", "x-ratelimit-remaining-requests": "0"}, 7.66),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "9",
          "x-ratelimit-reset-tokens": "2s", "x-ratelimit-remaining-tokens": "0"}, 2),
        ({"x-ratelimit-reset": "1796040005", **DATE}, 5),
        ({"x-ratelimit-reset": "1796040005000", **DATE}, 5),
        ({"anthropic-ratelimit-requests-reset": "2026-11-30T12:00:09Z", **DATE}, 9),
        ({"ratelimit": "limit=5, remaining=0, reset=12"}, 12),
        ({"ratelimit-reset": "4"}, 4),
        ({"x-ratelimit-limit-requests": "100"}, None),
        ({"x-ratelimit-reset": "never"}, None),
    ],
)  # fmt: skip
def test_when_a_limit_is_free_again(told: dict[str, str], seconds: float | None) -> None:
    assert resets(told) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "date", ["Mon, 30 Nov 2026 12:00:07 GMT", "Monday, 30-Nov-26 12:00:07 GMT", "Mon Nov 30 12:00:07 2026"]
)
def test_a_date_in_all_three_forms(date: str) -> None:
    assert headers({"Retry-After": date, **DATE}) == 7


def test_a_wait_is_taken_from_wherever_it_stands() -> None:
    said = plain("Please try again in 4s.")
    assert told(429, said, retry_after="9").retry_after == 9
    assert told(429, said, retry_after="0").retry_after == 4
    assert told(429, plain("No"), x_ratelimit_reset="3").retry_after == 3
    assert told(500, plain("No"), x_ratelimit_reset="3").retry_after is None
    behind = {"error": {"message": "No", "code": 429, "metadata": {"headers": {"X-RateLimit-Reset": "6"}}}}
    assert told(429, behind).retry_after == 6


def test_a_body_is_walked_within_bounds() -> None:
    wide = {f"k{n}": {"message": f"m{n} of these"} for n in range(10_000)}
    assert len(ErrorBody.read(wide).text) < 2000
    deep: Any = REASON
    for _ in range(500):
        deep = {"error": deep}
    assert ErrorBody.read(deep).text == ""
