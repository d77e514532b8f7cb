"""Given what a vendor or the network says, this error and a sentence that helps."""

import json
import re
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from chat import errors
from chat.errors import Fault, Refused
from chat.providers import faults
from chat.providers.bodies import parsed
from chat.providers.faults import Call, retry_after
from chat.providers.vendors import Vendor
from tests.providers import corpus

KEY = "sk-live-abcdefghijklmnop"
VENDOR = Vendor(
    "any", "Any", ("openai_chat",), "https://me:pw@api.any.test/v1", "ANY_API_KEY", "ANY_BASE_URL"
)
LOCAL = Vendor("ollama", "Ollama", ("openai_chat",), "http://127.0.0.1:11434/v1", local=True)
SENT = frozenset(
    (
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "max_tokens",
        "reasoning_effort",
        "tools",
    )
)
CALL = Call(VENDOR, KEY, SENT, "m-1", system=True)


def answered(status: int, body: object = "", call: Call = CALL, **headers: str) -> Fault:
    said = body if isinstance(body, str) else json.dumps(body)
    return faults.answered(status, {k.replace("_", "-"): v for k, v in headers.items()}, said, call)


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (307, "", errors.Config, "api.any.test"),
        (400, error("Incorrect API key provided"), errors.Auth, "ANY_API_KEY"),
        (400, {"code": "x", "error": "Missing API key"}, errors.Auth, "ANY_API_KEY"),
        (400, error("API key not valid. Please pass a valid API key."), errors.Auth, "ANY_API_KEY"),
        (401, "", errors.Auth, "ANY_API_KEY"),
        (402, error("Payment required"), errors.OutOfCredit, "credit"),
        (429, error("Current quota exceeded", code="insufficient_quota"), errors.OutOfCredit, "credit"),
        (400, error("Your credit balance is too low"), errors.OutOfCredit, "credit"),
        (403, error("Country not supported"), errors.Auth, "region"),
        (403, error("No"), errors.Auth, "ANY_API_KEY"),
        (403, "<html>Blocked</html>", errors.Auth, "does not allow"),
        (404, error("The model `m-1` does not exist"), errors.NotFound, "no model named m-1"),
        (404, error("No", code="model_not_found"), errors.NotFound, "no model named m-1"),
        (404, error("model: m-1", type="not_found_error"), errors.NotFound, "no model named m-1"),
        (400, error("Bad", param="model"), errors.NotFound, "no model named m-1"),
        (404, error("No endpoints found for m-1."), errors.NotFound, "no model named m-1"),
        (404, "<html>nginx</html>", errors.NotFound, "ANY_BASE_URL"),
        (405, {"detail": "Method Not Allowed"}, errors.NotFound, "ANY_BASE_URL"),
        (413, "<html>Too large</html>", errors.TooLong, "new conversation"),
        (400, error("x", code="context_length_exceeded"), errors.TooLong, "new conversation"),
        (400, error("prompt is too long: 9 tokens > 8 maximum"), errors.TooLong, "m-1"),
        (500, error("the request exceeds the available context size"), errors.TooLong, "m-1"),
        (429, error("Request too large for m-1 on tokens per min (TPM): Limit 300, Requested 900. Billing"),
         errors.TooLong, "m-1"),
        (429, error("Rate limit reached for m-1 on tokens per minute (TPM): Limit 6000, Used 5034, Requested "
                    "1443. Please try again in 4.77s."), errors.RateLimited, "asks to wait 5 s"),
        (429, error("Slow down"), errors.RateLimited, "Wait a little"),
        (400, error("registry/gemma:2b does not support tools"), errors.BadRequest, "Switch the tools off"),
        (404, error("No endpoints found that support tool use"), errors.BadRequest, "Switch the tools"),
        (422, {"detail": [{"loc": ["body", "input", 0], "msg": "x"}]}, errors.BadRequest, "input.0: x"),
        (418, error("A teapot"), errors.BadRequest, "A teapot"),
        (500, "", errors.Server, "Ask again"),
        (502, "<html>Bad gateway</html>", errors.Server, "Ask again"),
        (503, error("x"), errors.Overloaded, "too busy"),
        (529, error("Overloaded", type="overloaded_error"), errors.Overloaded, "too busy"),
        (500, error("Overloaded"), errors.Overloaded, "too busy"),
    ],
)  # fmt: skip
def test_status_and_words(status: int, body: object, kind: type[Fault], words: str) -> None:
    fault = answered(status, body)
    assert type(fault) is kind
    assert words in fault.whole
    assert fault.status == status
    assert "<" not in fault.whole
    assert "pw" not in fault.whole


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
               param="max_tokens", code="unsupported_parameter"), "max_tokens"),
        (error("Unsupported value: 'temperature' does not support 0.2 with this model.",
               param="temperature", code="unsupported_value"), "temperature"),
        (error("Your organization must be verified to stream this model.", param="stream"), "stream"),
        (error("`temperature` is deprecated for this model."), "temperature"),
        (error("temperature: Extra inputs are not permitted"), "temperature"),
        (error("Invalid temperature: only 1 is allowed for this model"), "temperature"),
        (error("Unrecognized request argument supplied: stream_options"), "stream_options"),
        (error("Model m-1 does not support parameter reasoningEffort."), "reasoning_effort"),
        (error("\"m-1\" does not support thinking"), "reasoning_effort"),
        (error("`reasoning_effort` must be one of `none` or `default`"), "reasoning_effort"),
        ({"detail": [{"type": "extra", "loc": ["body", "stream_options", "include_usage"], "msg": "no"}]},
         "stream_options"),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "reasoning_effort"], "msg": "Extra"}]}},
         "reasoning_effort"),
        (error("stream_options.include_usage", param="stream_options.include_usage"), "stream_options"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 422])
def test_a_parameter_that_is_refused(status: int, body: object, parameter: str) -> None:
    fault = answered(status, body)
    assert isinstance(fault, Refused)
    assert fault.parameter == parameter
    assert parameter in fault.message


CHOSEN = replace(CALL, sent=CALL.sent | {"reasoning", "output_config", "thinking"})


@pytest.mark.parametrize(
    "body",
    [
        error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
              param="max_tokens", code="unsupported_parameter"),
        error("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default "
              "(1) value is supported.", param="temperature", code="unsupported_value"),
        error("Unsupported value: 'temperature' does not support 0.2 with this model.",
              param="temperature", code="unsupported_value"),
        error("Your organization must be verified to stream this model.", param="stream"),
        error("`temperature` is deprecated for this model."),
        error("Invalid temperature: only 1 is allowed for this model"),
        error("Unrecognized request argument supplied: reasoning_effort"),
        error("unknown field `reasoning_effort`, expected one of `model`, `messages`"),
        error("Invalid JSON payload received. Unknown name \"reasoning_effort\": Cannot find field."),
        error("Unsupported parameter: 'reasoning.effort' is not supported with this model.",
              param="reasoning.effort", code="unsupported_parameter"),
        error("This model does not support the effort parameter."),
        error("reasoning_effort is not supported with this model"),
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs are not "
                     "permitted"}]},
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_taken_at_all_is_so_for_everybody(body: object) -> None:
    fault = answered(400, body, call=CHOSEN)
    assert isinstance(fault, Refused)
    assert fault.lasting


@pytest.mark.parametrize(
    "body",
    [
        error("Invalid value: 'banana'. Supported values are: 'low', 'medium', and 'high'.",
              param="reasoning.effort", code="invalid_value"),
        error("Invalid value: 'unsupported'. Supported values are: 'low'.", param="reasoning.effort"),
        error("Unsupported value: 'reasoning.effort' does not support 'minimal' with this model. Supported "
              "values are: 'low'.", param="reasoning.effort", code="unsupported_value"),
        error("Unsupported value: 'reasoning_effort' does not support 'none' with this model.",
              param="reasoning_effort", code="unsupported_value"),
        error("'low' is not supported for reasoning_effort"),
        error("`reasoning_effort` must be one of `none` or `default`"),
        error("This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."),
        error("unknown variant `banana`, expected one of `low`, `high`", param="reasoning_effort"),
        error("No.", param="reasoning_effort"),
        error("temperature only supports values between 0 and 1"),
        error("temperature: 0.333 is not allowed, must be a multiple of 0.1", param="temperature"),
        {"detail": [{"type": "literal_error", "loc": ["body", "reasoning_effort"], "input": "banana",
                     "msg": "Input should be 'low', 'medium' or 'high'"}]},
    ],
)  # fmt: skip
def test_a_value_that_is_not_taken_says_nothing_of_the_parameter(body: object) -> None:
    fault = answered(400, body, call=CHOSEN)
    assert isinstance(fault, Refused)
    assert not fault.lasting
    assert "this value of" in fault.message


@pytest.mark.parametrize(
    "body",
    [
        error("top_p is not supported", param="top_p"),
        error("Unsupported parameter: 'top_k'"),
        error("tools is not supported", param="tools"),
        error("Invalid", param="temperature", code="decimal_below_min_value"),
        error("max_tokens is too large: 100000. This model supports at most 4096.", param="max_tokens"),
        error("Something about temperature"),
        {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "Extra inputs are not permitted"}]},
    ],
)  # fmt: skip
def test_what_was_not_sent_or_makes_the_question_is_not_refused(body: object) -> None:
    assert type(answered(400, body)) is errors.BadRequest


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_only_a_refusal_of_the_request_refuses_a_parameter(status: int) -> None:
    assert (
        not isinstance(answered(status, error("'temperature' is not supported in your region")), Refused)
        or status == 404
    )


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 2),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT"}, 60),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT", "date": "Sat, 21 Nov 2026 12:00:50 GMT"}, 10),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize("key", [KEY, ""])
def test_a_visitor_is_told_of_no_setting_by_its_name(key: str) -> None:
    call = replace(CALL, key=key)
    told = [answered(status, call=call) for status in (307, 400, 401, 402, 403, 404, 405, 429, 500, 503)]
    for error in (
        caused(httpx2.ConnectError("x"), socket.gaierror()),
        caused(httpx2.ConnectError("x"), ConnectionRefusedError()),
        httpx2.ProxyError("x"),
        httpx2.UnsupportedProtocol("x"),
        httpx2.LocalProtocolError("x"),
        UnicodeEncodeError("ascii", "ü", 0, 1, "x"),
    ):
        fault = faults.of(caused(RuntimeError("of an SDK"), error), call)
        assert fault is not None
        told.append(fault)
    for fault in told:
        assert fault.message[0].isalpha()
        assert not re.search(r"[A-Z]+_[A-Z]+", fault.message)


@pytest.mark.parametrize(("seconds", "words"), [("12", "12 s"), ("200", "3 minutes"), ("7200", "2 hours")])
def test_the_wait_is_told(seconds: str, words: str) -> None:
    fault = answered(429, error("Slow down"), retry_after=seconds)
    assert fault.retry_after == float(seconds)
    assert words in fault.message
    assert answered(503, retry_after=seconds).retry_after == float(seconds)


def test_a_missing_key_is_not_a_wrong_one() -> None:
    assert "Set ANY_API_KEY" in answered(401, call=Call(VENDOR)).whole
    assert "none is set" in answered(401, call=Call(LOCAL)).message


@pytest.mark.parametrize(
    "echo",
    [
        KEY.upper(),
        f"{KEY[:9]}\n{KEY[9:]}",
        "\u200b".join(KEY),
        f"{KEY[:12]}{' ' * 50}{KEY[12:]}",
        " " * 2990 + KEY,
        "\u200b".join("sk-of-someone-else-1234"),
    ],
)
def test_a_key_is_not_quoted_however_it_is_written(echo: str) -> None:
    message = answered(400, error(f"Who is {echo}?")).message
    assert "“Who is [key]?”" in message


@pytest.mark.parametrize("field", ["code", "type"])
def test_the_name_of_an_error_is_short_and_no_key(field: str) -> None:
    call = Call(VENDOR, "abcdef0123456789")

    def said(name: str) -> str:
        fault = faults.said({"error": {field: name}}, call)
        assert fault is not None
        return fault.message

    assert "abcdef" not in said("abcdef0123456789").lower() + said("ABCDEF0123456789").lower()
    assert "(odd_thing)" in said("odd_thing")
    assert f"({'x' * 40})" in said("x" * 10_000)


def test_a_vendors_words_are_quoted_short_and_clean() -> None:
    said = f"Key {KEY}\x1b[31m and sk-proj-another1234 of\n  org\u202e " + "x" * 1000
    message = answered(400, error(said)).message
    assert "Key [key]" in message
    assert "another" not in message
    assert message.isprintable()
    assert len(message) < 400
    assert answered(400, "a plain text").message.endswith("“a plain text”")
    assert "“" not in answered(400, "<p>no text</p>").message
    assert KEY not in repr(CALL)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ({"choices": []}, None, ""),
        ({"error": None, "choices": []}, None, ""),
        ([], None, ""),
        ({"error": "it broke"}, errors.Server, "it broke"),
        ({"error": {"type": "strange_thing"}}, errors.Server, "(strange_thing)"),
        ({"error": {"message": "x", "code": 429}}, errors.RateLimited, "x"),
        ({"error": {"message": "x", "code": "503"}}, errors.Overloaded, "x"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, errors.Overloaded, "x"),
        ({"error": {"type": "invalid_request_error", "message": "x"}}, errors.BadRequest, "x"),
        ({"error": {"message": "maximum context length is 8"}}, errors.TooLong, "too long"),
        ({"object": "error", "message": "x", "code": 401}, errors.Auth, "ANY_API_KEY"),
        (error("Up", code=502, metadata={"raw": '{"error": {"message": "gone"}}'}), errors.Server,
         "Up; gone"),
    ],
)  # fmt: skip
def test_an_error_inside_an_answer(data: Any, kind: type[Fault] | None, words: str) -> None:
    fault = faults.said(data, CALL)
    assert (type(fault) if fault else None) is kind
    assert fault is None or (words in fault.whole and fault.status is None)


def caused(error: Exception, by: Exception) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "opened", "kind", "words"),
    [
        (caused(httpx2.ConnectError("x"), socket.gaierror()), False, errors.Unreachable, "no such host"),
        (caused(httpx2.ConnectError("x"), ssl.SSLError()), False, errors.Unreachable, "certificate"),
        (caused(httpx2.ConnectError("x"), ConnectionRefusedError()), False, errors.Unreachable, "Nothing"),
        (httpx2.ConnectError("x"), False, errors.Unreachable, "network"),
        (httpx2.ConnectTimeout("x"), False, errors.Unreachable, "in time"),
        (httpx2.ProxyError("x"), False, errors.Unreachable, "HTTPS_PROXY"),
        (httpx2.ReadError("x"), False, errors.Unreachable, "before an answer"),
        (httpx2.RemoteProtocolError("x"), False, errors.Unreachable, "before an answer"),
        (httpx2.ReadTimeout("x"), False, errors.Stalled, "silent"),
        (httpx2.ReadTimeout("x"), True, errors.Stalled, "silent"),
        (httpx2.ReadError("x"), True, errors.CutOff, "broke"),
        (httpx2.RemoteProtocolError("x"), True, errors.CutOff, "broke"),
        (httpx2.StreamClosed(), True, errors.CutOff, "broke"),
        (httpx2.DecodingError("x"), True, errors.Malformed, "compressed"),
        (httpx2.UnsupportedProtocol("x"), False, errors.Config, "ANY_BASE_URL"),
        (httpx2.LocalProtocolError("x"), False, errors.Config, "ANY_API_KEY"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "x"), False, errors.Config, "ANY_API_KEY"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), False, errors.BadRequest, "half a character"),
    ],
)  # fmt: skip
def test_the_network(error: Exception, opened: bool, kind: type[Fault], words: str) -> None:
    fault = faults.of(caused(RuntimeError("of an SDK"), error) if not opened else error, CALL, opened=opened)
    assert fault is not None
    assert type(fault) is kind
    assert words in fault.whole


def test_a_server_of_this_machine_may_not_be_running() -> None:
    fault = faults.of(caused(httpx2.ConnectError("x"), ConnectionRefusedError()), Call(LOCAL))
    assert fault is not None
    assert "Is Ollama running?" in fault.message


@pytest.mark.parametrize(
    ("body", "limit", "sent"),
    [
        (error("prompt is too long: 210000 tokens > 200000 maximum"), 200_000, 210_000),
        (error("exceeds the available context size", n_prompt_tokens=14_429, n_ctx=8192), 8192, 14_429),
        (error("x", code="context_length_exceeded"), None, None),
        (error("context length", n_ctx=True, n_prompt_tokens="9"), None, None),
    ],
)
def test_what_fits_is_told_along(body: object, limit: int | None, sent: int | None) -> None:
    fault = answered(400, body)
    assert isinstance(fault, errors.TooLong)
    assert (fault.limit, fault.sent) == (limit, sent)


def test_a_mistake_of_ours_stays_one() -> None:
    assert faults.of(TypeError("create() got an unexpected argument"), CALL) is None
    assert faults.of(own := errors.CutOff("x"), CALL) is own


# -- recorded answers -------------------------------------------------------------------------------

KINDS = {
    "model_not_found": errors.NotFound,
    "not_found_error": errors.NotFound,
    "DeploymentNotFound": errors.NotFound,
    "context_length_exceeded": errors.TooLong,
    "too_many_prompt_tokens": errors.TooLong,
    "prompt is too long": errors.TooLong,
    "maximum context length": errors.TooLong,
    "tool_use_failed": errors.BadCall,
    "effort level": Refused,
    "web_search_options": Refused,
    "RateLimitReached": errors.RateLimited,
    "API key": errors.Auth,
    "authorized": errors.Auth,
    "Authentication": errors.Auth,
}
"""By what their bodies hold, what the recorded answers mean; any other is `BadRequest`."""


@pytest.mark.skipif(corpus.FOLDER is None, reason="WIRE_CORPUS is not set")
def test_recorded_answers() -> None:
    recorded = corpus.lines("http_errors.jsonl")
    assert len(recorded) == 29
    for entry in recorded:
        vendor = Vendor(entry["vendor"], entry["vendor"], ("openai_chat",), entry["url"], "SOME_API_KEY")
        call = Call(vendor, KEY, frozenset(entry["request_keys"]), entry["model"] or "")
        fault = faults.answered(entry["status"], entry["headers"], entry["body"], call)
        wanted = next((kind for words, kind in KINDS.items() if words in entry["body"]), errors.BadRequest)
        assert type(fault) is wanted, (entry["body"], fault.message)
        assert type(fault) is not errors.RateLimited or fault.retry_after == 1


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 800 + "1" + "}" * 800, json.dumps({"code": "9" * 5000})]
)
def test_a_body_made_to_break_a_reader(body: str) -> None:
    assert type(answered(400, body)) is errors.BadRequest


def test_arguments_nested_without_end_are_none() -> None:
    assert parsed("[" * 100_000) == parsed("{") == {}
